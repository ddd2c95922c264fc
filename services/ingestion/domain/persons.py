"""What may stand for a customer: a keyed hash of the shop's own number, and a coarse zone."""

import re
from hashlib import blake2b, sha256
from typing import Final

_COUNTRY: Final = re.compile(r"[A-Z]{2}", re.ASCII)
_NOT_IN_A_PREFIX: Final = re.compile(r"[^0-9A-Z]", re.ASCII)
PREFIX_LENGTH: Final = 2


def pseudonym(key: bytes | None, channel: str, customer: object) -> str | None:
    """`c_` and 32 hexadecimal digits; None without a key (an open hash of a number is the number)
    or without a customer (0 is WooCommerce's guest).
    """
    if key is None or isinstance(customer, bool) or not isinstance(customer, int | str):
        return None
    if customer in (0, "", "0"):
        return None
    told = f"{len(channel)}:{channel}{customer}"
    # A key of BLAKE2b has at most 64 bytes: ours is hashed, whatever its length.
    digest = blake2b(told.encode(), key=sha256(key).digest(), digest_size=16)
    return f"c_{digest.hexdigest()}"


def zone(country: object, postcode: object) -> str | None:
    """`FR-75`: the country and the first two characters of the postal code, never more."""
    if not isinstance(country, str) or _COUNTRY.fullmatch(country) is None:
        return None
    text = postcode.upper() if isinstance(postcode, str) else ""
    prefix = _NOT_IN_A_PREFIX.sub("", text)[:PREFIX_LENGTH]
    return f"{country}-{prefix}" if prefix else country
