"""WooCommerce REST v3: absolute quantities by batch, per product or per variable product.

Source: woocommerce-rest-api-docs, `wp-api-v3/_products.md` and `_introduction.md`. At most 100
entries a call, errors per entry inside HTTP 200, no compare-and-set, no idempotency key.
"""

import json
from collections.abc import Mapping, Sequence
from email.utils import parsedate_to_datetime
from typing import Any

import aiohttp

from services.publication.channels import Answer, ChannelAway
from services.publication.domain.capabilities import Descriptor
from services.publication.domain.outcomes import (
    Acknowledged,
    Failed,
    Outcome,
    Refused,
    Throttled,
    Unknown,
)
from services.publication.domain.wanting import Desired, Listing

ENTRIES_MAX = 100
QUANTITY_MAX = 2**31 - 1
PRODUCT = "product_id"
VARIATION = "variation_id"
DETAIL_LENGTH = 200
# The shop may have worked through a part of the batch before it fell over.
IN_DOUBT = frozenset({500, 502, 504, 520, 522, 524})


class WooCommerce:
    """One shop's REST interface. Credentials go as Basic auth, which Woo accepts over HTTPS."""

    def __init__(
        self,
        *,
        url: str,
        key: str,
        secret: str,
        batch_max: int = ENTRIES_MAX,
        calls_at_once: int = 1,
        calls_per_second: float | None = None,
        timeout_seconds: float = 5.0,
    ) -> None:
        self._descriptor = Descriptor(
            kind="woocommerce", batch_max=min(batch_max, ENTRIES_MAX), read_back_max=ENTRIES_MAX,
            calls_at_once=calls_at_once, calls_per_second=calls_per_second,
            quantity_max=QUANTITY_MAX, call_seconds_max=timeout_seconds,
        )  # fmt: skip
        self._products = f"{url.rstrip('/')}/wp-json/wc/v3/products"
        self._headers = {"Authorization": aiohttp.encode_basic_auth(key, secret)}
        self._timeout = aiohttp.ClientTimeout(total=timeout_seconds)
        self._session: aiohttp.ClientSession | None = None

    @property
    def descriptor(self) -> Descriptor:
        return self._descriptor

    def group_of(self, listing: Listing) -> str:
        """Variations are written through their product: each variable product is a group."""
        return listing.ids.get(PRODUCT, "") if VARIATION in listing.ids else ""

    async def publish(self, batch: Sequence[Desired], key: str) -> Answer:
        """POST one batch; the key is unused, Woo knows none."""
        del key
        entries = {d.listing_id: _entry_id(d.listing) for d in batch}
        outcomes: dict[int, Outcome] = {
            listing_id: Refused(code="listing_ids_invalid")
            for listing_id, entry in entries.items()
            if entry is None
        }
        written: dict[int, Desired] = {}
        for desired in batch:
            if (entry := entries[desired.listing_id]) is None:
                continue
            if entry in written:  # one entry named by two listings would be told two values
                outcomes[desired.listing_id] = Refused(code="listing_ids_doubled")
            else:
                written[entry] = desired
        if written:
            update = [
                {"id": entry, "manage_stock": True, "stock_quantity": d.value}
                for entry, d in written.items()
            ]
            url = f"{self._route(batch[0].listing)}/batch"
            outcomes |= await self._post(url, {"update": update}, written)
        return Answer(outcomes=outcomes)

    async def read_back(self, listings: Sequence[Listing]) -> Mapping[int, int | None]:
        """GET the entries by id; an entry that manages no stock shows no quantity."""
        entries = {entry: one for one in listings if (entry := _entry_id(one)) is not None}
        found: dict[int, int | None] = dict.fromkeys(one.listing_id for one in listings)
        if not entries:
            return found
        query = {
            "include": ",".join(map(str, entries)), "per_page": str(ENTRIES_MAX),
            "_fields": "id,manage_stock,stock_quantity",
        }  # fmt: skip
        url = self._route(listings[0])
        try:
            async with self._open().get(url, params=query, headers=self._headers) as response:
                text = await response.text()
                shown = _parsed(text)
                if response.status != 200 or not isinstance(shown, list):
                    after = _retry_after(response.headers)
                    raise ChannelAway(f"HTTP {response.status}", after)
        except (aiohttp.ClientError, TimeoutError) as error:
            raise ChannelAway(type(error).__name__) from error
        for entry in shown:
            if isinstance(entry, dict) and (one := entries.get(entry.get("id", 0))) is not None:
                found[one.listing_id] = _shown(entry)
        return found

    async def close(self) -> None:
        """Drop the kept-alive connections."""
        if self._session is not None:
            await self._session.close()

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:  # made late: a session belongs to the running loop
            self._session = aiohttp.ClientSession(
                timeout=self._timeout,
                connector=aiohttp.TCPConnector(limit=8, keepalive_timeout=60),
            )
        return self._session

    def _route(self, listing: Listing) -> str:
        group = self.group_of(listing)
        return f"{self._products}/{group}/variations" if group else self._products

    async def _post(
        self, url: str, body: dict[str, Any], written: Mapping[int, Desired]
    ) -> dict[int, Outcome]:
        try:
            async with self._open().post(url, json=body, headers=self._headers) as response:
                text = await response.text()
                status, headers = response.status, response.headers
        except aiohttp.ClientConnectorError as error:
            return _all(written, Failed(code="unreachable", detail=str(error)[:DETAIL_LENGTH]))
        except TimeoutError:
            return _all(written, Unknown(code="timeout"))
        except (aiohttp.ClientError, UnicodeDecodeError) as error:
            return _all(written, Unknown(code="broken", detail=type(error).__name__))
        answer = _parsed(text)
        if status == 200:
            return _per_entry(answer, written)
        return _all(written, _whole(status, headers, answer, len(written)))


