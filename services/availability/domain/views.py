"""The view of one SKU: what is shown of it, under one version, and which of it is news."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NotRequired, TypedDict

from services.availability.domain.facts import NOTHING_KNOWN, Facts
from services.availability.domain.figures import Figure, Offers, figures_of
from services.availability.domain.levels import Level, next_version
from services.availability.domain.plans import Plan


class Shown(TypedDict):
    """What a channel is shown. `version` is the view's version at which this last changed; it is
    the version of the message too, so that view and topic agree where their versions do.
    """

    available_to_sell: int
    version: int
    by_location: NotRequired[dict[str, int]]
    by_method: NotRequired[dict[str, int]]
    closed: NotRequired[bool]


@dataclass(slots=True, kw_only=True)
class Stock:
    """One SKU's row: what the view is made from, and what is shown now. Mutable while a batch is
    folded into it.
    """

    sku_id: int
    sku: str
    partition: int
    version: int
    unsourced: int = 0
    levels: dict[str, Level] = field(default_factory=dict)
    facts: Facts = NOTHING_KNOWN
    shown: Mapping[str, Shown] = field(default_factory=dict)
    is_in_kits: bool = False  # a kit, or a part of one, by any record ever told


@dataclass(slots=True, kw_only=True)
class View:
    """The result of a recomputation: everything of one SKU under one version.

    `changed` are the channels whose shown content is news; only these are published. A term that
    changed without changing what is shown (a pool far above `max_listed`) is no news.
    """

    version: int
    shown: Mapping[str, Shown]
    figures: Sequence[Figure]
    changed: tuple[Figure, ...]


def recompute(stock: Stock, plan: Plan, now_us: int, made: Sequence[Offers] | None = None) -> View:
    """The SKU's view from its inputs, in a transaction that began at `now_us` (µs since 1970).

    `made` is, for a kit, what can be made up of its parts for each channel.
    """
    version = next_version(stock.version, now_us)
    figures = figures_of(stock.levels, stock.unsourced, plan, made)
    shown: dict[str, Shown] = {}
    changed: list[Figure] = []
    for figure in figures:
        held = stock.shown.get(figure.channel)
        fresh = _shown(figure, version)
        if held is not None and {**fresh, "version": held["version"]} == held:
            shown[figure.channel] = held
        else:
            shown[figure.channel] = fresh
            changed.append(figure)
    return View(version=version, shown=shown, figures=figures, changed=tuple(changed))


def _shown(figure: Figure, version: int) -> Shown:
    shown = Shown(available_to_sell=figure.available_to_sell, version=version)
    if figure.by_location:
        shown["by_location"] = dict(figure.by_location)
    if figure.by_method:
        shown["by_method"] = dict(figure.by_method)
    if figure.is_closed:
        shown["closed"] = True
    return shown
