"""Programs of load and peers: each a process of its own that prints one line of JSON."""

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.reserving.outcome import Outcome, read_outcome
from benchmarks.stack import FOLDER, ROOT

SECONDS_MAX = 900.0
REASON_LENGTH = 400


def ran(
    name: str, command: Sequence[str], environment: Mapping[str, str], *, folder: Path = ROOT
) -> Outcome:
    """Run a program to its line of JSON. Raises ValueError with what it said where it has none."""
    log = FOLDER / "logs" / f"{name}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as errors:
        try:
            done = subprocess.run(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors,
                cwd=folder, env={**os.environ, **environment}, check=False, timeout=SECONDS_MAX,
            )  # fmt: skip
        except subprocess.TimeoutExpired as error:
            raise ValueError(f"no result within {SECONDS_MAX:.0f} s") from error
    try:
        return read_outcome(done.stdout.decode(errors="replace"))
    except ValueError as error:
        told = log.read_text(errors="replace").strip()
        named = [line.strip() for line in told.splitlines() if "Error: " in line]
        why = (named[-1] if named else told)[-REASON_LENGTH:]
        raise ValueError(f"ended with {done.returncode}, no result: {why} (see {log})") from error
