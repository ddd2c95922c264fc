"""Processes that outlive a record of them: recognised by pid and start time, ended with a bound."""

import os
import signal
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

END_SECONDS = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessRecord:
    """A pid and when its process began (seconds since 1970): a pid alone may be reused."""

    pid: int
    created: float

    def __post_init__(self) -> None:
        assert self.pid > 1, self.pid


def record_of(pid: int) -> ProcessRecord | None:
    """The record of a living process; None if there is none."""
    import psutil  # only the embedded servers need it

    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return None
        return ProcessRecord(pid=pid, created=process.create_time())
    except psutil.Error:
        return None


def is_alive(record: ProcessRecord) -> bool:
    """Whether that very process still runs."""
    found = record_of(record.pid)
    return found is not None and abs(found.created - record.created) < 1.0


def end(record: ProcessRecord, *, number: int = signal.SIGKILL) -> None:
    """Send `number`, wait at most END_SECONDS, then kill. A process that is gone is no error."""
    import psutil

    if not is_alive(record):
        return
    with suppress(psutil.NoSuchProcess):
        process = psutil.Process(record.pid)
        process.send_signal(number)
        try:
            process.wait(END_SECONDS)
        except psutil.TimeoutExpired:
            process.kill()
            process.wait(END_SECONDS)


def end_all_in(folder: Path) -> None:
    """Kill what still runs with `folder` as its working directory, except ourselves.

    PostgreSQL's processes all stand in their data folder; a backend that outlives its postmaster
    keeps the shared memory, and the next start would be refused.
    """
    import psutil

    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            if process.pid != os.getpid() and process.cwd() == str(folder.resolve()):
                process.kill()
                found.append(process)
    psutil.wait_procs(found, END_SECONDS)
