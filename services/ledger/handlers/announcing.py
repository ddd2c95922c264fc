"""What the ledger itself says as reference data: policies that follow from what it knows."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime

from shared.contracts.cloudevents import headers_for
from shared.contracts.policies import Policy
from shared.contracts.topics import REFERENCE_DATA
from shared.kafka.producing import Outgoing

SOURCE = "stocktide:ledger"

Send = Callable[[Sequence[Outgoing]], Awaitable[None]]


def policy_message(policy: Policy, now: datetime) -> Outgoing:
    """The policy as a message; each revision is told under an id of its own."""
    return Outgoing(
        topic=REFERENCE_DATA.name, partition=REFERENCE_DATA.partition_of(policy),
        key=policy.key(), value=policy.encode(),
        headers=headers_for(
            id_=f"{policy.policy_id}/{policy.revision}", source=SOURCE,
            type_=REFERENCE_DATA.ce_type, time=now,
        ),
    )  # fmt: skip
