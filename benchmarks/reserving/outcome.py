"""What one phase of load came to; every program of load prints it as one line of JSON."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """Requests by their answer within `seconds`; times in milliseconds; `cpu_share` is the load's
    own use of one core. `ever_accepted` counts warm-up and late answers too, and `unheard` is how
    many requests were hung up on.
    """

    accepted: int
    refused: int = 0
    failed: int = 0
    seconds: float
    p50_ms: float | None = None
    p99_ms: float | None = None
    cpu_share: float | None = None
    version: str = ""
    ever_accepted: int = 0
    unheard: int = 0

    @property
    def per_second(self) -> float:
        """Answers a second, refusals among them: a refusal is a decision too."""
        return (self.accepted + self.refused) / self.seconds

    def line(self) -> str:
        """One line of JSON."""
        return json.dumps(asdict(self))


def read_outcome(output: str) -> Outcome:
    """The last line of a program's output. Raises ValueError where it is none."""
    try:
        return Outcome(**json.loads(output.strip().rpartition("\n")[2]))
    except TypeError as error:
        raise ValueError(str(error)) from error


def percentile(sorted_times: Sequence[float], percent: float) -> float | None:
    """The smallest time that so many percent do not exceed; None of nothing."""
    if not sorted_times:
        return None
    position = -(-len(sorted_times) * percent // 100) - 1
    return sorted_times[max(0, int(position))]
