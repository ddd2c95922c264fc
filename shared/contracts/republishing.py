"""Asking for every state of a topic again: what a reader does that starts from nothing."""

from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import Field

from .fields import Code, Moment
from .records import Message


class RepublishState(StrEnum):
    """How far a request is."""

    ASKED = "asked"
    TOLD = "told"
    """Every state that there was has been acknowledged by Kafka since it was asked for."""


class Republish(Message):
    """A request by a reader, and then its answer by the topic's owner under the same key.

    A compacted topic is a delivery, never a source of truth: a state may be missing from it. Who
    builds from nothing reads the topic, asks, and is ready once it has read what was there when
    the answer came.
    """

    KEY: ClassVar = ("topic", "asked_by")
    PARTITION_KEY: ClassVar = ("topic",)

    topic: Code
    """Whose states are wanted: `stock-levels-v1`."""
    asked_by: Code
    """The service that asks."""
    request_id: Annotated[str, Field(pattern=r"^[0-9a-f-]{1,64}$")]
    """New for each time that a reader starts from nothing; asked twice, it is one request."""
    state: RepublishState
    at: Moment
