"""The facts of a batch entered in the books: movements, corrections, anchors, order lines."""

from collections import ChainMap
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from services.ledger.handlers import anchoring, booking, correcting, handing_over, movements
from services.ledger.handlers.booking import Wanted
from services.ledger.handlers.correcting import Corrected
from services.ledger.handlers.outcome import CorrectedError, Outcome
from services.ledger.handlers.reading import Fact, Facts
from services.ledger.repository import posting, references
from services.ledger.repository.posting import Columns, FenceArrays, Posted
from services.ledger.repository.references import Known, LevelKey
from shared.postgres.connecting import Connection


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What a batch brings: `done` stand in `columns`, levels of `rest` are `absent`."""

    facts: Facts
    wanted: Sequence[Wanted]
    columns: Columns
    done: Sequence[Fact]
    rest: Sequence[Fact]
    absent: set[LevelKey]


async def enter(
    connection: Connection,
    fence: FenceArrays,
    entry: Entry,
    known: Known,
    now: datetime,
    hold_ahead: timedelta,
    outcome: Outcome,
) -> None:
    """Post in the lock order: facts that are corrected, levels, lines.

    Raises CorrectedError where a fact that was read as news turns out to be told otherwise.
    """
    facts, held = entry.facts, None
    if facts.corrections:
        ids = {fact.event_id for fact in (*entry.done, *entry.rest, *facts.anchors)}
        held = await correcting.hold(connection, facts.corrections, ids)
    outcome.created = await references.create_levels(connection, known, entry.absent)
    levels = ChainMap(outcome.created, known.levels)
    columns, done, rest = movements.columns_of(entry.rest, known, levels)
    assert not rest, "every name and level is there now"
    columns, postings = entry.columns.followed_by(columns), [*entry.done, *done]
    corrected = Corrected()
    if held is not None:
        corrected = await correcting.settle(connection, held, known, levels, outcome)
    taking = await handing_over.find(connection, postings, known, levels)
    consumed = [one for _, one in taking.consumed]
    plan = await booking.plan_lines(
        connection, entry.wanted, [*consumed, *corrected.consumed], facts, known, levels,
        corrected.sku_ids,
    )  # fmt: skip
    anchors = [*facts.anchors, *corrected.anchors]
    locked = {movements.anchored_account(fact, known, levels)[0] for fact in anchors}
    locked |= corrected.levels | taking.named.levels | (plan.levels if plan else set())
    posted = await _post(connection, fence, columns, corrected, locked, outcome)
    await anchoring.remove_anchors(connection, corrected.removed)
    if anchors:
        await anchoring.set_anchors(connection, anchors, known, levels, outcome)
    if held is not None:
        await correcting.keep(connection, corrected)
    stale = {postings[ordinal - 1].event_id for ordinal in posted.stale}
    news = [fact for fact in taking.facts if fact.event_id not in stale]
    await handing_over.settle(connection, now, news, taking.named, known, levels)
    if plan is not None:
        fresh = [one for fact, one in taking.consumed if fact.event_id not in stale]
        await booking.book(
            connection, plan, entry.wanted, [*corrected.consumed, *fresh], known, levels, now,
            hold_ahead,
        )  # fmt: skip


async def _post(
    connection: Connection,
    fence: FenceArrays,
    columns: Columns,
    corrected: Corrected,
    locked: set[int],
    outcome: Outcome,
) -> Posted:
    """The rows of news and of corrections in one statement, and what late ones restate."""
    every = columns.followed_by(corrected.columns)
    posted = await posting.post(connection, fence, every, sorted(locked))
    correcting.require_fresh(corrected, len(columns) + 1, posted)
    if posted.conflicts:
        raise CorrectedError({columns.ids[ordinal - 1] for ordinal in posted.conflicts})
    outcome.posted += posted.count - len(corrected.rows) - len(corrected.anchors)
    outcome.duplicates += len(posted.stale)
    if posted.late:
        sources: dict[UUID, int] = dict(zip(every.ids, every.sources, strict=True))
        await anchoring.absorb(connection, posted.late, sources)
    return posted
