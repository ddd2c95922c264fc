"""Mirakl's stock imports: a file of absolute quantities, worked off later, then asked about.

Source: Mirakl's OpenAPI of the seller's interface, operations STO01 (at most once a minute), STO02
(every 15 seconds) and STO03 (once a minute). Offers are never written by OF24, which resets every
field that it is not sent. Nothing is read back: OF21 lists offer by offer for a page view, and
OF52 exports a whole shop once a day. An outcome that stays unknown is settled by the next file.
"""

import asyncio
import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import aiohttp
from pydantic_core import from_json

from services.publication.channels import Answer, ChannelAway
from services.publication.domain.capabilities import Descriptor
from services.publication.domain.outcomes import (
    Accepted,
    Acknowledged,
    Failed,
    Outcome,
    Refused,
    Throttled,
    Unknown,
)
from services.publication.domain.wanting import Desired, Listing

COLUMNS: Final = ("offer-sku", "quantity", "warehouse-code", "update-delete")
OFFER_SKU: Final = "offer_sku"
QUANTITY_MAX: Final = 2**31 - 1
SKU_LENGTH_MAX: Final = 255
DETAIL_LENGTH: Final = 200
UNDER_WAY: Final = frozenset({"WAITING", "RUNNING"})
# The import may have been taken before the answer was lost.
IN_DOUBT: Final = frozenset({500, 502, 504, 520, 522, 524})
REPORT_BYTES_MAX: Final = 32 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """Seconds between two calls of one operation. The documented limits are 60, 15 and 60: a
    second more, since calls do not arrive as evenly as they leave.
    """

    import_seconds: float = 61.0
    status_seconds: float = 16.0
    report_seconds: float = 61.0
    patience_seconds: float = 1_800.0
    """How long an import may take before its outcome is called unknown."""


