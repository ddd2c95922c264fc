"""Requests that may wait: what they are decided on besides, and where what waits is held."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from services.ledger.domain.holds import may_wait, terms_of
from services.ledger.domain.requests import Reserve, SkuStock
from services.ledger.domain.terms import TermBook
from services.ledger.domain.waiting import Outlook, place_for
from services.ledger.repository import waiting
from shared.postgres.connecting import Connection

Stocks = Mapping[str, SkuStock]


async def make_room(
    connection: Connection, group: Sequence[Reserve], stocks: Stocks, book: TermBook, now: datetime
) -> Mapping[str, Outlook]:
    """What is to come of the SKUs that requests may wait for, each with a level at the place where
    it would wait: nothing may ever have lain there. Before any level is locked.
    """
    wanted = [
        (request, wish, stocks[wish.sku])
        for request in group
        if request.may_wait
        for wish in request.wishes
        if wish.sku in stocks
    ]
    if not wanted:
        return {}
    skus = {wish.sku for _, wish, _ in wanted}
    outlooks = await waiting.read_outlooks(connection, skus, now)
    missing: set[tuple[int, str]] = set()
    for request, wish, stock in wanted:
        terms = terms_of(request, wish, stock, book, now)
        if terms.refusal is not None or not may_wait(request, stock, terms, now):
            continue
        open_places = [
            name
            for name in wish.locations or terms.places
            if name in terms.places and terms.places[name].hindrance is None
        ]
        place = place_for(open_places, outlooks[wish.sku].coming)
        if place is not None and place not in stock.levels:
            missing.add((stock.sku_id, place))
    if missing:
        await waiting.make_levels(connection, missing)
    return outlooks


def is_before_sale(group: Sequence[Reserve], stocks: Stocks, now: datetime) -> bool:
    """Is anything of the group pre-ordered? All that is claimed of it counts then."""
    return any(
        stocks[wish.sku].facts.life_at(now).is_before_sale(now)
        for request in group
        if request.may_wait
        for wish in request.wishes
        if wish.sku in stocks
    )


async def with_outlooks(
    connection: Connection, stocks: Stocks, before: Mapping[str, Outlook], now: datetime
) -> Stocks:
    """The stocks with what they owe by now, once their levels are locked."""
    if not before:
        return stocks
    outlooks = await waiting.read_outlooks(connection, before, now)
    return {
        sku: replace(stock, outlook=outlooks[sku]) if sku in outlooks else stock
        for sku, stock in stocks.items()
    }
