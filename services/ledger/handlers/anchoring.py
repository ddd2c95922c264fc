"""Openings, counts and late movements: after the batch's movements, in order of their moment."""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from services.ledger.domain.anchors import Anchor, absorb_late, remove_anchor, set_anchor
from services.ledger.domain.corrections import State
from services.ledger.handlers.movements import anchored_account, details_of
from services.ledger.handlers.outcome import CorrectedError, Outcome
from services.ledger.handlers.reading import Fact
from services.ledger.repository.anchors import (
    Account,
    Found,
    Recording,
    around,
    fall,
    record,
    standings,
)
from services.ledger.repository.posting import LateSide
from services.ledger.repository.references import Known, LevelKey
from shared.contracts.identity import derived_id
from shared.postgres.connecting import Connection


def derive(anchor: UUID, cause: UUID, moment: datetime) -> UUID:
    """The id of an entry by which `cause` restates `anchor`."""
    return UUID(bytes=derived_id(anchor.bytes, cause.bytes, "restatement", int(moment.timestamp())))


async def absorb(
    connection: Connection, late: Sequence[LateSide], sources: Mapping[UUID, int]
) -> None:
    """Post what late movements do to their accounts: restate the anchor after them, or move.

    The two sides of one movement may restate anchors of one level in different accounts; the
    anchor's id keeps their entries apart.
    """
    accounts = [
        Account(
            level_id=side.level_id, account_id=side.account_id, moment=side.occurred_at,
            event_id=side.event_id,
        )
        for side in late
    ]  # fmt: skip
    recording = Recording()
    for account, side, found in zip(
        accounts, late, await standings(connection, accounts), strict=True
    ):
        entry, delta = absorb_late(side.event_id, side.delta, found.standing.following, derive)
        if entry is not None:
            recording.entries.append((account, entry, sources[side.event_id], None))
        if delta:
            recording.changes.append((account, delta, None))
    await record(connection, recording)


async def set_anchors(
    connection: Connection,
    facts: Sequence[Fact],
    known: Known,
    levels: Mapping[LevelKey, int],
    outcome: Outcome,
) -> None:
    """Set each account, one anchor per account at a time, in order of their moments."""
    for turn in _turns(facts, known, levels):
        accounts = [account for account, _ in turn]
        recording = Recording()
        for (account, fact), found in zip(turn, await standings(connection, accounts), strict=True):
            if found.is_known:
                _note_known(fact, found, outcome)
                continue
            _set_one(account, fact, found, known.sources[fact.source], recording)
            outcome.posted += 1
        await record(connection, recording)


async def remove_anchors(connection: Connection, removed: Sequence[tuple[State, UUID]]) -> None:
    """Take anchors away that corrections have taken back, one after the other."""
    gone = [state.entry_id for state, _ in removed if state.entry_id is not None]
    for state, entry_id in removed:
        content = state.content
        assert content is not None, state
        assert content.to_level is not None, state
        assert state.entry_id is not None, state
        account = Account(
            level_id=content.to_level, account_id=content.to_account, moment=content.occurred_at,
            event_id=entry_id,
        )  # fmt: skip
        anchor = Anchor(
            event_id=state.entry_id, type=content.type, moment=content.occurred_at,
            quantity=content.quantity,
        )  # fmt: skip
        [found] = await standings(connection, [account])
        effect, rest = await around(connection, account, gone)
        removal = remove_anchor(entry_id, anchor, found.standing, rest, effect, derive)
        recording = Recording()
        for entry in removal.entries:
            recording.entries.append((account, entry, content.source_id, None))
        if removal.stands is not None:
            recording.stands.append((account, removal.stands))
        recording.changes.append((account, removal.level_delta, None))
        await record(connection, recording)
        if removal.stands is None:
            await fall(connection, account)


def _turns(
    facts: Sequence[Fact], known: Known, levels: Mapping[LevelKey, int]
) -> list[list[tuple[Account, Fact]]]:
    waiting: dict[tuple[int, int], list[tuple[Account, Fact]]] = defaultdict(list)
    for fact in facts:
        level, number, moment = anchored_account(fact, known, levels)
        account = Account(level_id=level, account_id=number, moment=moment, event_id=fact.event_id)
        waiting[level, number].append((account, fact))
    turns: list[list[tuple[Account, Fact]]] = []
    for queue in waiting.values():
        queue.sort(key=lambda pair: (pair[0].moment, pair[0].event_id))
        for place, pair in enumerate(queue):
            if place == len(turns):
                turns.append([])
            turns[place].append(pair)
    return turns


def _set_one(
    account: Account, fact: Fact, found: Found, source_id: int, recording: Recording
) -> None:
    anchor = Anchor(
        event_id=fact.event_id,
        type=fact.movement.type.value,
        moment=account.moment,
        quantity=fact.movement.quantity,
    )
    setting = set_anchor(anchor, found.standing, derive)
    sent: dict[str, object] = json.loads(details_of(fact.movement) or "{}")
    details = json.dumps(sent | {"counted": fact.movement.quantity})
    for place, entry in enumerate(setting.entries):
        recording.entries.append((account, entry, source_id, details if place == 0 else None))
    recording.stands.append((account, setting.stands))
    recording.changes.append((account, setting.level_delta, account.moment))


def _note_known(fact: Fact, found: Found, outcome: Outcome) -> None:
    """The same once more changes nothing; anything else, or a higher revision, is a correction."""
    document = fact.movement.document
    revision = document.revision if document else 0
    if found.known_quantity != fact.movement.quantity or revision > (found.known_revision or 0):
        raise CorrectedError({fact.event_id})
    outcome.duplicates += 1
