"""One shop's inventory at one location: a mutation a call, and what the location shows.

Source: shopify.dev, `inventorySetQuantities` (2026-04), and its changelog on compare-and-swap and
idempotency. The header of the access token is (unverified): `token_header`.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import aiohttp

from services.publication.channels import Answer, ChannelAway
from services.publication.channels.shopify.answers import (
    DETAIL_LENGTH,
    Reply,
    everyone,
    heard,
    is_throttled,
    outcomes_of,
    parsed,
    quantities,
    retry_seconds,
)
from services.publication.domain.capabilities import Descriptor
from services.publication.domain.outcomes import Failed, Outcome, Refused, Stale, Unknown
from services.publication.domain.wanting import Desired, Listing

ENTRIES_MAX = 250
READ_BACK_MAX = 100
QUANTITY_MAX = 1_000_000_000
ITEM = "inventory_item_id"
GID = re.compile(r"gid://shopify/(?P<kind>[A-Za-z]+)/\d{1,18}")
# A call is the mutation and, where entries were stale, one look at them: both fit its timeout.
MUTATION_SHARE, LOOK_SHARE = 0.7, 0.25

SET = """mutation Set($input: InventorySetQuantitiesInput!, $key: String!) {
  inventorySetQuantities(input: $input) @idempotent(key: $key) {
    userErrors { code field message }
  }
}"""
LEVELS = """query Levels($ids: [ID!]!, $location: ID!) {
  nodes(ids: $ids) {
    ... on InventoryItem {
      id
      inventoryLevel(locationId: $location) { quantities(names: ["available"]) { name quantity } }
    }
  }
}"""


class Shopify:
    """One shop's inventory at one location. The access token is that of an app in the shop."""

    def __init__(
        self,
        *,
        url: str,
        access_token: str,
        location_id: str,
        api_version: str = "2026-04",
        token_header: str = "X-Shopify-Access-Token",  # noqa: S107  (a header's name, no secret)
        batch_max: int = ENTRIES_MAX,
        calls_at_once: int = 1,
        timeout_seconds: float = 5.0,
    ) -> None:
        self._descriptor = Descriptor(
            kind="shopify", can_compare_and_set=True, fails_per_item=False,
            batch_max=min(batch_max, ENTRIES_MAX), read_back_max=READ_BACK_MAX,
            calls_at_once=calls_at_once, quantity_max=QUANTITY_MAX,
            call_seconds_max=timeout_seconds,
        )  # fmt: skip
        self._url = f"{url.rstrip('/')}/admin/api/{api_version}/graphql.json"
        location = _gid("Location", location_id)
        assert location is not None, location_id
        self._location = location
        self._headers = {token_header: access_token}
        self._session: aiohttp.ClientSession | None = None

    @property
    def descriptor(self) -> Descriptor:
        return self._descriptor

    def group_of(self, listing: Listing) -> str:
        """Any listings may share a call."""
        del listing
        return ""

    async def publish(self, batch: Sequence[Desired], key: str) -> Answer:
        """One mutation under `key`; of entries that were stale, a look at what they show now.

        The engine gives every call a key of its own, so that a key is never used up: what a call
        without an answer has done is read back, not asked again.
        """
        entries, outcomes = _entries(batch)
        if not entries:
            return Answer(outcomes=outcomes)
        variables = {"input": self._input(entries, key), "key": key}
        wanted = list(entries.values())
        reply = await self._sent(SET, variables, MUTATION_SHARE)
        if not isinstance(reply, Reply):
            return Answer(outcomes=outcomes | everyone(wanted, reply))
        found = outcomes_of(reply, wanted)
        stale = [d.listing for d in wanted if isinstance(found[d.listing_id], Stale)]
        if stale:
            found |= await self._look_at(stale[:READ_BACK_MAX])
        return Answer(outcomes=outcomes | found, heard=heard(reply))

    async def read_back(self, listings: Sequence[Listing]) -> Mapping[int, int | None]:
        """What the location has for sale of each; None where it stocks no such item."""
        return await self._levels(listings, MUTATION_SHARE)

    async def close(self) -> None:
        """Drop the kept-alive connections."""
        if self._session is not None:
            await self._session.close()

    def _input(self, entries: Mapping[str, Desired], key: str) -> dict[str, Any]:
        return {
            "name": "available", "reason": "correction",
            "referenceDocumentUri": f"stocktide://publication/{key}",
            "quantities": [
                {
                    "inventoryItemId": item, "locationId": self._location,
                    "quantity": desired.value, "changeFromQuantity": desired.expected,
                }
                for item, desired in entries.items()
            ],
        }  # fmt: skip

    async def _look_at(self, stale: Sequence[Listing]) -> dict[int, Outcome]:
        """The news itself; without it the engine still knows that there is some."""
        try:
            found = await self._levels(stale, LOOK_SHARE)
        except ChannelAway:
            return {}
        return {listing_id: Stale(found=shown) for listing_id, shown in found.items()}

    async def _levels(self, listings: Sequence[Listing], share: float) -> dict[int, int | None]:
        named = {item: one for one in listings if (item := _item_of(one)) is not None}
        found: dict[int, int | None] = dict.fromkeys(one.listing_id for one in listings)
        if not named:
            return found
        variables = {"ids": list(named), "location": self._location}
        reply = await self._sent(LEVELS, variables, share)
        if not isinstance(reply, Reply):
            raise ChannelAway(reply.code)
        if is_throttled(reply):
            raise ChannelAway("throttled", retry_seconds(reply))
        if (shown := quantities(reply)) is None:
            raise ChannelAway(f"HTTP {reply.status} {' '.join(reply.codes)}".rstrip())
        for item, quantity in shown.items():
            if (one := named.get(item)) is not None:
                found[one.listing_id] = quantity
        return found

    async def _sent(
        self, document: str, variables: Mapping[str, Any], share: float
    ) -> Reply | Failed | Unknown:
        body = {"query": document, "variables": variables}
        timeout = aiohttp.ClientTimeout(total=self._descriptor.call_seconds_max * share)
        try:
            async with self._open().post(
                self._url,
                json=body,
                headers=self._headers,
                timeout=timeout,
                allow_redirects=False,  # the token is for this shop alone
            ) as response:
                text, after = await response.text(), response.headers.get("Retry-After", "")
                return Reply(status=response.status, body=parsed(text), retry_after=after)
        except aiohttp.ClientConnectorError as error:
            return Failed(code="unreachable", detail=str(error)[:DETAIL_LENGTH])
        except TimeoutError:
            return Unknown(code="timeout")
        except (aiohttp.ClientError, UnicodeDecodeError) as error:
            return Unknown(code="broken", detail=type(error).__name__)

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:  # made late: a session belongs to the running loop
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=8, keepalive_timeout=60)
            )
        return self._session


def _entries(batch: Sequence[Desired]) -> tuple[dict[str, Desired], dict[int, Outcome]]:
    """The entries by their item, in order, and the outcomes of what no call is made for."""
    entries: dict[str, Desired] = {}
    outcomes: dict[int, Outcome] = {}
    for desired in batch:
        if (item := _item_of(desired.listing)) is None:
            outcomes[desired.listing_id] = Refused(code="listing_ids_invalid")
        elif item in entries:  # one item named by two listings would be told two values
            outcomes[desired.listing_id] = Refused(code="listing_ids_doubled")
        else:
            entries[item] = desired
    return entries, outcomes


def _item_of(listing: Listing) -> str | None:
    """The inventory item; the listing's own code is its variant's, and stands for no item."""
    return _gid("InventoryItem", listing.ids.get(ITEM, ""))


def _gid(kind: str, told: str) -> str | None:
    """A global id, from itself or from its number."""
    full = f"gid://shopify/{kind}/{told}" if told.isdecimal() else told
    match = GID.fullmatch(full)
    return full if match is not None and match["kind"] == kind else None