class Mirakl:
    """One shop on one marketplace. The key goes into the header as it is, without `Bearer`."""

    def __init__(
        self,
        *,
        url: str,
        api_key: str,
        shop_id: int | None = None,
        warehouse_code: str = "",
        batch_max: int = 50_000,
        pace: Pace | None = None,
        timeout_seconds: float = 30.0,
    ) -> None:
        pace = pace or Pace()
        self._descriptor = Descriptor(
            kind="mirakl", is_synchronous=False, can_read_back=False, batch_max=batch_max,
            calls_at_once=1, calls_per_second=1.0 / pace.import_seconds,
            quantity_max=QUANTITY_MAX, call_seconds_max=timeout_seconds,
            result_seconds=pace.status_seconds, result_seconds_max=pace.patience_seconds,
        )  # fmt: skip
        self._imports = f"{url.rstrip('/')}/api/offers/stock/imports"
        self._headers = {"Authorization": api_key}
        self._query = {} if shop_id is None else {"shop_id": str(shop_id)}
        self._warehouse_code = warehouse_code
        self._timeout = aiohttp.ClientTimeout(total=timeout_seconds)
        self._session: aiohttp.ClientSession | None = None
        self._status = _Gate(pace.status_seconds)
        self._report = _Gate(pace.report_seconds)

    @property
    def descriptor(self) -> Descriptor:
        return self._descriptor

    def group_of(self, listing: Listing) -> str:
        """One file for all."""
        del listing
        return ""

    async def publish(self, batch: Sequence[Desired], key: str) -> Answer:
        """STO01: one file; the key is unused, Mirakl knows none."""
        del key
        written, outcomes = _sorted_out(batch)
        if not written:
            return Answer(outcomes=outcomes)
        form = aiohttp.FormData()
        form.add_field(
            "file", stock_file(written, self._warehouse_code), filename="stock.csv",
            content_type="text/csv",
        )  # fmt: skip
        try:
            async with self._open().post(
                self._imports, data=form, params=self._query, headers=self._headers
            ) as response:
                outcome = _taken(response.status, response.headers, await response.read(), written)
        except aiohttp.ClientConnectorError as error:
            outcome = Failed(code="unreachable", detail=str(error)[:DETAIL_LENGTH])
        except TimeoutError:
            outcome = Unknown(code="timeout")
        except aiohttp.ClientError as error:
            outcome = Unknown(code="broken", detail=type(error).__name__)
        return Answer(outcomes=outcomes | {d.listing_id: outcome for d in written.values()})

    async def result(self, receipt: str, batch: Sequence[Desired]) -> Answer | None:
        """STO02, and STO03 where lines are in error; None also while it is too early to ask.

        Raises ChannelAway.
        """
        if not self._status.passes():
            return None
        told = await self._import_status(receipt)
        if told is None:
            return _all(batch, Unknown(code="import_unknown", detail=receipt))
        status, errors = str(told.get("status")), told.get("lines_in_error")
        if status == "FAILED":
            return _all(batch, Failed(code="import_failed", detail=receipt))
        if status != "COMPLETE":
            return None
        count = errors if isinstance(errors, int) else 0
        if not (told.get("has_error_report") or count):
            return _all(batch, Acknowledged())
        if not self._report.passes():
            return None
        report = await self._get(f"{receipt}/error_report")
        if report is None:
            return _all(batch, Unknown(code="no_error_report", detail=receipt))
        return Answer(outcomes=judged(report.decode("utf-8-sig", "replace"), batch, count))

    async def read_back(self, listings: Sequence[Listing]) -> Mapping[int, int | None]:
        """Never asked for: the descriptor says so. Raises ChannelAway."""
        raise ChannelAway(f"{len(listings)} offers cannot be read back within Mirakl's limits")

    async def close(self) -> None:
        """Drop the kept-alive connections."""
        if self._session is not None:
            await self._session.close()

    async def _import_status(self, receipt: str) -> dict[str, Any] | None:
        body = await self._get(f"{receipt}/status")
        if body is None:
            return None
        told = _parsed(body)
        if not isinstance(told, dict) or "status" not in told:
            raise ChannelAway("HTTP 200 without an import's status")
        return told

    async def _get(self, path: str) -> bytes | None:
        """The body; None where there is no such import (any more). Raises ChannelAway."""
        try:
            async with self._open().get(
                f"{self._imports}/{path}", params=self._query, headers=self._headers
            ) as response:
                if response.status == 404:
                    return None
                if response.status != 200:
                    after = _retry_after(response.headers)
                    raise ChannelAway(f"HTTP {response.status}", after)
                return await _read(response)
        except (aiohttp.ClientError, TimeoutError) as error:
            raise ChannelAway(type(error).__name__) from error

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:  # made late: a session belongs to the running loop
            self._session = aiohttp.ClientSession(timeout=self._timeout)
        return self._session


