"""The reports have the fields that were promised, and never a figure that wasn't measured."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks import drain, latency, peering
from benchmarks.drain import Drained
from benchmarks.invariants import Invariant
from benchmarks.latency import Timed
from benchmarks.machine import Machine
from benchmarks.matching import Scheduled
from benchmarks.pacing import Load
from benchmarks.pacing import Sent as SentLoad
from benchmarks.peering import PEERS, Measured
from benchmarks.publishing import Sent
from shared.runtime.infrastructure import Addresses

MACHINE = Machine(cores=2, memory_mib=1, system="x", python="3", load_before=(0.1, 0.2, 0.3))
HOLDS = Invariant(name="x", checked=1, violations=0)
BROKEN = Invariant(name="y", checked=1, violations=1)
DRAINED = Drained(
    events=1000, distinct=900, late=20, seconds=2.0, since_first_batch=1.6, ledger_seconds=1.5,
    publishing=Sent(seconds=0.1, bytes=1), kept_partitions=True, invariants=(HOLDS,),
)  # fmt: skip
TIMED = Timed(
    load=Load(rate=10, seconds=3, skus=1), warm_up_seconds=1, events=4,
    times_us=(1_000, 2_000, 3_000, 9_500), calls=2, quantities=3,
    sent=SentLoad(events=[Scheduled(1, 1)], lateness_ms_max=1.0, lateness_ms_p99=0.5),
    services=("a",), stages=(), invariants=(HOLDS,),
)  # fmt: skip


def test_the_drain_report_has_our_rate_every_peer_and_the_invariants() -> None:
    peers = [Measured(peer=peer, events=100, seconds=0.5) for peer in PEERS]

    told = drain.report(DRAINED, peers, MACHINE)

    assert told["ours_events_per_second"] == 500
    assert told["peers"] == {
        "faust_noop": 200, "faust_table": 200, "quix_stateful": 200, "transaction_per_event": 200,
    }  # fmt: skip
    assert told["invariants_hold"] is True
    assert json.loads(json.dumps(told))["machine"]["load_before"] == [0.1, 0.2, 0.3]


def test_a_peer_that_did_not_run_is_null_with_its_reason() -> None:
    told = json.loads(
        json.dumps(drain.report(DRAINED, [Measured(peer=PEERS[0], reason="no broker")], MACHINE))
    )

    assert told["peers"] == {"faust_noop": None}
    assert told["peers_detail"]["faust_noop"]["reason"] == "no broker"


def test_one_broken_invariant_breaks_the_run() -> None:
    broken = replace(DRAINED, invariants=(HOLDS, BROKEN))

    assert drain.report(broken, [], MACHINE)["invariants_hold"] is False


def test_the_latency_report_has_its_percentiles_and_counts() -> None:
    told = latency.report(TIMED, MACHINE)

    assert (told["p50_ms"], told["p99_ms"], told["max_ms"]) == (2.0, 9.5, 9.5)
    assert (told["events"], told["measured"], told["calls"]) == (4, 4, 2)


def test_a_run_that_measured_nothing_has_no_figures() -> None:
    told = json.loads(json.dumps(latency.report(replace(TIMED, times_us=()), MACHINE)))

    assert (told["p50_ms"], told["p99_ms"], told["max_ms"]) == (None, None, None)
    assert told["measured"] == 0


def test_a_peer_without_its_environment_says_how_to_make_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(peering, "PYTHON", tmp_path / "python")
    addresses = Addresses(kafka="x:1", postgres="postgresql://x", redis="redis://x")

    measured = peering.run_one(PEERS[0], addresses, 10)

    assert measured.events_per_second is None
    assert "make .venv-bench/.bench" in measured.reason


@pytest.mark.parametrize("peer", PEERS, ids=lambda peer: str(peer.name))
def test_every_peer_has_a_program_and_says_what_it_does_less(peer: peering.Peer) -> None:
    program = Path(peering.__file__).parent / "peers" / f"{peer.name}.py"

    assert program.exists()
    assert peer.does_less
