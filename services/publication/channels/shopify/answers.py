"""What Shopify's answers mean: errors by entry, the throttle in both its forms, the cost.

Source: shopify.dev, InventorySetQuantitiesUserErrorCode and "Rate limits". That `field` names the
index of an entry is (unverified): where it does not, smaller calls find the entry.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from services.publication.domain.outcomes import (
    Acknowledged,
    Failed,
    Outcome,
    Refused,
    Stale,
    Throttled,
    Unknown,
)
from services.publication.domain.pacing import Heard
from services.publication.domain.wanting import Desired

DETAIL_LENGTH = 200
RETRY_SECONDS_MAX = 3600.0
SECONDS = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9})?")
NUMBER_MAX = 1e9
QUANTITY_MAX = 2**31 - 1  # GraphQL's Int
STALE = frozenset({"CHANGE_FROM_QUANTITY_STALE", "COMPARE_QUANTITY_STALE"})
# The entry's own fault. INVALID_LOCATION is none: the location is the shop's setting.
ENTRY_CODES = frozenset(
    {"INVALID_INVENTORY_ITEM", "INVALID_QUANTITY_NEGATIVE", "INVALID_QUANTITY_TOO_HIGH",
     "INVALID_QUANTITY_TOO_LOW", "ITEM_NOT_STOCKED_AT_LOCATION", "NON_MUTABLE_INVENTORY_ITEM",
     "NO_DUPLICATE_INVENTORY_ITEM_ID_GROUP_ID_PAIR"}
)  # fmt: skip
TOO_LARGE = frozenset({"MAX_INPUT_SIZE_EXCEEDED", "MAX_COST_EXCEEDED"})
IN_DOUBT = frozenset({500, 502, 504, 520, 522, 524})


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """An HTTP answer: its status, its JSON object ({} where there is none), its Retry-After."""

    status: int
    body: Mapping[str, Any]
    retry_after: str

    @property
    def codes(self) -> list[str]:
        """The codes of top-level errors; an error without one is ''."""
        errors = self.body.get("errors")
        if not errors:
            return []
        found = [e for e in errors if isinstance(e, dict)] if isinstance(errors, list) else []
        return [_text(_object(e.get("extensions")).get("code")) for e in found] or [""]


def outcomes_of(reply: Reply, wanted: Sequence[Desired]) -> dict[int, Outcome]:
    """What an answer to the mutation means for each entry, by listing."""
    if is_throttled(reply):
        return everyone(wanted, Throttled(retry_after_seconds=retry_seconds(reply)))
    if reply.status != 200 or reply.codes:
        return everyone(wanted, _whole(reply, len(wanted)))
    payload = _object(_object(reply.body.get("data")).get("inventorySetQuantities"))
    errors = payload.get("userErrors")
    if not isinstance(errors, list):
        return everyone(wanted, Unknown(code="nonsense", detail="HTTP 200 without a result"))
    if not errors:
        return everyone(wanted, Acknowledged())
    return _of_errors([_object(error) for error in errors], wanted)


def _whole(reply: Reply, entries: int) -> Outcome:
    """The whole call was answered with an error, top-level or as HTTP status."""
    code = next(filter(None, reply.codes), f"http_{reply.status}")[:DETAIL_LENGTH]
    if reply.status in IN_DOUBT or code in ("INTERNAL_SERVER_ERROR", "TIMEOUT"):
        return Unknown(code=code)
    if code in TOO_LARGE:
        return Failed(code=code, is_oversized=entries > 1)
    # One entry that cannot be coerced sinks the call: fewer at once find it.
    if code == "INVALID_VARIABLE":
        return Failed(code=code, is_oversized=True) if entries > 1 else Refused(code=code)
    # A wrong token, a closed shop, a document that this version does not know. Nothing applied.
    return Failed(code=code)


def _of_errors(
    errors: Sequence[Mapping[str, Any]], wanted: Sequence[Desired]
) -> dict[int, Outcome]:
    """Entries that are named have their own outcome; nothing of the others was applied either."""
    codes = sorted({_text(error.get("code")) for error in errors})
    found = everyone(wanted, _of_call(codes, len(wanted)))
    named: dict[int, Outcome] = {}
    for error in errors:
        if (index := _index_of(error, len(wanted))) is not None:
            named[wanted[index].listing_id] = _of_entry(error)
    if named:
        found = everyone(
            wanted, Failed(code="others_in_call", detail=",".join(codes)[:DETAIL_LENGTH])
        )
    return found | named


def _of_call(codes: Sequence[str], entries: int) -> Outcome:
    """The errors name no entry: they speak of the call, or keep to themselves which they mean."""
    entry_codes = [code for code in codes if code in STALE or code in ENTRY_CODES]
    if entry_codes and entries > 1:
        return Failed(code=entry_codes[0], is_oversized=True)
    if entry_codes:
        return _of_entry({"code": entry_codes[0]})
    if "IDEMPOTENCY_CONCURRENT_REQUEST" in codes:  # the same call is under way: it may be applied
        return Unknown(code="IDEMPOTENCY_CONCURRENT_REQUEST")
    # An attempt that failed before, or a key with other variables: the next call has a new key.
    return Failed(code=(codes[0] if codes else "")[:DETAIL_LENGTH])


def _of_entry(error: Mapping[str, Any]) -> Outcome:
    code = _text(error.get("code"))[:DETAIL_LENGTH]
    detail = _text(error.get("message"))[:DETAIL_LENGTH]
    if code in STALE:
        return Stale()
    if code in ENTRY_CODES:
        return Refused(code=code, detail=detail)
    return Failed(code=code, detail=detail)


def _index_of(error: Mapping[str, Any], entries: int) -> int | None:
    """The number that follows "quantities" in the error's path."""
    path = error.get("field")
    if not isinstance(path, list):
        return None
    for before, part in pairwise(path):
        text = str(part)
        if before == "quantities" and text.isdecimal() and len(text) < 6:
            return int(text) if int(text) < entries else None
    return None