class _Gate:
    """Lets one call through in so many seconds, for all receipts together."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._opens_at = 0.0

    def passes(self) -> bool:
        now = asyncio.get_running_loop().time()
        if now < self._opens_at:
            return False
        self._opens_at = now + self._seconds
        return True


async def _read(response: aiohttp.ClientResponse) -> bytes:
    body = bytearray()
    async for chunk in response.content.iter_chunked(65_536):
        body += chunk
        if len(body) > REPORT_BYTES_MAX:
            raise ChannelAway(f"an answer of more than {REPORT_BYTES_MAX} bytes")
    return bytes(body)


def offer_sku(listing: Listing) -> str | None:
    """The shop's own sku of the offer, which the listing's code stands in for; None where it is
    no text of one line.
    """
    sku = listing.ids.get(OFFER_SKU) or listing.code
    return sku if 0 < len(sku) <= SKU_LENGTH_MAX and sku.isprintable() else None


def stock_file(written: Mapping[str, Desired], warehouse_code: str) -> bytes:
    """STO01's CSV: a header, then a line per offer, by sku, so that a line's number can be told
    from the batch alone. An empty `update-delete` updates (unverified).
    """
    out = io.StringIO()
    writer = csv.writer(out, delimiter=";", quoting=csv.QUOTE_ALL, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows((sku, written[sku].value, warehouse_code, "") for sku in sorted(written))
    return out.getvalue().encode()


def judged(report: str, batch: Sequence[Desired], errors: int) -> dict[int, Outcome]:
    """Each listing's outcome by STO03's report: what it names is refused, the rest was taken.

    Where it names fewer listings than there are lines in error, nobody knows which are missing.
    """
    written, outcomes = _sorted_out(batch)
    reasons = _reasons(report, sorted(written))
    rest: Outcome = Acknowledged()
    if not reasons or len(reasons) < errors:
        detail = f"{len(reasons)} of {errors} lines are named"
        rest = Unknown(code="error_report_incomplete", detail=detail)
    for sku, desired in written.items():
        reason = reasons.get(sku)
        outcomes[desired.listing_id] = (
            rest if reason is None else Refused(code="line_in_error", detail=reason)
        )
    return outcomes


def _reasons(report: str, skus: Sequence[str]) -> dict[str, str]:
    """Sku → why its line is in error: by the column of the sku where the report repeats the file,
    else by the line's number, where the header is line 1 (unverified).
    """
    rows = [row for row in csv.reader(io.StringIO(report), delimiter=";") if row]
    header = rows[0] if rows and not rows[0][0].isdecimal() else []
    place = header.index(COLUMNS[0]) if COLUMNS[0] in header else None
    known, found = set(skus), dict[str, str]()
    for row in rows[1:] if header else rows:
        reason = row[1][:DETAIL_LENGTH] if len(row) > 1 else ""
        if place is not None and len(row) > place:
            sku = row[place]
        else:
            index = int(row[0]) - 2 if row[0].isdecimal() and len(row[0]) < 10 else -1
            sku = skus[index] if 0 <= index < len(skus) else ""
        if sku in known:
            found[sku] = reason
    return found


def _sorted_out(batch: Sequence[Desired]) -> tuple[dict[str, Desired], dict[int, Outcome]]:
    """What goes into the file, by sku, and what cannot."""
    written: dict[str, Desired] = {}
    outcomes: dict[int, Outcome] = {}
    for desired in batch:
        sku = offer_sku(desired.listing)
        if sku is None:
            outcomes[desired.listing_id] = Refused(code="listing_ids_invalid")
        elif sku in written:  # one offer named by two listings would be told two values
            outcomes[desired.listing_id] = Refused(code="listing_ids_doubled")
        else:
            written[sku] = desired
    return written, outcomes


def _all(batch: Sequence[Desired], outcome: Outcome) -> Answer:
    """One outcome for everything that went into the file."""
    written, outcomes = _sorted_out(batch)
    return Answer(outcomes=outcomes | {d.listing_id: outcome for d in written.values()})


def _taken(
    status: int, headers: Mapping[str, str], body: bytes, written: Mapping[str, Desired]
) -> Outcome:
    """What STO01's answer means for every line of the file."""
    told = _parsed(body)
    told = told if isinstance(told, dict) else {}
    if status in (200, 201, 202):
        receipt = told.get("import_id")
        if isinstance(receipt, str | int) and str(receipt).replace("-", "").isalnum():
            return Accepted(receipt=str(receipt))
        return Unknown(code="nonsense", detail=f"HTTP {status} without an import_id")
    code, detail = f"http_{status}", str(told.get("message") or "")[:DETAIL_LENGTH]
    after = _retry_after(headers)
    if status == 429 or (status == 503 and after is not None):
        return Throttled(retry_after_seconds=after)
    if status in IN_DOUBT:
        return Unknown(code=code, detail=detail)
    if status in (400, 413, 422) and len(written) == 1:
        return Refused(code=code, detail=detail)
    # 401, 403, 404, 503 …: our key, its maintenance. Nothing was applied.
    return Failed(code=code, detail=detail, is_oversized=status in (400, 413, 422))


def _parsed(body: bytes) -> Any:
    try:
        return from_json(body)
    except ValueError:
        return None


def _retry_after(headers: Mapping[str, str]) -> float | None:
    text = headers.get("Retry-After", "")
    return min(float(text), 3600.0) if text.isdecimal() and text.isascii() else None
