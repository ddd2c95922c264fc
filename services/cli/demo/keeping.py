"""What one run of the demo leaves for the next: where it stopped, or nothing at all."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

FILE = "run.json"


@dataclass(frozen=True, slots=True)
class Progress:
    """The next line to replay, and whether the world is open already."""

    next_line: int = 0
    is_open: bool = False


def read(folder: Path) -> Progress:
    """Where the last run stopped; the beginning when there is none."""
    try:
        return Progress(**json.loads((folder / FILE).read_text()))
    except (OSError, ValueError, TypeError):
        return Progress()


def forget(folder: Path) -> None:
    """The next run begins anew."""
    (folder / FILE).unlink(missing_ok=True)


def write(folder: Path, progress: Progress) -> None:
    """Remember where this run stopped."""
    (folder / FILE).write_text(json.dumps(asdict(progress)))
