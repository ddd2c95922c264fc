"""Exit statuses of the `stocktide` command, and the error that carries one with its way out."""

from enum import IntEnum


class Exit(IntEnum):
    """What a finished command tells its caller."""

    OK = 0
    FAILED = 1
    """Something did not work, or an invariant of the demo does not hold."""
    USAGE = 2
    """Wrong flags or arguments, an unreadable or wrong file, rows of a file that are refused."""
    NOT_RUNNING = 3
    """The command needs a running stack, or one that is ready."""
    REFUSED = 4
    """The command would touch data that it was not told to touch, or a stack that is in use."""
    NO_SERVERS = 5
    """Kafka, PostgreSQL or Redis cannot be had."""
    NOT_FOUND = 6
    """Nobody knows the SKU, the message, the service."""
    INTERRUPTED = 130
    """Ended by Ctrl-C before it was done."""


class CommandError(Exception):
    """A command that cannot go on: what is wrong, and the way out."""

    def __init__(self, problem: str, way_out: str, status: Exit = Exit.FAILED) -> None:
        super().__init__(f"{problem} {way_out}")
        self.problem = problem
        self.way_out = way_out
        self.status = status
