"""What a run ran on: a figure means little without it."""

import os
import platform
from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """Cores, memory in MiB, versions, and the load of others before the run (1, 5, 15 minutes)."""

    cores: int
    memory_mib: int
    system: str
    python: str
    load_before: tuple[float, float, float]

    def as_json(self) -> dict[str, object]:
        """For the report."""
        return asdict(self)


def cores() -> int:
    """How many of them this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def this_machine() -> Machine:
    """Look, before anything of the run is started."""
    pages, size = os.sysconf("SC_PHYS_PAGES"), os.sysconf("SC_PAGE_SIZE")
    return Machine(
        cores=cores(),
        memory_mib=pages * size // 2**20,
        system=f"{platform.system()} {platform.release()} {platform.machine()}",
        python=platform.python_version(),
        load_before=os.getloadavg(),
    )  # fmt: skip
