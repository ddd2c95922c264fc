"""The bench of holds: its report, what it reads of wrk, a client that counts what it is told."""

import asyncio
import json
from dataclasses import replace

import pytest
from rich.console import Console

from benchmarks.invariants import Invariant
from benchmarks.machine import Machine
from benchmarks.reserving import load, wrk
from benchmarks.reserving.outcome import Outcome, percentile, read_outcome
from benchmarks.reserving.peers import PEERS, PeerOutcome, run_all
from benchmarks.reserving.run import Options, Reserved, report
from benchmarks.reserving.table import goals, show_holds
from shared.runtime.infrastructure import Addresses

MACHINE = Machine(cores=2, memory_mib=1, system="x", python="3", load_before=(0.1, 0.2, 0.3))
HOLDS = Invariant(name="x", checked=1, violations=0)


def an_outcome(per_second: int, p99_ms: float = 1.0) -> Outcome:
    return Outcome(accepted=per_second * 2, seconds=2.0, p50_ms=0.5, p99_ms=p99_ms, cpu_share=0.1)


FOUND = Reserved(
    options=Options(), saturated=an_outcome(6_000, 20.0), steady=an_outcome(500, 4.0),
    hot_http=an_outcome(4_000), hot_inside=an_outcome(31_000, 2.0), scarce=an_outcome(1),
    peers=(
        PeerOutcome(peer=PEERS[0], many=an_outcome(10), hot=an_outcome(2, 9.0)),
        PeerOutcome(peer=PEERS[1], hot=an_outcome(7)),
        PeerOutcome(peer=PEERS[2], reason="Node.js is missing"),
    ),
    invariants=(HOLDS,),
)  # fmt: skip
WRK = """\
Running 10s test @ http://127.0.0.1:8712
  1 threads and 64 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency    11.02ms    3.70ms  71.45ms   90.11%
    Req/Sec     5.86k   611.73     6.85k    79.00%
  Latency Distribution
     50%   10.21ms
     75%   11.90ms
     90%   14.06ms
     99%    1.24s
  58328 requests in 10.01s, 24.55MB read
  Non-2xx or 3xx responses: 28
Requests/sec:   5827.90
Transfer/sec:      2.45MB
"""


def test_the_report_has_what_was_promised_and_null_for_a_peer_that_did_not_run() -> None:
    told = json.loads(json.dumps(report(FOUND, MACHINE)))

    assert told["ours"] == {
        "http_per_second": 6_000, "http_p99_ms": 4.0, "http_p99_saturated_ms": 20.0,
        "hot_http_per_second": 4_000, "hot_http_p99_ms": 1.0,
        "hot_in_process_per_second": 31_000, "hot_in_process_p99_ms": 2.0,
    }  # fmt: skip
    assert told["peers"] == {
        "transaction": {
            "many_per_second": 10, "many_p99_ms": 1.0, "hot_per_second": 2, "hot_p99_ms": 9.0,
        },
        "redis_gate": {"hot_per_second": 7, "hot_p99_ms": 1.0},
        "medusa": None,
    }  # fmt: skip
    assert told["peers_detail"]["medusa"]["reason"] == "Node.js is missing"
    assert (told["oversold_units"], told["invariants_hold"]) == (0, True)


def test_one_broken_invariant_breaks_the_run() -> None:
    broken = replace(FOUND, invariants=(HOLDS, replace(HOLDS, violations=1)))

    assert report(broken, MACHINE)["invariants_hold"] is False


def test_each_goal_is_told_with_how_far_the_run_came() -> None:
    lines = list(goals(FOUND))

    assert [line.split(": ")[-1].split(" (")[0] for line in lines] == [
        "reached", "missed", "reached", "beyond", "reached",
    ]  # fmt: skip


def test_the_table_names_every_peer_and_why_one_did_not_run() -> None:
    console = Console(width=200, record=True)

    show_holds(console, FOUND, MACHINE)

    text = console.export_text()
    assert "6,000" in text
    assert "did not run: Node.js is missing" in text


def test_what_wrk_says_is_read() -> None:
    told = wrk.read(WRK, cpu_share=0.2, connections=64)

    assert (told.accepted, told.refused, told.failed, told.unheard) == (58_300, 28, 0, 64)
    assert (told.seconds, told.p50_ms, told.p99_ms) == (10.01, 10.21, 1240.0)
    assert told.per_second == pytest.approx(58_328 / 10.01)


@pytest.mark.parametrize("output", ["", "unable to connect", WRK.replace("99%", "98%")])
def test_what_is_no_result_of_wrk_is_none(output: str) -> None:
    with pytest.raises(ValueError, match="wrk said"):
        wrk.read(output, cpu_share=0.2, connections=64)


@pytest.mark.parametrize(
    ("times", "percent", "expected"),
    [([], 99, None), ([3.0], 99, 3.0), (list(range(1, 101)), 99, 99), ([1, 2, 3, 4], 50, 2)],
)
def test_a_percentile_is_the_smallest_time_that_so_many_do_not_exceed(
    times: list[float], percent: float, expected: float | None
) -> None:
    assert percentile(times, percent) == expected


@pytest.mark.parametrize("output", ["", "no json", "[]", '{"accepted": 1}', '{"nonsense": 1}'])
def test_a_program_without_a_result_is_an_error(output: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        read_outcome(output)


def test_medusa_is_null_where_there_is_no_node(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    nowhere = Addresses(kafka="-", postgres="-", redis="-")

    found = run_all(nowhere, ["medusa"], 10, 2, 1, lambda _: None)

    assert {one.peer.name: one.reason for one in found} == {
        "transaction": "not asked for (--peers)", "redis_gate": "not asked for (--peers)",
        "medusa": "Node.js is not installed",
    }  # fmt: skip


@pytest.mark.parametrize("rate", [None, 200.0])
async def test_the_client_counts_what_it_was_told(
    rate: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(load, "WARM_UP_SECONDS", 0.1)
    statuses: list[int] = []
    ids: list[str] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
                ids.append(json.loads(await reader.readexactly(length))["hold_id"])
                status = 409 if len(statuses) % 5 == 0 else 201
                statuses.append(status)
                body = b"x" * (len(statuses) % 3 * 1_000)
                told = f"HTTP/1.1 {status} X\r\nContent-Length: {len(body)}\r\n\r\n".encode()
                writer.write(told[:20])
                await writer.drain()
                writer.write(told[20:] + body)
        except asyncio.IncompleteReadError:
            writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server:
        told = await load.run(port, "run", 7, 3, 4, 0.5, rate)

    assert told.failed == 0
    assert told.ever_accepted == statuses.count(201)
    assert 0 < told.accepted <= statuses.count(201)
    assert 0 < told.refused <= statuses.count(409)
    assert len(set(ids)) == len(ids), "every request has an id of its own"
    assert told.p99_ms is not None
    assert told.p99_ms > 0
