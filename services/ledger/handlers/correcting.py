"""Corrections and cancellations of facts in a batch: what of each holds, as rows to be posted."""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

import asyncpg
from asyncpg.pgproto import pgproto

from services.ledger.domain.corrections import (
    UNTOLD,
    Content,
    Fate,
    State,
    Telling,
    compensations,
    merge,
    rank_of,
    tell,
)
from services.ledger.handlers.booking import took_by
from services.ledger.handlers.movements import anchored_account, details_of, numbered_sides
from services.ledger.handlers.outcome import CorrectedError, Outcome
from services.ledger.handlers.reading import MOVES_ORDER_LINE, Fact, conflict, names_of, revision_of
from services.ledger.repository import facts
from services.ledger.repository.anchors import ADJUSTMENT, PICKED
from services.ledger.repository.lines import Consumed
from services.ledger.repository.posting import Columns, Posted
from services.ledger.repository.references import Known, LevelKey
from shared.contracts.identity import derived_id
from shared.postgres.connecting import Connection


class Told(NamedTuple):
    """One message of the batch about a fact: its own id, the fact's, and what it speaks of."""

    fact: Fact
    event_id: UUID
    fact_id: UUID
    content: Content

    @property
    def telling(self) -> Telling:
        movement = self.fact.movement
        return Telling(
            self.event_id, self.fact_id,
            rank_of(revision_of(self.fact), corrects=movement.corrects is not None),
            None if movement.reverses is not None else self.content,
        )  # fmt: skip

    @property
    def ids(self) -> list[UUID]:
        """The ids that nobody else may post under. A cancellation is none of the fact itself."""
        own = () if self.fact.movement.reverses is not None else (self.event_id,)
        return [*own, self.fact_id]


@dataclass(slots=True)
class Held:
    """Facts that a batch corrects, locked: by the fact that they turn out to be."""

    told: dict[UUID, list[Fact]] = field(default_factory=dict)
    states: dict[UUID, list[State]] = field(default_factory=dict)
    posted: frozenset[UUID] = frozenset()  # ids of these facts that stand in movements already


@dataclass(slots=True)
class Corrected:
    """What the corrections of a batch come to: rows, anchors taken away and set, lines changed."""

    rows: list[tuple[UUID, Content]] = field(default_factory=list)
    derived: set[UUID] = field(default_factory=set)
    removed: list[tuple[State, UUID]] = field(default_factory=list)  # anchors; the id of the entry
    anchors: list[Fact] = field(default_factory=list)
    moved: list[tuple[Content, int]] = field(default_factory=list)  # −1: taken back, 1: put
    consumed: list[Consumed] = field(default_factory=list)
    sku_ids: set[int] = field(default_factory=set)
    states: list[State] = field(default_factory=list)
    names: dict[UUID, UUID] = field(default_factory=dict)
    merged: dict[UUID, UUID] = field(default_factory=dict)

    @property
    def columns(self) -> Columns:
        """The rows as they are posted."""
        found = Columns()
        for event_id, row in self.rows:
            found.ids.append(pgproto.UUID(event_id.bytes))
            found.types.append(row.type)
            found.quantities.append(row.quantity)
            found.from_levels.append(row.from_level)
            found.from_accounts.append(row.from_account)
            found.to_levels.append(row.to_level)
            found.to_accounts.append(row.to_account)
            found.occurred.append(row.occurred_at)
            found.sources.append(row.source_id)
            found.details.append(row.details)
            found.partitions.append(None)
            found.offsets.append(None)
        return found

    @property
    def levels(self) -> set[int]:
        """Every level that is concerned."""
        sides = {(row.from_level, row.to_level) for row, _ in self.moved}
        return {level for both in sides for level in both if level is not None}