def _entry_id(listing: Listing) -> int | None:
    """The number that Woo knows the entry by; the listing's own code stands in for either id."""
    ids, code = listing.ids, listing.code
    if VARIATION in ids and not ids.get(PRODUCT, "").isdecimal():
        return None  # a variation is written through its product, whose number is missing
    text = ids.get(VARIATION) or ids.get(PRODUCT, code)
    return int(text) if text.isdecimal() and len(text) < 19 else None


def _all(written: Mapping[int, Desired], outcome: Outcome) -> dict[int, Outcome]:
    return {d.listing_id: outcome for d in written.values()}


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None


def _per_entry(answer: Any, written: Mapping[int, Desired]) -> dict[int, Outcome]:
    """HTTP 200 says nothing by itself: each entry has its own fate."""
    updated = answer.get("update") if isinstance(answer, dict) else None
    if not isinstance(updated, list):
        return _all(written, Unknown(code="nonsense", detail="HTTP 200 without a batch answer"))
    outcomes = _all(written, Unknown(code="not_in_answer"))
    for entry in updated:
        if isinstance(entry, dict) and (desired := written.get(entry.get("id", 0))) is not None:
            outcomes[desired.listing_id] = _of_entry(entry)
    return outcomes


def _of_entry(entry: dict[str, Any]) -> Outcome:
    error = entry.get("error")
    if not isinstance(error, dict):
        return Acknowledged()
    code, detail, status = _described(error)
    if status == 429 or status >= 500:
        return Failed(code=code, detail=detail)
    return Refused(code=code, detail=detail)


def _whole(status: int, headers: Mapping[str, str], answer: Any, entries: int) -> Outcome:
    """The whole call was answered with an error status."""
    code, detail, _ = _described(answer if isinstance(answer, dict) else {})
    code = code or f"http_{status}"
    after = _retry_after(headers)
    if status == 429 or (status == 503 and after is not None):
        return Throttled(retry_after_seconds=after)
    if status in IN_DOUBT:
        return Unknown(code=code, detail=detail)
    # One entry that the shop's validation cannot stand sinks the call: fewer at once find it.
    if status in (400, 413):
        if entries == 1:
            return Refused(code=code, detail=detail)
        return Failed(code=code, detail=detail, is_oversized=True)
    # 401, 403, 404, 503 …: our credentials, its maintenance. Nothing was applied.
    return Failed(code=code, detail=detail)


def _described(error: dict[str, Any]) -> tuple[str, str, int]:
    data = error.get("data")
    status = data.get("status") if isinstance(data, dict) else None
    code = str(error.get("code") or "")[:DETAIL_LENGTH]
    detail = str(error.get("message") or "")[:DETAIL_LENGTH]
    return code, detail, status if isinstance(status, int) else 400


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds, from either form of the header (RFC 9110, 10.2.3); None where absent or senseless.

    A date is read against the answer's own `Date`, so that no clock of ours is asked.
    """
    text = headers.get("Retry-After", "")
    if text.isdecimal():
        return min(float(text), 3600.0)
    try:
        until, now = (parsedate_to_datetime(t) for t in (text, headers.get("Date", "")))
        return min(max((until - now).total_seconds(), 0.0), 3600.0)
    except (ValueError, TypeError):
        return None


def _shown(entry: dict[str, Any]) -> int | None:
    quantity = entry.get("stock_quantity")
    is_number = isinstance(quantity, int) and not isinstance(quantity, bool)
    return quantity if is_number and entry.get("manage_stock") else None
