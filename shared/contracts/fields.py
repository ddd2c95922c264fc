"""The bounded values that messages are made of: each fits the database, none needs Python to check.

Every constraint here runs inside pydantic's compiled core, because movements are read at tens of
thousands a second. Text holds no control character (PostgreSQL has no NUL), and the parts of a
message key hold no `|`, so that two keys never read the same.
"""

import re
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Annotated, Final

from pydantic import Field, GetPydanticSchema, WithJsonSchema
from pydantic.functional_validators import BeforeValidator
from pydantic_core import core_schema

QUANTITY_MAX: Final = 10**9
TOTAL_MAX: Final = 10**15
# The largest whole number that a JSON reader in any language keeps exact.
NUMBER_MAX: Final = 2**53 - 1
EARLIEST: Final = datetime(2000, 1, 1, tzinfo=UTC)
LATEST: Final = datetime(2100, 12, 31, 23, 59, 59, tzinfo=UTC)

_TEXT: Final = r"^[^\x00-\x1f\x7f-\x9f]+$"
_KEY_PART: Final = r"^[^\x00-\x1f\x7f-\x9f|]+$"
_CODE: Final = r"^[a-z0-9][a-z0-9_.-]*$"

# Who, what, where.
Sku = Annotated[str, Field(min_length=1, max_length=64, pattern=_KEY_PART)]
LocationId = Annotated[str, Field(min_length=1, max_length=64, pattern=_KEY_PART)]
ChannelId = Annotated[str, Field(min_length=1, max_length=64, pattern=_KEY_PART)]
Owner = Annotated[str, Field(min_length=1, max_length=64, pattern=_KEY_PART)]
BucketName = Annotated[str, Field(max_length=32, pattern=r"^[a-z][a-z0-9_]*$")]

# Identifiers given by others; `KeyId` may stand before a `|` in a message key.
KeyId = Annotated[str, Field(min_length=1, max_length=200, pattern=_KEY_PART)]
Identifier = Annotated[str, Field(min_length=1, max_length=200, pattern=_TEXT)]
ShortText = Annotated[str, Field(min_length=1, max_length=64, pattern=_TEXT)]
Text = Annotated[str, Field(min_length=1, max_length=200, pattern=_TEXT)]
Code = Annotated[str, Field(max_length=64, pattern=_CODE)]

# People: a keyed hash and a country with a postal prefix, and nothing that leads back to them.
CustomerRef = Annotated[
    str,
    Field(
        pattern=r"^c_[0-9a-f]{16,64}$",
        description="Pseudonym: `c_` and 16 to 64 hexadecimal digits of a keyed hash.",
    ),
]
Zone = Annotated[
    str,
    Field(
        pattern=r"^[A-Z]{2}(-[0-9A-Z]{1,4})?$",
        description="Country and postal prefix, such as `FR-75`; never a whole address.",
    ),
]
Country = Annotated[str, Field(pattern=r"^[A-Z]{2}$")]
Currency = Annotated[str, Field(pattern=r"^[A-Z]{3}$")]

# Whole numbers. Strict models refuse "3", 3.0 and true for all of them.
Quantity = Annotated[int, Field(ge=1, le=QUANTITY_MAX)]
CountedQuantity = Annotated[int, Field(ge=0, le=QUANTITY_MAX)]
Total = Annotated[int, Field(ge=-TOTAL_MAX, le=TOTAL_MAX)]
NaturalTotal = Annotated[int, Field(ge=0, le=TOTAL_MAX)]
Number = Annotated[int, Field(ge=0, le=NUMBER_MAX)]
Permille = Annotated[int, Field(ge=0, le=1000)]
Partition = Annotated[int, Field(ge=0, le=100_000)]

# RFC 3339 text with a zone. The pattern keeps out "1700000000", which pydantic would read as a
# Unix time of a unit that it guesses.
_MOMENT: Final = core_schema.json_or_python_schema(
    json_schema=core_schema.chain_schema(
        [
            core_schema.str_schema(pattern=r"^[0-9]{4}-", max_length=64, strict=True),
            core_schema.datetime_schema(
                ge=EARLIEST, le=LATEST, tz_constraint="aware", strict=False
            ),
        ]
    ),
    python_schema=core_schema.datetime_schema(
        ge=EARLIEST, le=LATEST, tz_constraint="aware", strict=True
    ),
)
Moment = Annotated[
    datetime,
    GetPydanticSchema(lambda _source, _handler: _MOMENT),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
Day = Annotated[date, Field(ge=EARLIEST.date(), le=LATEST.date())]

_MONEY: Final = re.compile(r"[0-9]{1,12}(\.[0-9]{1,6})?", re.ASCII)


def _decimal_text(value: object) -> Decimal:
    """A decimal from its text; a JSON number has already been rounded by somebody's float."""
    if isinstance(value, Decimal):
        value = format(value, "f")
    if not isinstance(value, str) or _MONEY.fullmatch(value) is None:
        raise ValueError('money is decimal text such as "12.50"')
    return Decimal(value)


Money = Annotated[
    Decimal,
    BeforeValidator(_decimal_text),
    WithJsonSchema({"type": "string", "pattern": rf"^{_MONEY.pattern}$", "examples": ["12.50"]}),
]
