"""Is the book what lies on the shelves? What somebody must look for, count or ask about."""

from grafana_foundation_sdk.builders.dashboard import Dashboard

from deploy.grafana.definitions.panels import (
    ANY_IS_BAD,
    ANY_IS_WORK,
    graph,
    number,
    page,
    rate,
)


def stock() -> Dashboard:
    """Promises beyond the stock, phantom stock, goods on their way, sources."""
    return page("stock", "Stocktide stock health", "Is the book what lies on the shelves?", [
        number("Oversold", "Units promised beyond what there is, buffers not counted.",
               "sum(stocktide_oversold_units)", steps=ANY_IS_BAD),
        number("Looked for in vain",
               "SKUs at a place that are not offered at a distance until they are counted: "
               "`stocktide stock suspended`.",
               "sum(stocktide_suspended_levels)", steps=ANY_IS_WORK),
        number("Goods-in otherwise than ordered",
               "Supply lines overdue, short, over or unannounced: `stocktide stock goods-in`.",
               "sum(stocktide_goods_in_deviations)", steps=ANY_IS_WORK),
        number("Transfers that differ",
               "Not all come long after the dispatch, or more: `stocktide stock in-transit`.",
               "sum(stocktide_transfer_discrepancies)", steps=ANY_IS_WORK),
        number("Silent sources", "Told nothing for longer than they may: `stocktide sources`.",
               "sum(stocktide_silent_sources)", steps=ANY_IS_WORK),
        number("Closed counts with late entries",
               "Something came after the count was closed: `stocktide count list`.",
               "sum(stocktide_closed_counts_with_late_entries)", steps=ANY_IS_WORK),
        graph("Oversold", "Units over time.", ("sum(stocktide_oversold_units)", "units")),
        graph("To be looked for", "Phantom stock, goods-in and transfers.",
              ("sum(stocktide_suspended_levels)", "looked for in vain"),
              ("sum(stocktide_goods_in_deviations)", "goods-in"),
              ("sum(stocktide_transfer_discrepancies)", "transfers")),
        graph("Observations", "What observing sources told and the book doesn't say.",
              ("sum by (state) (stocktide_observations)", "{{state}}")),
        graph("Sources", "Silent, undeclared, and ranges of message numbers that are missing.",
              ("sum(stocktide_silent_sources)", "silent"),
              ("sum(stocktide_undeclared_sources)", "undeclared"),
              ("sum(stocktide_sequence_gaps)", "gaps")),
        graph("Movements and what else the ledger reads", "By fate, per second.",
              (rate("stocktide_ledger_messages_total", "fate"), "{{fate}}"), unit="ops"),
        graph("Invariants", "1 where one is violated now, by what the process can see.",
              ("max by (invariant) (stocktide_invariant_violations)", "{{invariant}}")),
    ])  # fmt: skip