def is_throttled(reply: Reply) -> bool:
    """As HTTP 429, or as an error in HTTP 200: which of them comes is disputed."""
    return reply.status == 429 or "THROTTLED" in reply.codes


def retry_seconds(reply: Reply) -> float | None:
    """Seconds: the header's word, else how long the bucket takes to hold the call's cost."""
    if SECONDS.fullmatch(reply.retry_after):
        return min(float(reply.retry_after), RETRY_SECONDS_MAX)
    cost, throttle = _cost(reply)
    left, rate = _number(throttle.get("currentlyAvailable")), _number(throttle.get("restoreRate"))
    if cost is None or left is None or not rate:
        return None
    return min(max((cost - left) / rate, 0.0), RETRY_SECONDS_MAX)


def heard(reply: Reply) -> Heard | None:
    """The bucket in calls of this one's cost; the next may cost otherwise, and will say so."""
    cost, throttle = _cost(reply)
    left, rate = _number(throttle.get("currentlyAvailable")), _number(throttle.get("restoreRate"))
    most = _number(throttle.get("maximumAvailable"))
    if not cost or left is None or not rate or not most:
        return None
    return Heard(remaining=left / cost, per_second=rate / cost, burst=max(1.0, most / cost))


def _cost(reply: Reply) -> tuple[float | None, Mapping[str, Any]]:
    cost = _object(_object(reply.body.get("extensions")).get("cost"))
    return _number(cost.get("requestedQueryCost")), _object(cost.get("throttleStatus"))


def quantities(reply: Reply) -> dict[str, int | None] | None:
    """What the location has for sale, by the item's global id; None for an answer without it."""
    nodes = _object(reply.body.get("data")).get("nodes")
    if reply.status != 200 or reply.codes or not isinstance(nodes, list):
        return None
    return {_text(node.get("id")): _available(node) for node in map(_object, nodes)}


def _available(node: Mapping[str, Any]) -> int | None:
    quantities = _object(node.get("inventoryLevel")).get("quantities")
    for one in map(_object, quantities if isinstance(quantities, list) else ()):
        quantity = one.get("quantity")
        if one.get("name") == "available" and isinstance(quantity, int):
            return quantity if abs(quantity) <= QUANTITY_MAX else None
    return None


def everyone(wanted: Iterable[Desired], outcome: Outcome) -> dict[int, Outcome]:
    """One outcome for all of a call."""
    return {d.listing_id: outcome for d in wanted}


def parsed(text: str) -> Mapping[str, Any]:
    """The JSON object; {} for anything else."""
    try:
        return _object(json.loads(text))
    except (ValueError, RecursionError):
        return {}


def _object(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _number(value: Any) -> float | None:
    is_sensible = isinstance(value, int | float) and 0 <= value <= NUMBER_MAX  # no NaN either
    return float(value) if is_sensible else None
