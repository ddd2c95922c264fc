"""The seller's interface of a Mirakl marketplace as far as orders go: OR11 and OR21 over HTTP.

Source: Mirakl's OpenAPI of the seller's interface. OR11 knows one order of its list, by creation,
and at most 100 orders a page; the API key stands in the header as it is, without `Bearer`.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final
from urllib.parse import quote

import aiohttp
from pydantic_core import from_json

from services.ingestion.channels import Declined, MarketplaceAway, Page

PAGE_MAX: Final = 100
BODY_BYTES_MAX: Final = 16 * 1024 * 1024
DETAIL_LENGTH: Final = 200
# The order is not as it was, or never will be: asked again the answer stays the same.
DECLINED: Final = frozenset({400, 404, 409, 422})


class MiraklSeller:
    """One shop on one marketplace."""

    def __init__(
        self,
        *,
        url: str,
        api_key: str,
        shop_id: int | None = None,
        page_size: int = PAGE_MAX,
        timeout_seconds: float = 10.0,
    ) -> None:
        assert 1 <= page_size <= PAGE_MAX, page_size
        self._orders = f"{url.rstrip('/')}/api/orders"
        self._headers = {"Authorization": api_key}
        self._shop = {} if shop_id is None else {"shop_id": str(shop_id)}
        self._page_size = page_size
        self._timeout = aiohttp.ClientTimeout(total=timeout_seconds)
        self._session: aiohttp.ClientSession | None = None

    async def orders(self, since: datetime, offset: int) -> Page:
        """OR11: orders updated since, by creation, from the `offset`th on. Raises MarketplaceAway.

        No end of the update date is named: an order that changes meanwhile would leave the list,
        and those behind it would move up and past the next page's beginning.
        """
        start = since.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        query = {
            "start_update_date": start, "sort": "dateCreated", "order": "asc",
            "max": str(self._page_size), "offset": str(offset), **self._shop,
        }  # fmt: skip
        status, headers, body = await self._call("GET", self._orders, query, None)
        told = _parsed(body) if status == 200 else None
        if not isinstance(told, dict) or not isinstance(told.get("orders"), list):
            raise _away(status, headers)
        total = told.get("total_count")
        if not isinstance(total, int):
            raise _away(status, headers)
        return Page(orders=told["orders"], total=total, at=_date(headers))

    async def accept(self, order_id: str, line_ids: Sequence[str]) -> None:
        """OR21: take every line. Raises MarketplaceAway, and Declined for an order that is not
        waiting (any more).
        """
        body = {"order_lines": [{"id": name, "accepted": True} for name in line_ids]}
        url = f"{self._orders}/{quote(order_id, safe='')}/accept"
        status, headers, answer = await self._call("PUT", url, self._shop, body)
        if status in DECLINED:
            told = _parsed(answer)
            message = told.get("message") if isinstance(told, dict) else None
            raise Declined(f"HTTP {status}: {str(message or '')[:DETAIL_LENGTH]}")
        if status not in (200, 204):
            raise _away(status, headers)

    async def close(self) -> None:
        """Drop the kept-alive connections."""
        if self._session is not None:
            await self._session.close()

    async def _call(
        self, method: str, url: str, query: Mapping[str, str], body: object
    ) -> tuple[int, Mapping[str, str], bytes]:
        if self._session is None:  # made late: a session belongs to the running loop
            self._session = aiohttp.ClientSession(timeout=self._timeout)
        try:
            async with self._session.request(
                method, url, params=query, json=body, headers=self._headers
            ) as response:
                return response.status, response.headers, await _read(response)
        except (aiohttp.ClientError, TimeoutError) as error:
            raise MarketplaceAway(type(error).__name__) from error


async def _read(response: aiohttp.ClientResponse) -> bytes:
    body = bytearray()
    async for chunk in response.content.iter_chunked(65_536):
        body += chunk
        if len(body) > BODY_BYTES_MAX:
            raise MarketplaceAway(f"an answer of more than {BODY_BYTES_MAX} bytes")
    return bytes(body)


def _away(status: int, headers: Mapping[str, str]) -> MarketplaceAway:
    text = headers.get("Retry-After", "")
    after = min(float(text), 3600.0) if text.isdecimal() and text.isascii() else None
    return MarketplaceAway("nonsense" if status == 200 else f"HTTP {status}", after)


def _parsed(body: bytes) -> Any:
    try:
        return from_json(body, allow_inf_nan=False)
    except ValueError:
        return None


def _date(headers: Mapping[str, str]) -> datetime | None:
    """The answer's own `Date` (RFC 9110, 6.6.1)."""
    try:
        found = parsedate_to_datetime(headers.get("Date", ""))
    except (ValueError, TypeError):
        return None
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)
