"""The packed columns: levels and facts as availability keeps them, the view as Redis has it too.

All three are compact JSON. A view is two lines: what readers are shown, an object by channel that
HTTP hands on without reading it; and behind it the levels and the terms of the figures.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import NotRequired, TypedDict, cast

from pydantic_core import from_json, to_json

from services.availability.domain.facts import ALWAYS, NOTHING_KNOWN, Facts, Life, Part
from services.availability.domain.figures import Figure
from services.availability.domain.levels import Level, Levels
from services.availability.domain.plans import ChannelPlan, Plan
from services.availability.domain.views import Shown, View
from shared.stock.policies import Policy, Scope, Term

EMPTY = b"{}"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


# Pool, ring-fenced, short, unsourced, channel buffer, share per mille, max listed, end when.
PackedTerms = tuple[int, int, int, int, int, int | None, int | None, int]


class Behind(TypedDict):
    """The second line of a view. A level is [sellable, reserved, allocated]; terms are in
    the order of `PackedTerms`; buffers only where there are some, for channels that show locations.
    """

    levels: dict[str, tuple[int, int, int]]
    terms: dict[str, PackedTerms]
    policies: int
    buffers: NotRequired[dict[str, dict[str, int]]]


# A level as it was packed, whole: without the constructor, which costs three times as much.
_level = cast("Callable[[list[int]], Level]", partial(tuple.__new__, Level))


def pack_levels(levels: Levels) -> bytes:
    """Location → [version, sellable, reserved, allocated, suspended], and fences where some are."""
    # As lists: the encoder takes four times as long over a subclass of tuple.
    return to_json({name: [*level] for name, level in levels.items()})


def unpack_levels(packed: bytes) -> dict[str, Level]:
    """The levels of one SKU."""
    found = from_json(packed)
    return dict(zip(found, map(_level, found.values()), strict=True))


def pack_view(view: View, levels: Levels, plan: Plan, policies: int) -> bytes:
    """The bytes of a view; `policies` is the policy version that it was computed under."""
    behind = Behind(
        levels={name: (level[1], level[2], level[3]) for name, level in levels.items()},
        terms={
            figure.channel: _terms(figure, part)
            for figure, part in zip(view.figures, plan.channels, strict=True)
        },
        policies=policies,
    )
    buffers = {
        part.channel.channel: {
            name: part.places[name].buffer
            for name in figure.by_location
            if part.places[name].buffer
        }
        for figure, part in zip(view.figures, plan.channels, strict=True)
        if figure.by_location
    }
    if buffers := {channel: found for channel, found in buffers.items() if found}:
        behind["buffers"] = buffers
    return to_json(view.shown) + b"\n" + to_json(behind)


def _terms(figure: Figure, part: ChannelPlan) -> PackedTerms:
    terms = figure.terms
    return (
        terms.pool, terms.ring_fenced, terms.short, terms.unsourced, terms.channel_buffer,
        part.share_permille, part.max_listed, part.end_when,
    )  # fmt: skip


def shown_bytes(packed: bytes) -> bytes:
    """The first line: a JSON object by channel."""
    return packed.partition(b"\n")[0] or EMPTY


def unpack_shown(packed: bytes) -> dict[str, Shown]:
    """What each channel is shown."""
    return cast("dict[str, Shown]", from_json(shown_bytes(packed)))


def unpack_behind(packed: bytes) -> Behind:
    """The levels and terms that led to what is shown."""
    line = packed.partition(b"\n")[2]
    return cast("Behind", from_json(line)) if line else Behind(levels={}, terms={}, policies=0)


def pack_facts(facts: Facts) -> bytes:
    """Times are microseconds since 1970."""
    if facts == NOTHING_KNOWN:
        return EMPTY
    return to_json(
        {
            "lives": [
                (
                    life.revision, _us(life.begins), _us(life.ends), int(life.is_deleted),
                    life.category, life.segment, _us(life.sold_from), _us(life.sold_until),
                    int(life.is_recalled), *((life.kit,) if life.kit else ()),
                )
                for life in facts.lives.values()
            ],
            "policies": [
                (
                    policy.policy_id, policy.term, policy.value, _us(policy.begins),
                    _us(policy.ends),
                    (policy.scope.sku, policy.scope.location, policy.scope.location_group,
                     policy.scope.country, policy.scope.channel),
                )
                for policy in facts.policies.values()
            ],
        }
    )  # fmt: skip


def unpack_facts(packed: bytes) -> Facts:
    """The facts of one SKU."""
    if packed == EMPTY:
        return NOTHING_KNOWN
    found = from_json(packed)
    lives = [_life(life) for life in found["lives"]]
    policies = [_policy(policy) for policy in found["policies"]]
    return Facts(
        lives={life.begins or ALWAYS: life for life in lives},
        policies={policy.policy_id: policy for policy in policies},
    )


def _life(packed: Sequence[object]) -> Life:
    revision, begins, ends, is_deleted, category, segment, sold_from, sold_until, *rest = packed
    recalled, kit = (*rest, ())[:2]
    return Life(
        revision=cast("int", revision), begins=_moment(begins), ends=_moment(ends),
        is_deleted=bool(is_deleted), category=tuple(cast("list[str]", category)),
        segment=cast("str | None", segment), sold_from=_moment(sold_from),
        sold_until=_moment(sold_until), is_recalled=bool(recalled),
        kit=tuple(Part(*part) for part in cast("list[tuple[str, int]]", kit)),
    )  # fmt: skip


def _policy(packed: Sequence[object]) -> Policy:
    policy_id, term, value, begins, ends, scope = packed
    sku, location, group, country, channel = cast("list[str | None]", scope)
    return Policy(
        policy_id=cast("str", policy_id), term=Term(cast("str", term)), value=cast("int", value),
        begins=_moment(begins), ends=_moment(ends),
        scope=Scope(
            sku=sku, location=location, location_group=group, country=country, channel=channel
        ),
    )  # fmt: skip


def _us(moment: datetime | None) -> int | None:
    return None if moment is None else (moment - EPOCH) // timedelta(microseconds=1)


def _moment(us: object) -> datetime | None:
    return None if us is None else EPOCH + timedelta(microseconds=cast("int", us))


def moment_of(version: int) -> datetime:
    """A version is microseconds since 1970 of its transaction, or a little more."""
    return EPOCH + timedelta(microseconds=version)
