"""The port to a channel: what every connector offers, one module per protocol."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from services.publication.domain.capabilities import Descriptor
from services.publication.domain.outcomes import Outcome
from services.publication.domain.pacing import Heard
from services.publication.domain.wanting import Desired, Listing


class ChannelAway(Exception):  # noqa: N818  (it names what happened, like Fenced)
    """The channel could not be read; says how. `retry_after_seconds` is the channel's own word."""

    def __init__(self, reason: str, retry_after_seconds: float | None = None) -> None:
        super().__init__(reason)
        self.retry_after_seconds = retry_after_seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One outcome per listing of the call, and what the channel said of its budget."""

    outcomes: Mapping[int, Outcome]
    heard: Heard | None = None


class Connector(Protocol):
    """One shop behind one protocol. It keeps no state of its own but its connections."""

    @property
    def descriptor(self) -> Descriptor:
        """What the protocol can do, as configured for this shop."""
        ...

    def group_of(self, listing: Listing) -> str:
        """Listings of one group may share a call."""
        ...

    async def publish(self, batch: Sequence[Desired], key: str) -> Answer:
        """Tell up to `batch_max` listings of one group their values, once, within the timeout.

        Every listing gets an outcome, whatever happens; nothing is raised for what a channel
        does. `key` names the call where the protocol knows idempotency keys.
        """
        ...

    async def read_back(self, listings: Sequence[Listing]) -> Mapping[int, int | None]:
        """What up to `read_back_max` listings of one group show now, None where nothing.

        Raises ChannelAway when the channel cannot be read.
        """
        ...

    async def close(self) -> None:
        """Drop the connections."""
        ...


class DeferredConnector(Connector, Protocol):
    """A channel that takes a batch now and works it off later (`is_synchronous` is False)."""

    async def result(self, receipt: str, batch: Sequence[Desired]) -> Answer | None:
        """What became of an accepted batch; None while the channel is still at it.

        Raises ChannelAway when the channel cannot be asked.
        """
        ...


__all__ = ["Answer", "ChannelAway", "Connector", "DeferredConnector"]
