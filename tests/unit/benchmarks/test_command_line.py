"""The command line says what it can do, and refuses what it can't."""

from pathlib import Path

import pytest

from benchmarks.__main__ import main, parser
from benchmarks.peering import PEERS


def test_help_names_both_benchmarks_and_an_example(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--help"])

    told = capsys.readouterr().out
    assert ended.value.code == 0
    assert "drain" in told
    assert "latency" in told
    assert "--report latency.json" in told


def test_the_defaults_are_those_of_the_goals() -> None:
    drain = parser().parse_args(["drain"])
    latency = parser().parse_args(["latency"])

    assert (drain.events, drain.skus * drain.locations) == (300_000, 100_000)
    assert (latency.rate, latency.seconds, latency.warm_up) == (1_000, 60, 10)


@pytest.mark.parametrize("events", ["0", "-1", "1000001", "many"])
def test_a_size_out_of_bounds_is_refused(events: str) -> None:
    with pytest.raises(SystemExit) as ended:
        parser().parse_args(["drain", "--events", events])

    assert ended.value.code == 2


def test_peers_are_named_or_none_is_run() -> None:
    every = parser().parse_args(["drain"]).peers
    one = parser().parse_args(["drain", "--peers", "faust_noop"]).peers
    none = parser().parse_args(["drain", "--peers", "none"]).peers

    assert every == [peer.name for peer in PEERS]
    assert (one, none) == (["faust_noop"], [])


def test_an_unknown_peer_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        parser().parse_args(["drain", "--peers", "kafka_streams"])

    assert ended.value.code == 2
    assert "quix_stateful" in capsys.readouterr().err


def test_a_report_into_a_missing_folder_is_refused_before_anything_starts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status = main(["drain", "--report", str(tmp_path / "missing" / "drain.json")])

    assert status == 2
    assert "is no folder" in capsys.readouterr().out
