"""The view of availability as the checker reads it, in PostgreSQL and in Redis.

A view is two lines of JSON, of which the first says what each channel is shown. In Redis it stands
behind 16 bytes: the generation and the version.
"""

import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass

import asyncpg

from services.cli.demo.formula import Level

VIEW_KEY = "ats:{%s}"
HEADER_BYTES = 16
VERSION = struct.Struct(">Q")


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """One SKU's row of availability: the levels that it knows, and what it shows."""

    version: int
    levels: Mapping[str, tuple[int, Level]]
    shown: Mapping[str, int]
    payload: bytes


def view_of(row: asyncpg.Record) -> View:
    """A row of `repository.checking.VIEWS`."""
    levels: dict[str, list[int]] = json.loads(row["levels"])
    first_line = row["view"].partition(b"\n")[0]
    shown: dict[str, dict[str, int]] = json.loads(first_line or b"{}")
    return View(
        version=row["version"],
        levels={name: (told[0], Level(told[1], told[2], told[3])) for name, told in levels.items()},
        shown={channel: told["available_to_sell"] for channel, told in shown.items()},
        payload=row["view"],
    )


def difference(view: View, value: bytes | str | None) -> str | None:
    """How a value in Redis differs from the row in PostgreSQL; None where it doesn't."""
    if not isinstance(value, bytes):
        return "not in Redis"
    (version,) = VERSION.unpack_from(value, VERSION.size)
    if version != view.version:
        return f"version {version} in Redis, {view.version} in PostgreSQL"
    return None if value[HEADER_BYTES:] == view.payload else "other figures under the same version"