async def hold(connection: Connection, corrections: Sequence[Fact], news: Collection[UUID]) -> Held:
    """Lock the facts that are corrected, and read how they stand.

    Raises CorrectedError where `news`, ids that the batch is about to post, are of these facts, and
    what a batch is run again for where two facts have turned out to be one meanwhile.
    """
    pairs = [names_of(fact) for fact in corrections]
    ids = {one for pair in pairs for one in pair}
    known_as = await facts.roots(connection, ids)
    found = {known_as.get(one, one) for one in ids}
    locked = await facts.lock(connection, found)
    if len(locked) < len(found) or await facts.roots(connection, ids) != known_as:
        raise asyncpg.SerializationError("two facts have become one meanwhile: run again")
    if again := (ids | found).intersection(news):
        raise CorrectedError(again)
    posted = await facts.posted(connection, ids | found)
    together = _together([(known_as.get(a, a), known_as.get(b, b)) for a, b in pairs])
    held = Held(posted=frozenset(posted))
    for fact, (own, _) in zip(corrections, pairs, strict=True):
        held.told.setdefault(together[known_as.get(own, own)], []).append(fact)
    for one, state in locked.items():
        held.states.setdefault(together[one], []).append(_as_posted(state, posted))
    return held


def _as_posted(state: State, posted: Mapping[UUID, tuple[int, Content]]) -> State:
    """A fact that was never corrected stands as it was posted."""
    if state.rank > UNTOLD or state.is_cancelled or state.fact_id not in posted:
        return state
    revision, content = posted[state.fact_id]
    return state._replace(
        rank=rank_of(revision, corrects=False), content=content, entry_id=state.fact_id
    )


def _together(pairs: Sequence[tuple[UUID, UUID]]) -> dict[UUID, UUID]:
    """Which facts are one, each by the first of its ids."""
    found: dict[UUID, UUID] = {}
    for one, other in pairs:
        a, b = found.setdefault(one, one), found.setdefault(other, other)
        kept, gone = min(a, b), max(a, b)
        for name, held in found.items():
            if held == gone:
                found[name] = kept
    return found


async def settle(
    connection: Connection,
    held: Held,
    known: Known,
    levels: Mapping[LevelKey, int],
    outcome: Outcome,
) -> Corrected:
    """What holds of each fact, and what leads there; the facts are locked."""
    corrected = Corrected()
    for root, messages in held.told.items():
        told = [_told(fact, known, levels) for fact in messages]
        _settle_one(root, told, held, corrected, outcome)
    names = await facts.skus_of(connection, corrected.levels)
    corrected.sku_ids = {sku_id for sku_id, _ in names.values()}
    for content, sign in sorted(corrected.moved, key=lambda pair: pair[1]):
        if (consumed := _consumed(content, sign, names)) is not None:
            corrected.consumed.append(consumed)
    return corrected


def _told(fact: Fact, known: Known, levels: Mapping[LevelKey, int]) -> Told:
    movement = fact.movement
    own, named = names_of(fact)
    if movement.type.value in ("opening", "count"):
        level, account, _ = anchored_account(fact, known, levels)
        sides: tuple[int | None, int, int | None, int] = (None, ADJUSTMENT, level, account)
    else:
        sides = numbered_sides(fact, known, levels)
    content = Content(
        movement.type.value, movement.quantity, *sides, fact.moment, known.sources[fact.source],
        details_of(movement),
    )  # fmt: skip
    return Told(fact, own, named, content)


def _settle_one(
    root: UUID, told: Sequence[Told], held: Held, corrected: Corrected, outcome: Outcome
) -> None:
    states = held.states[root]
    before = merge(states)._replace(fact_id=root)
    after, holder = _tell_all(before, told, outcome)
    for state in states:
        holds = before.content is not None and state.entry_id == before.entry_id
        if state.content is not None and not holds:
            _take_back(state, corrected)
    used: set[UUID] = set()
    if before.content != after.content:
        after = after._replace(entry_id=_lead(root, before, after, holder, held, corrected, used))
    for one in told:
        for id_ in set(one.ids) - held.posted - used:
            used.add(id_)
            corrected.rows.append((id_, _nothing(one.content, root)))
    corrected.states.append(after)
    corrected.merged |= {state.fact_id: root for state in states if state.fact_id != root}
    ids = {*(id_ for one in told for id_ in one.ids), *(s.fact_id for s in states), after.entry_id}
    corrected.names |= {id_: root for id_ in ids if id_ is not None and id_ != root}


