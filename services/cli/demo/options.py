"""What is asked of a run of the demo; light, since nothing else is read before servers start."""

import re
from dataclasses import dataclass
from pathlib import Path

from services.cli.exits import CommandError, Exit
from services.cli.texts import tr

DURATION = re.compile(r"^(\d+(?:\.\d+)?)(s|m|h)?$")
SECONDS = {"s": 1, "m": 60, "h": 3600, None: 1}


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What was asked for; `began` is the monotonic moment of the command itself."""

    source: str
    seconds: float | None
    report: Path | None
    speed: float
    keep: bool
    began: float


def seconds_of(duration: str) -> float:
    """`60s`, `5m`, `90` (seconds). Raises CommandError for anything else, and for nothing."""
    match = DURATION.match(duration.strip())
    seconds = float(match[1]) * SECONDS[match[2]] if match else 0.0
    if seconds <= 0:
        raise CommandError(
            tr("--for {duration!r} is no length of time.", duration=duration),
            tr("Write 60s, 5m or 1h."),
            Exit.USAGE,
        )
    return seconds


def require_writable(path: Path) -> None:
    """Refuse a report that could not be written, before a minute is spent on it. Raises
    CommandError.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a"):
            pass
    except OSError as error:
        raise CommandError(
            tr(
                "The report cannot be written to {path}: {strerror}.",
                path=path,
                strerror=error.strerror,
            ),
            tr("Name another file with --report."),
            Exit.USAGE,
        ) from error


def require_speed(speed: float) -> None:
    """Raises CommandError for a speed that no replay could have."""
    if not 0 < speed <= 10_000_000:
        raise CommandError(
            tr("--speed {speed} makes no sense.", speed=speed),
            tr("Write a number such as 40000."),
            Exit.USAGE,
        )
