"""The whole file against itself and what is kept: told twice, codes that contradict, ties."""

from collections import defaultdict
from collections.abc import Sequence

from services.catalog.domain.entering import Reason, admit, contradictions
from services.catalog.handlers.staging import refusal
from services.catalog.handlers.translating import MODELS, claim_of, policy_of
from services.catalog.repository import contested, imports, records
from services.catalog.repository.contested import Claiming
from services.catalog.repository.imports import FindingRow
from shared.contracts.policies import Policy
from shared.postgres.connecting import Connection
from shared.stock import policies
from shared.stock.policies import rivals

SLICE = 500
WINDOW = 20_000
NAMES = 5


async def check(connection: Connection, import_id: int, kind: str) -> None:
    """Refuse rows that can't all be right, and warn of names that nobody has told of.

    In windows of lines: no statement takes long, whatever the file's size.
    """
    windows = range(0, await contested.last_line(connection, import_id), WINDOW)
    for after in windows:
        await check_twice(connection, import_id, after)
    for after in windows:
        await check_claims(connection, import_id, kind, after)
    for after in windows:
        await imports.warn_of_dangling(
            connection, import_id, kind, after=after, until=after + WINDOW
        )


async def check_twice(connection: Connection, import_id: int, after: int) -> None:
    """Rows of one record: the same again is repeated and passed over, another is refused."""
    repeated: list[int] = []
    refused: list[int] = []
    findings: list[FindingRow] = []
    for one in await contested.told_twice(connection, import_id, after=after, until=after + WINDOW):
        if one.is_same:
            repeated.extend(one.lines[1:])
            continue
        refused.extend(one.lines)
        names = ", ".join(map(str, one.lines[:NAMES]))
        detail = f"the lines {names} tell {one.record_id} differently"
        findings.extend(refusal(line, None, Reason.TOLD_TWICE, detail) for line in one.lines)
    async with connection.transaction():
        await contested.mark(connection, import_id, repeated, "repeated")
        await contested.mark(connection, import_id, refused, "refused")
        await imports.find(connection, import_id, findings)


async def check_claims(connection: Connection, import_id: int, kind: str, after: int) -> None:
    """Codes that would say two things at a time, and policies that tie, are refused."""
    until = after + WINDOW
    while rows := await contested.contested(
        connection, import_id, after=after, until=until, limit=SLICE
    ):
        assert rows[-1].line is not None, "a row of the file has a line"
        after = rows[-1].line
        others: dict[bytes, list[Claiming]] = defaultdict(list)
        for one in await contested.claiming(
            connection, import_id, sorted({row.claim for row in rows})
        ):
            others[one.claim].append(one)
        findings = [
            finding
            for row in rows
            if (finding := _judged(kind, row, others[row.claim])) is not None
        ]
        async with connection.transaction():
            lines = [finding.line for finding in findings]
            await contested.mark(connection, import_id, lines, "refused")
            await imports.find(connection, import_id, findings)


def _judged(kind: str, row: Claiming, others: Sequence[Claiming]) -> FindingRow | None:
    assert row.line is not None, "a row of the file has a line"
    if kind == "policy":
        against = _rivals(row, others)
        reason, what = Reason.POLICY_TIE, "the same term and scope at a common time as"
    else:
        against = _contradicting(kind, row, others)
        reason, what = Reason.CODE_CONFLICT, "the code says something else at a common time in"
    if not against:
        return None
    names = ", ".join(_name(one) for one in others if one.record_id in against[:NAMES])
    return refusal(row.line, None, reason, f"{what} {names}")


def _contradicting(kind: str, row: Claiming, others: Sequence[Claiming]) -> list[str]:
    model = MODELS[kind]
    found = contradictions(
        claim_of(model.decode(row.record)), [claim_of(model.decode(one.record)) for one in others]
    )
    return [one.record_id for one in found]


def _rivals(row: Claiming, others: Sequence[Claiming]) -> list[str]:
    policy = policy_of(Policy.decode(row.record))
    if policy is None:
        return []
    known = [policy_of(Policy.decode(one.record)) for one in others]
    found = rivals(policy, [one for one in known if one is not None])
    return [one.policy_id for one in found]


def _name(one: Claiming) -> str:
    where = "kept" if one.line is None else f"line {one.line}"
    return f"{one.record_id} ({where})"


async def tying_now(connection: Connection, import_id: int, *, after: int, limit: int) -> list[str]:
    """Of the next rows the policies that tie with what came in since the file was checked.

    The caller holds the gate.
    """
    told: list[policies.Policy] = []
    claims: list[bytes] = []
    next_records = await imports.next_records(connection, import_id, after=after, limit=limit)
    for record, claim in next_records.values():
        decoded = Policy.decode(record)
        policy = None if decoded.deleted else policy_of(decoded)
        if policy is not None and claim is not None:
            told.append(policy)
            claims.append(claim)
    found = await records.of_claims(connection, "policy", claims, [])
    kept = {
        one.record_id: policy
        for one in found
        if not one.is_deleted and (policy := policy_of(Policy.decode(one.record))) is not None
    }
    _, tied = admit(told, kept)
    return [policy.policy_id for policy, _ in tied]
