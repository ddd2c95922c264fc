"""Load by wrk, where it is installed: https://github.com/wg/wrk."""

import os
import re
import resource
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

from benchmarks.reserving.outcome import Outcome
from benchmarks.reserving.stock import CHANNEL, sku_of

PATIENCE_SECONDS = 20.0
SCRIPT = """
local number = 0
request = function()
  number = number + 1
  local body = string.format(
    '{"hold_id":"%s-%d","purpose":"cart","channel":"%s","ttl_seconds":3600,' ..
    '"lines":[{"sku":"%s","quantity":1}]}', '@RUN@', number, '@CHANNEL@',
    skus[number % #skus + 1])
  return wrk.format('POST', '/v1/holds', {['Content-Type'] = 'application/json'}, body)
end
"""
UNITS_IN_MS = {"us": 1e-3, "ms": 1.0, "s": 1e3}


def path() -> str | None:
    """Where wrk is."""
    return shutil.which("wrk")


def run(program: str, port: int, name: str, skus: int, connections: int, seconds: float) -> Outcome:
    """One thread, so that ids are its own; raises ValueError where its answer cannot be read.

    wrk hangs up on what is on its way at the end: that may be held, and is in no figure.
    """
    names = ",".join(f"'{sku_of(number)}'" for number in range(skus))
    script = f"skus = {{{names}}}\n" + SCRIPT.replace("@RUN@", name).replace("@CHANNEL@", CHANNEL)
    with tempfile.TemporaryDirectory(prefix="stocktide-wrk-") as folder:
        file = Path(folder) / "holds.lua"
        file.write_text(script)
        before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        done = subprocess.run(
            [program, "-t1", f"-c{connections}", f"-d{seconds:.0f}s", "--latency", "-s", str(file),
             f"http://127.0.0.1:{port}"],
            capture_output=True, text=True, check=False, timeout=seconds + PATIENCE_SECONDS,
            env={**os.environ, "LC_ALL": "C"},
        )  # fmt: skip
        took = time.perf_counter() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return read(done.stdout, spent / took, connections)


def read(output: str, cpu_share: float, connections: int) -> Outcome:
    """What wrk printed. Raises ValueError where it is something else."""
    total = re.search(r"(\d+) requests in ([\d.]+)(us|ms|s|m)", output)
    latencies = dict(re.findall(r"^\s+(50|99)%\s+([\d.]+(?:us|ms|s))$", output, re.MULTILINE))
    if total is None or total[3] != "s" or len(latencies) != 2:
        raise ValueError(f"wrk said: {output[-400:]!r}")
    refused = re.search(r"Non-2xx or 3xx responses: (\d+)", output)
    broken = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+)", output)
    bad = int(refused[1]) if refused else 0
    accepted = int(total[1]) - bad
    return Outcome(
        accepted=accepted, ever_accepted=accepted, unheard=connections, refused=bad,
        failed=sum(map(int, broken.groups())) if broken else 0, seconds=float(total[2]),
        p50_ms=_milliseconds(latencies["50"]), p99_ms=_milliseconds(latencies["99"]),
        cpu_share=cpu_share, version="wrk",
    )  # fmt: skip


def _milliseconds(text: str) -> float:
    number, unit = re.fullmatch(r"([\d.]+)(us|ms|s)", text).groups()  # type: ignore[union-attr]  # found by the same pattern
    return float(number) * UNITS_IN_MS[unit]
