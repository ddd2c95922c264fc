"""Free ports on loopback, the same ones as last time where they are still free."""

import random
import socket
from collections.abc import Mapping, Sequence

LOOPBACK = "127.0.0.1"
# Below the range from which the kernel takes the ports of outgoing connections.
LOWEST, HIGHEST = 20_000, 29_999
TRIES_MAX = 200


def is_free(port: int) -> bool:
    """Whether a server could listen there now (a port in TIME_WAIT counts as free)."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
            probe.listen(1)
        except OSError:
            return False
        return True


def free_ports(
    names: Sequence[str], *, before: Mapping[str, int], source: random.Random
) -> dict[str, int]:
    """One port for each name: the one it had before if that is free, else another.

    Raises OSError when TRIES_MAX attempts find none.
    """
    chosen: dict[str, int] = {}
    for name in names:
        port = before.get(name)
        if port is None or port in chosen.values() or not is_free(port):
            port = _another(set(chosen.values()), source)
        chosen[name] = port
    return chosen


def _another(taken: set[int], source: random.Random) -> int:
    for _ in range(TRIES_MAX):
        port = source.randint(LOWEST, HIGHEST)
        if port not in taken and is_free(port):
            return port
    raise OSError(f"no free port between {LOWEST} and {HIGHEST} on {LOOPBACK}")
