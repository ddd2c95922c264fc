"""Our event ids: the same fact told again, by any road, has the same one.

An id is shaped as a UUIDv7 (RFC 9562, section 5.7): 48 bits of milliseconds since 1970, the
version, 12 bits, the variant, 62 bits. The 74 bits that are random there are taken from the first
80 of a SHA-256 here, and the time is `occurred_at` cut to the whole second, because webhooks and
polls tell the same moment with different precision.
"""

from hashlib import sha256
from typing import Final

# One byte says what was hashed, so that the three kinds of id never meet.
_OF_DOCUMENT: Final = "d"
_OF_MESSAGE: Final = "m"
_DERIVED: Final = b"c"
# The last 80 bits of an id: 4 of the version, 12 hashed, 2 of the variant, 62 hashed.
_VERSION_AND_VARIANT: Final = 0x7000_8000_0000_0000_0000
_HASHED: Final = 0x0FFF_3FFF_FFFF_FFFF_FFFF
_SECONDS_MAX: Final = (1 << 48) // 1000

DocumentKey = tuple[str, str, str | None]


def event_id(
    source: str, ce_id: str, occurred_at_seconds: int, document: DocumentKey | None
) -> bytes:
    """The 16 bytes that identify an event.

    A movement with a document (kind, number, line) is identified by source and document, anything
    else by `source` and `ce_id`. `occurred_at_seconds` are whole seconds since 1970, rounded down.
    Raises `ValueError` for a moment outside 48 bits of milliseconds.
    """
    # Each field after its length: no two tuples give the same text.
    if document is None:
        told = f"{_OF_MESSAGE}{len(source)}:{source}{len(ce_id)}:{ce_id}"
    else:
        kind, number, line = document
        # No line is something else than an empty line, or line "-".
        last = "-" if line is None else f"{len(line)}:{line}"
        told = f"{_OF_DOCUMENT}{len(source)}:{source}{len(kind)}:{kind}{len(number)}:{number}{last}"
    return _shaped(occurred_at_seconds, told.encode())


def derived_id(first: bytes, second: bytes, purpose: str, occurred_at_seconds: int) -> bytes:
    """The id of what follows from two events, such as the compensation between two revisions.

    Order matters, and `purpose` separates what may follow from the same two.
    """
    assert len(first) == len(second) == 16, (first, second)
    return _shaped(occurred_at_seconds, _DERIVED + first + second + purpose.encode())


def part_line_id(line_id: str, sku: str) -> str:
    """What names one part of a kit's order line, beside the lines of the order.

    No line is told under such a name: `|` stands in no identifier that goes into a key.
    """
    return f"{line_id}|{sku}"


def _shaped(seconds: int, hashed: bytes) -> bytes:
    if not 0 <= seconds < _SECONDS_MAX:
        raise ValueError(f"{seconds} s since 1970 do not fit an event id")
    digest = int.from_bytes(sha256(hashed).digest()[:10], "big")
    return (seconds * 1000 << 80 | digest & _HASHED | _VERSION_AND_VARIANT).to_bytes(16, "big")
