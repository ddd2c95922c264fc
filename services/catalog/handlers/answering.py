"""Answers of the catalog: codes, records, imports, as they go out over HTTP."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from services.catalog.domain.codes import (
    Ambiguous,
    Answer,
    CodeRecord,
    Question,
    Unknown,
    answer,
)
from services.catalog.domain.entering import Dated, in_force
from services.catalog.handlers.translating import MODELS, code_record_of
from services.catalog.repository import imports, records
from services.catalog.repository.rows import KeptRecord
from shared.postgres.connecting import Connection

SHOWN_MAX = 1_000

Json = dict[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeAnswer:
    """What is known of a code: `outcome` is answered, ambiguous or unknown."""

    outcome: str
    content: Json


async def answer_code(connection: Connection, question: Question) -> CodeAnswer:
    """The SKU and units of a code, with the channel's listing of it; or why there is no answer."""
    kept = await records.of_code(connection, question.code)
    found = answer(question, [_code(one) for one in kept])
    match found:
        case Answer():
            listing = await _listing(connection, question, found)
            told = _told(found.by) | {"units_per_code": found.units, "listing": listing}
            return CodeAnswer(
                outcome="answered",
                content={"code": question.code, "at": question.at.isoformat(), **told},
            )
        case Ambiguous():
            return CodeAnswer(
                outcome="ambiguous", content={"records": [_told(one) for one in found.records]}
            )
        case Unknown():
            return CodeAnswer(
                outcome="unknown",
                content={
                    "known_until": None if found.ended is None else _told(found.ended),
                    "known_from": None if found.begins is None else _told(found.begins),
                },
            )


def _code(kept: KeptRecord) -> CodeRecord:
    return code_record_of(MODELS[kept.kind].decode(kept.record))


async def _listing(connection: Connection, question: Question, found: Answer) -> object:
    """The listing that answered, else those under which the channel sells the SKU then."""
    if found.by.fulfilled_by is not None:
        return _listed(found.by)
    if question.channel is None:
        return None
    kept = await records.listings_of(connection, question.channel, found.sku)
    listings = [_code(one) for one in kept]
    holding = [_listed(one) for one in listings if one.holds_at(question.at)]
    return holding[0] if len(holding) == 1 else holding or None


def _listed(record: CodeRecord) -> Json:
    return {
        "channel": record.issuer, "listing_id": record.code, "units_per_listing": record.units,
        "fulfilled_by": record.fulfilled_by,
    }  # fmt: skip


def _told(record: CodeRecord) -> Json:
    return {
        "sku": record.sku, "units_per_code": record.units, "kind": record.kind.value,
        "scheme": record.scheme, "issuer": record.issuer, "from": _text(record.begins),
        "until": _text(record.ends), "record_id": record.record_id,
    }  # fmt: skip


async def answer_record(
    connection: Connection, kind: str, thing: str, at: datetime
) -> tuple[Json | None, list[Json]]:
    """The record of a thing that is in force, and all its dated records."""
    kept = await records.of_thing(connection, kind, thing)
    dated = [
        Dated(record_id=one.record_id, begins=one.begins, ends=one.ends, is_deleted=one.is_deleted)
        for one in kept
    ]
    found = in_force(dated, at)
    told = {one.record_id: record_told(one) for one in kept}
    return None if found is None else told[found.record_id], list(told.values())


async def answer_page(
    connection: Connection, kind: str, *, after: str, deleted: bool, limit: int
) -> Json:
    """Records of a kind by id, and from where to read on."""
    kept = await records.page(connection, kind, after=after, deleted=deleted, limit=limit)
    following = kept[-1].record_id if len(kept) == limit else None
    return {"records": [record_told(one) for one in kept], "next_after": following}


def record_told(kept: KeptRecord) -> Json:
    """A record with what the catalog knows about it."""
    return {
        "record_id": kept.record_id, "source": kept.source, "recorded_at": _text(kept.recorded_at),
        "revision": kept.revision, "deleted": kept.is_deleted, "from": _text(kept.begins),
        "until": _text(kept.ends), "record": json.loads(kept.record),
    }  # fmt: skip


async def answer_import(connection: Connection, import_id: int) -> Json | None:
    """An import's report with its first refusals and warnings; None where there is none."""
    found = await imports.report(connection, import_id)
    if found is None:
        return None
    for name, is_refusal in (("refusals", True), ("warnings", False)):
        found[name] = await answer_findings(
            connection, import_id, is_refusal=is_refusal, after=(0, 0), limit=SHOWN_MAX
        )
    return {name: _text(v) if isinstance(v, datetime) else v for name, v in found.items()}


async def answer_findings(
    connection: Connection, import_id: int, *, is_refusal: bool, after: tuple[int, int], limit: int
) -> list[Mapping[str, object]]:
    """Refusals or warnings of an import by line, from after a (line, finding)."""
    # A finding of the whole file stands on line 0, which is after nothing.
    place = (-1, 0) if after == (0, 0) else after
    return list(
        await imports.findings(
            connection, import_id, is_refusal=is_refusal, after=place, limit=limit
        )
    )


def _text(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()
