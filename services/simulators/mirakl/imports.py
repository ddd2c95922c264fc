"""Stock imports: files that wait, run and end, one after the other, with a report of errors."""

import csv
import io
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from services.simulators.mirakl.marketplace import Marketplace, MiraklError, moment

COLUMNS: Final = ("offer-sku", "quantity", "warehouse-code", "update-delete")
WAITING_SECONDS: Final = 5.0
RUNNING_SECONDS: Final = 10.0
LINE_SECONDS: Final = 0.0005
QUANTITY_MAX: Final = 2**31 - 1
KEPT_MAX: Final = 500


@dataclass(slots=True, kw_only=True)
class StockImport:
    """One file. `begins_us` and `ends_us` are known at arrival: imports run in turn."""

    id: str
    created_us: int
    begins_us: int
    ends_us: int
    rows: list[list[str]]
    fails: bool
    is_over: bool = False
    applied: int = 0
    errors: list[tuple[int, str]] = field(default_factory=list)

    def status(self, now_us: int) -> str:
        """WAITING, RUNNING, then COMPLETE or FAILED for ever."""
        if self.is_over:
            return "FAILED" if self.fails else "COMPLETE"
        return "RUNNING" if now_us >= self.begins_us else "WAITING"

    def view(self, now_us: int, shop_id: int) -> dict[str, Any]:
        """The import's JSON (STO02)."""
        return {
            "import_id": self.id, "shop_id": shop_id, "status": self.status(now_us),
            "date_created": moment(self.created_us), "has_error_report": bool(self.errors),
            "lines_in_success": self.applied, "lines_in_error": len(self.errors),
        }  # fmt: skip

    def report(self) -> str:
        """The lines in error, with the line's number and the reason before what was sent (STO03).

        The first line of the file is its header and counts (unverified).
        """
        out = io.StringIO()
        writer = csv.writer(out, delimiter=";", quoting=csv.QUOTE_ALL, lineterminator="\n")
        writer.writerow(("line-number", "error-reason", *COLUMNS))
        for number, reason in self.errors:
            writer.writerow((number, reason, *self.rows[number - 2]))
        return out.getvalue()


class Imports:
    """The queue of files, worked off as time goes by: whoever looks, brings it up to date."""

    def __init__(
        self, marketplace: Marketplace, note: Callable[[int, int, int], None], speed: float
    ) -> None:
        self._marketplace = marketplace
        self._note = note
        self._speed = speed
        self._imports: dict[str, StockImport] = {}
        self._count = 0
        self.failing = 0
        """How many of the next imports end as FAILED, with nothing applied."""

    def add(self, text: str, now_us: int) -> StockImport:
        """A file has arrived. Raises MiraklError for one without the four columns."""
        header, *rows = list(csv.reader(io.StringIO(text), delimiter=";")) or [[]]
        if tuple(header) != COLUMNS:
            raise MiraklError(400, f"The file's columns are {';'.join(COLUMNS)}.")
        self._count += 1
        begins = now_us + self._us(WAITING_SECONDS)
        if self._imports:
            begins = max(begins, next(reversed(self._imports.values())).ends_us)
        made = StockImport(
            id=str(1000 + self._count), created_us=now_us, begins_us=begins,
            ends_us=begins + self._us(RUNNING_SECONDS + LINE_SECONDS * len(rows)),
            rows=rows, fails=self.failing > 0,
        )  # fmt: skip
        self.failing -= made.fails
        self._imports[made.id] = made
        if len(self._imports) > KEPT_MAX:
            del self._imports[next(iter(self._imports))]
        return made

    def get(self, import_id: str) -> StockImport:
        """The import. Raises MiraklError."""
        if (found := self._imports.get(import_id)) is None:
            raise MiraklError(404, f"Import {import_id} not found")
        return found

    def advance(self, now_us: int, take_bad_entry: Callable[[], int | None]) -> None:
        """End what is due; its quantities count from the moment of its end."""
        for one in self._imports.values():
            if not one.is_over and one.ends_us <= now_us:
                one.is_over = True
                if not one.fails:
                    self._apply(one, take_bad_entry())

    def _apply(self, one: StockImport, bad_entry: int | None) -> None:
        for number, row in enumerate(one.rows, start=2):
            reason = self._refusal(row, bad_entry)
            if reason is not None:
                one.errors.append((number, reason))
                continue
            offer, quantity = self._marketplace.offers[row[0]], int(row[1])
            offer.quantity = quantity
            one.applied += 1
            self._note(one.ends_us, offer.id, quantity)

    def _refusal(self, row: list[str], bad_entry: int | None) -> str | None:
        if len(row) != len(COLUMNS):
            return f"A line has {len(COLUMNS)} columns"
        sku, quantity, _, action = row
        offer = self._marketplace.offers.get(sku)
        if offer is None:
            return "The offer does not exist"
        if offer.id == bad_entry:
            return "The offer could not be saved"
        is_whole = quantity.isascii() and quantity.isdecimal()
        if not is_whole or int(quantity) > QUANTITY_MAX:
            return "The quantity is not a valid number"
        return None if action.lower() in {"", "update"} else "Deleting is not simulated"

    def _us(self, seconds: float) -> int:
        return round(seconds * 1e6 / self._speed)
