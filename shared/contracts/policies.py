"""Reference data that shapes the offer: policies, each one term's value for a scope and a time."""

from typing import ClassVar, Literal, Self

from pydantic import model_validator

from .dated import Dated
from .fields import ChannelId, Code, Country, KeyId, LocationId, ShortText, Sku, Total
from .products import Category
from .records import Record


class Scope(Record):
    """What a policy is about; an absent part stands for all. At most one part of each side."""

    sku: Sku | None = None
    category: Category | None = None
    segment: ShortText | None = None
    location: LocationId | None = None
    location_group: Code | None = None
    country: Country | None = None
    channel: ChannelId | None = None

    @model_validator(mode="after")
    def _has_one_part_a_side(self) -> Self:
        products = (self.sku, self.category, self.segment)
        places = (self.location, self.location_group, self.country)
        if any(sum(part is not None for part in side) > 1 for side in (products, places)):
            raise ValueError("a scope names one of sku, category, segment, and one kind of place")
        return self


class Policy(Dated):
    """One term's value. A whole number, or a word for terms that choose (`text`); not both."""

    NAMED_BY: ClassVar = ("policy_id",)

    kind: Literal["policy"]
    policy_id: KeyId
    term: Code
    value: Total | None = None
    text: Code | None = None
    scope: Scope = Scope()

    @model_validator(mode="after")
    def _has_one_value(self) -> Self:
        if (self.value is None) is (self.text is None):
            raise ValueError("a policy has a value or a text")
        return self
