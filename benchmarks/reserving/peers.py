"""What others do for a reservation, in the same run on the same servers."""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.children import environment_for
from benchmarks.reserving import medusa
from benchmarks.reserving.outcome import Outcome
from benchmarks.reserving.programs import ran
from shared.runtime.infrastructure import Addresses

FOLDER = Path(__file__).parents[1] / "peers"
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """A program, and what it does less than we do. All run in process."""

    name: str
    title: str
    does_less: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerOutcome:
    """What a peer did on many SKUs and on one; without outcomes there is a reason."""

    peer: Peer
    many: Outcome | None = None
    hot: Outcome | None = None
    reason: str = ""


PEERS = (
    Peer(
        name="transaction", title="asyncpg, a transaction a request, the level's row locked",
        does_less="no terms, no pool of places, no end, no carts, no same answer again",
    ),
    Peer(
        name="redis_gate", title="Lua in Valkey, one call a request",
        does_less="not durable; no terms, no places, no carts, nothing written down",
    ),
    Peer(
        name="medusa", title="Medusa's createReservationsWorkflow",
        does_less="one place that the caller names, no terms, no end, no same answer again",
    ),
)  # fmt: skip


def run_all(
    addresses: Addresses, names: Sequence[str], skus: int, callers: int, seconds: int, say: Say
) -> list[PeerOutcome]:
    """Run the named peers one after the other, so that none takes the others' cores."""
    found: list[PeerOutcome] = []
    for peer in PEERS:
        if peer.name not in names:
            found.append(PeerOutcome(peer=peer, reason="not asked for (--peers)"))
            continue
        say(f"peer: {peer.title}")
        try:
            done = _run(peer.name, addresses, skus, callers, seconds, say)
        except (ValueError, medusa.CannotRunError) as error:
            found.append(PeerOutcome(peer=peer, reason=str(error)))
            continue
        many = done[0] if len(done) > 1 else None
        found.append(PeerOutcome(peer=peer, many=many, hot=done[-1]))
    return found


def _run(
    name: str, addresses: Addresses, skus: int, callers: int, seconds: int, say: Say
) -> list[Outcome]:
    environment = environment_for(addresses)
    if name == "medusa":

        def with_dsn(command: Sequence[str], dsn: str, folder: Path) -> Outcome:
            told = {**environment, "STOCKTIDE_POSTGRES": dsn}
            return ran("peer-medusa", command, told, folder=folder)

        runs = [(skus, callers, seconds), (1, callers, seconds)]
        return medusa.measured(addresses.postgres, runs, with_dsn, say)
    program = [sys.executable, str(FOLDER / f"holds_{name}.py")]
    sizes: list[tuple[int, ...]] = [(skus, callers, seconds), (1, callers, seconds)]
    if name == "redis_gate":  # a key is a key: one SKU or many, it is the same work
        sizes = [(callers, seconds)]
    return [ran(f"peer-{name}", [*program, *map(str, size)], environment) for size in sizes]
