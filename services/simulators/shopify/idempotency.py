"""Idempotency keys: the same key with the same variables gives the same result, and no more.

Source: shopify.dev changelog, "Making idempotency mandatory for inventory adjustments and refund
mutations". How long a key is remembered is (unverified): here the latest 10,000 are.
"""

import hashlib
import json
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

KEYS_MAX = 10_000
MANDATORY_FROM = "2026-04"
REMEMBERS_FAILURES_FROM = "2026-10"


@dataclass(slots=True)
class _Use:
    digest: str
    result: dict[str, Any] | None = None
    has_failed: bool = False


class Keys:
    """The keys that were used, and what came of them."""

    def __init__(self) -> None:
        self._uses: OrderedDict[str, _Use] = OrderedDict()

    def begin(self, key: str, variables: Any, version: str) -> dict[str, Any] | str | None:
        """None for a new key, which is under way then; the former result; or an error's code."""
        digest = hashlib.sha256(json.dumps(variables, sort_keys=True).encode()).hexdigest()
        use = self._uses.get(key)
        if use is not None and use.digest != digest:
            return "IDEMPOTENCY_KEY_PARAMETER_MISMATCH"
        if use is not None and use.has_failed and version >= REMEMBERS_FAILURES_FROM:
            return "IDEMPOTENCY_PREVIOUS_ATTEMPT_FAILED"
        if use is None or use.has_failed:
            self._uses[key] = _Use(digest)
            if len(self._uses) > KEYS_MAX:
                self._uses.popitem(last=False)
            return None
        return use.result or "IDEMPOTENCY_CONCURRENT_REQUEST"

    def end(self, key: str, result: dict[str, Any] | None) -> None:
        """The use of a key is over; None where the server fell over it."""
        if (use := self._uses.get(key)) is not None:
            use.result, use.has_failed = result, result is None
