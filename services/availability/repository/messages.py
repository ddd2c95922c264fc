"""States to messages: what availability-v1 says of a SKU through a channel."""

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

from pydantic_core import to_json

from services.availability.domain.levels import NO_LEVEL, Level
from services.availability.domain.views import Shown
from services.availability.repository import packing
from services.availability.repository.packing import Behind
from shared.contracts.cloudevents import headers_for
from shared.contracts.topics import AVAILABILITY
from shared.kafka.producing import Headers, Outgoing

SOURCE = "stocktide:availability"


class State(NamedTuple):
    """One SKU's row as far as it is told: `levels` and `view` are packed."""

    sku: str
    partition: int
    version: int
    levels: bytes
    view: bytes


def messages_of(state: State, channels: Sequence[str]) -> Iterator[Outgoing]:
    """A message for each of these channels that the SKU has a figure for.

    Its version is that at which what is shown last changed, so that the same content is always
    told under the same version.
    """
    shown = packing.unpack_shown(state.view)
    behind = packing.unpack_behind(state.view)
    levels: dict[str, Level] = {}
    if any("by_location" in shown[channel] for channel in channels if channel in shown):
        levels = packing.unpack_levels(state.levels)
    for channel in channels:
        if channel in shown:
            yield _message(state, channel, shown[channel], behind, levels)


def _message(
    state: State, channel: str, shown: Shown, behind: Behind, levels: dict[str, Level]
) -> Outgoing:
    # Built by hand: a model per message costs three times as much. A test decodes every shape
    # of what comes out of here with the contract's model.
    version = shown["version"]
    value: dict[str, object] = {
        "channel": channel,
        "sku": state.sku,
        "version": version,
        "available_to_sell": shown["available_to_sell"],
        "terms": _terms(*behind["terms"][channel]),
        "policy_version": behind["policies"],
        "computed_at": _moment_text(version),
    }
    if "by_location" in shown:
        buffers = behind.get("buffers", {}).get(channel, {})
        value["by_location"] = [
            {
                "location": location,
                "free": (level := levels.get(location, NO_LEVEL)).free,
                "buffer": buffers.get(location, 0),
                "offered": offered,
                "level_version": level.version,
            }
            for location, offered in shown["by_location"].items()
        ]
    if "by_method" in shown:
        value["by_method"] = shown["by_method"]
    if shown.get("closed"):
        value["closed"] = True
    key = f"{channel}|{state.sku}"
    headers = [("ce_id", f"{key}@{version}".encode()), *_headers(version)]
    return Outgoing(
        topic=AVAILABILITY.name,
        partition=state.partition,
        key=key.encode(),
        value=to_json(value),
        headers=headers,
    )


# A batch's figures share one version: its texts are made once.
@lru_cache(maxsize=64)
def _moment_text(version: int) -> str:
    return packing.moment_of(version).isoformat()


@lru_cache(maxsize=64)
def _headers(version: int) -> Headers:
    """Every header but the id."""
    made = headers_for(
        id_="-", source=SOURCE, type_=AVAILABILITY.ce_type, time=packing.moment_of(version)
    )
    return [header for header in made if header[0] != "ce_id"]


def _terms(
    pool: int,
    ring_fenced: int,
    short: int,
    unsourced: int,
    channel_buffer: int,
    share_permille: int | None,
    max_listed: int | None,
    end_when: int,
) -> dict[str, int]:
    """The contract's terms; what stands at its default is left out."""
    terms = {"pool": pool}
    if ring_fenced:
        terms["ring_fenced"] = ring_fenced
    if short:
        terms["short"] = short
    if unsourced:
        terms["unsourced"] = unsourced
    if channel_buffer:
        terms["channel_buffer"] = channel_buffer
    if share_permille is not None:
        terms["share_permille"] = share_permille
    if max_listed is not None:
        terms["max_listed"] = max_listed
    if end_when:
        terms["end_when"] = end_when
    return terms
