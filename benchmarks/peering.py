"""The peers of P1: each reads the same topic in a process and an environment of its own."""

import json
import os
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.stack import FOLDER, ROOT
from shared.contracts.topics import STOCK_MOVEMENTS
from shared.runtime.infrastructure import Addresses

PYTHON = ROOT / ".venv-bench" / "bin" / "python"
SECONDS_MAX = 180.0
START_SECONDS_MAX = 40.0
PER_EVENT_MAX = 10_000
REASON_LENGTH = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """One program of `benchmarks/peers`, and what it does less than we do."""

    name: str
    title: str
    does_less: str
    events_max: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What a peer did; without a rate there is a reason."""

    peer: Peer
    events: int = 0
    seconds: float = 0.0
    version: str = ""
    reason: str = ""

    @property
    def events_per_second(self) -> float | None:
        """None when the peer could not run."""
        return None if self.reason or self.seconds <= 0 else self.events / self.seconds


PEERS = (
    Peer(
        name="faust_noop", title="faust, an agent that does nothing",
        does_less="reads values and headers only: no state, no dedupe, no SQL, nothing published",
    ),
    Peer(
        name="faust_table", title="faust, counting by key in a Table",
        does_less="one count per SKU in memory and changelog: no dedupe, no ledger, no view; an "
        "event is lost when its agent raises",
    ),
    Peer(
        name="quix_stateful", title="Quix Streams, counting by key in RocksDB",
        does_less="one count per SKU, local state and changelog once a second, the last checkpoint "
        "not waited for: no dedupe, no SQL ledger, no view",
    ),
    Peer(
        name="transaction_per_event", title="aiokafka + asyncpg, a transaction per event",
        does_less="ledger, dedupe, level and position, but no relay and no view; the first "
        f"{PER_EVENT_MAX:,} events",
        events_max=PER_EVENT_MAX,
    ),
)  # fmt: skip


def run_all(
    addresses: Addresses, events: int, names: Sequence[str], say: Callable[[str], None]
) -> list[Measured]:
    """Run the named peers one after the other, so that none takes the others' cores."""
    measured: list[Measured] = []
    for peer in PEERS:
        if peer.name not in names:
            measured.append(Measured(peer=peer, reason="not asked for (--peers)"))
            continue
        say(f"peer: {peer.title}")
        measured.append(run_one(peer, addresses, min(events, peer.events_max or events)))
    return measured


def run_one(peer: Peer, addresses: Addresses, events: int) -> Measured:
    """One peer, from its start to its line of JSON. A peer that cannot run says why."""
    if not PYTHON.exists():
        reason = "the peers' environment is missing: make .venv-bench/.bench"
        return Measured(peer=peer, reason=reason)
    log = FOLDER / "logs" / f"peer-{peer.name}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="stocktide-peer-") as folder, log.open("wb") as errors:
        command = [
            str(PYTHON), str(Path(__file__).parent / "peers" / f"{peer.name}.py"),
            addresses.kafka, STOCK_MOVEMENTS.name, str(STOCK_MOVEMENTS.partitions), str(events),
            str(SECONDS_MAX), folder,
        ]  # fmt: skip
        try:
            done = subprocess.run(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors,
                cwd=folder, timeout=SECONDS_MAX + START_SECONDS_MAX, check=False,
                env=_environment(addresses),
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            return Measured(peer=peer, reason=f"no result within {SECONDS_MAX:.0f} s")
    told = log.read_text(errors="replace").strip()[-REASON_LENGTH:]
    return judged(peer, done.returncode, done.stdout.decode(errors="replace"), told)


def judged(peer: Peer, status: int, output: str, errors: str) -> Measured:
    """The peer's last line of output as a measurement, or why it is none."""
    line = output.strip().rpartition("\n")[2]
    try:
        told = json.loads(line)
        events, seconds = int(told["events"]), float(told["seconds"])
    except (ValueError, KeyError, TypeError):
        return Measured(peer=peer, reason=f"ended with {status}, no result: {errors}")
    if events <= 0 or seconds <= 0:
        return Measured(peer=peer, reason=f"read nothing within its time: {errors}")
    return Measured(peer=peer, events=events, seconds=seconds, version=str(told.get("version", "")))


def _environment(addresses: Addresses) -> dict[str, str]:
    """The peers share no setting with the services but the database's address."""
    kept = {name: text for name, text in os.environ.items() if not name.startswith("STOCKTIDE_")}
    kept.pop("PYTHONPATH", None)
    return {**kept, "STOCKTIDE_POSTGRES": addresses.postgres}