def _tell_all(state: State, told: Sequence[Told], outcome: Outcome) -> tuple[State, Told | None]:
    """The fact after these messages, and the last of them that holds."""
    holder = None
    for one in told:
        rank = state.rank
        state, fate = tell(state, one.telling)
        if fate is Fate.HOLDS:
            outcome.posted += 1
            holder = one
        elif fate is Fate.STALE:
            outcome.duplicates += 1
        else:
            outcome.refusals.append(conflict(one.fact.message, rank // 2))
    return state, holder


def _lead(
    root: UUID,
    before: State,
    after: State,
    holder: Told | None,
    held: Held,
    corrected: Corrected,
    used: set[UUID],
) -> UUID | None:
    """Rows that lead from what was posted to what holds; the id under which that is posted."""
    old, new = before.content, after.content
    if old is not None and new is not None and old.says(new):
        corrected.moved += [(old, -1), (new, 1)]  # it may serve another order line
        return before.entry_id
    if old is not None and (new is None or old.is_anchor or new.is_anchor):
        _take_back(before, corrected)
        old = None
    if new is None:
        return None
    assert holder is not None, "what holds newly was told in this batch"
    if old is None:
        entry_id = holder.event_id
        if entry_id in held.posted:
            entry_id = _derived(root, holder.event_id, f"correction {after.rank}", new.occurred_at)
            corrected.derived.add(entry_id)
            new = _compensating(new, root)
        used.add(entry_id)
        corrected.moved.append((new, 1))
        if new.is_anchor:
            corrected.anchors.append(holder.fact._replace(event_id=pgproto.UUID(entry_id.bytes)))
        else:
            corrected.rows.append((entry_id, new))
        return entry_id
    corrected.moved += [(old, -1), (new, 1)]
    entry_id = holder.event_id
    for number, row in enumerate(compensations(old, new)):
        assert before.entry_id is not None, before
        entry_id = _derived(
            before.entry_id, holder.event_id, f"correction {after.rank} {number}", row.occurred_at
        )
        corrected.derived.add(entry_id)
        corrected.rows.append((entry_id, _compensating(row, root)))
    return entry_id


def _take_back(state: State, corrected: Corrected) -> None:
    """What a fact has moved is moved back: once, so that its id is made of what it takes back."""
    content = state.content
    assert content is not None, state
    assert state.entry_id is not None, state
    entry_id = _derived(state.fact_id, state.entry_id, "taken back", content.occurred_at)
    corrected.derived.add(entry_id)
    corrected.moved.append((content, -1))
    if content.is_anchor:
        corrected.removed.append((state, entry_id))
    else:
        corrected.rows.append((entry_id, _compensating(content.reversed(), state.fact_id)))


def _nothing(content: Content, root: UUID) -> Content:
    """The row that keeps an id from being posted later: it moves nothing."""
    details = json.dumps({"compensates": str(root)})
    return content._replace(quantity=0, details=details)


def _compensating(row: Content, root: UUID) -> Content:
    told: dict[str, object] = json.loads(row.details or "{}")
    told.pop("counted", None)
    return row._replace(details=json.dumps(told | {"compensates": str(root)}))


def _derived(first: UUID, second: UUID, purpose: str, moment: datetime) -> UUID:
    return UUID(bytes=derived_id(first.bytes, second.bytes, purpose, int(moment.timestamp())))


def _consumed(content: Content, sign: int, names: Mapping[int, tuple[int, str]]) -> Consumed | None:
    if content.type not in MOVES_ORDER_LINE or content.details is None:
        return None
    line = json.loads(content.details).get("order_line")
    level = content.from_level
    if line is None or level is None:
        return None
    sku_id, sku = names[level]
    key = line["order_id"], line["line_id"]
    took = took_by(content.type, is_of_picked=content.from_account == PICKED)
    return Consumed(key, sku, sku_id, sign * content.quantity, level, took)


def require_fresh(corrected: Corrected, first: int, posted: Posted) -> None:
    """Every row is news, at the ordinals from `first` on.

    Raises what a batch is run again for where somebody has posted one of the ids meanwhile.
    """
    for ordinal, (event_id, _) in enumerate(corrected.rows, start=first):
        if ordinal in posted.stale:
            assert event_id not in corrected.derived, f"{event_id} was posted before"
            raise asyncpg.SerializationError("the corrected fact came meanwhile: run again")


async def keep(connection: Connection, corrected: Corrected) -> None:
    """Keep how the facts stand now. One that has another cost moves nothing, and costs anew."""
    await facts.save(connection, corrected.states)
    await facts.price(connection, [s.content for s in corrected.states if s.content is not None])
    await facts.name(connection, corrected.names, corrected.merged)
