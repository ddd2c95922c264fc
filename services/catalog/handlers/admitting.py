"""Policies at the gate: those that tie with another stay out, and can be seen."""

from collections.abc import Sequence

from services.catalog.domain.entering import Version, admit, is_news
from services.catalog.handlers.reading import Heard
from services.catalog.handlers.translating import policy_of
from services.catalog.repository import records
from services.catalog.repository.rows import KeptRecord
from shared.contracts.policies import Policy
from shared.postgres.connecting import Connection
from shared.postgres.parking import Refusal
from shared.stock import policies

TIE = "policy_tie"


async def admit_policies(
    connection: Connection, heard: Sequence[Heard]
) -> tuple[list[Heard], list[Refusal]]:
    """What may be kept, and a refusal of each policy that ties with one that stands.

    The caller holds the gate. What is no news is let through: keeping it changes nothing.
    """
    told = [one for one in heard if isinstance(one.record, Policy)]
    if not told:
        return list(heard), []
    claims = [one.row.claim for one in told if one.row.claim is not None]
    found = await records.of_claims(
        connection, "policy", claims, [one.row.record_id for one in told]
    )
    kept = {one.record_id: one for one in found}
    news = [one for one in told if _is_news(one, kept.get(one.row.record_id))]
    known = {one.row.record_id: policy for one in news if (policy := _policy(one)) is not None}
    _, tied = admit(list(known.values()), _standing(found))
    rivals = {policy.policy_id: others for policy, others in tied}
    refusals = [
        Refusal(message=one.message, reason=TIE, detail=tie_detail(rivals[one.row.record_id]))
        for one in news
        if one.row.record_id in rivals
    ]
    return [one for one in heard if not _is_tied(one, rivals)], refusals


def tie_detail(rivals: Sequence[policies.Policy]) -> str:
    """Which policies stand in the way."""
    names = ", ".join(policy.policy_id for policy in rivals[:10])
    return f"the same term and scope at a common time as {names}: none of them would win"


def standing_policy(kept: KeptRecord) -> policies.Policy | None:
    """A kept policy that speaks; None for one taken back or of a term that nobody reads."""
    return None if kept.is_deleted else policy_of(Policy.decode(kept.record))


def _standing(found: Sequence[KeptRecord]) -> dict[str, policies.Policy]:
    told = ((one.record_id, standing_policy(one)) for one in found)
    return {name: policy for name, policy in told if policy is not None}


def _policy(one: Heard) -> policies.Policy | None:
    assert isinstance(one.record, Policy), one
    return None if one.record.deleted else policy_of(one.record)


def _is_news(one: Heard, kept: KeptRecord | None) -> bool:
    told = Version(revision=one.row.revision, content=one.row.content)
    before = None if kept is None else Version(revision=kept.revision, content=kept.content)
    return is_news(told, before)


def _is_tied(one: Heard, rivals: dict[str, list[policies.Policy]]) -> bool:
    return isinstance(one.record, Policy) and one.row.record_id in rivals
