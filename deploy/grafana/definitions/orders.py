"""Orders and promises: what was asked for, what it got, and what waits."""

from grafana_foundation_sdk.builders.dashboard import Dashboard

from deploy.grafana.definitions.panels import ANY_IS_WORK, graph, number, page, rate


def orders() -> Dashboard:
    """Orders, their lines, returns, and holds that are too old."""
    return page("orders", "Stocktide orders and promises",
                "What was asked for, what it got, and what waits.", [
        number("Orders changed", "Orders for which a state was news, per second.",
               "sum(rate(stocktide_orders_changed_total[5m]))", unit="ops", span=6),
        number("Lines waiting", "Lines that wait for reference data.",
               "sum(stocktide_orders_lines_waiting)", steps=ANY_IS_WORK, span=6),
        number("Overdue holds", "Open for longer than their kind allows.",
               "sum(stocktide_overdue_holds)", steps=ANY_IS_WORK, span=6),
        number("Returns graded, last hour", "Movements of units that came back.",
               "sum(increase(stocktide_orders_return_movements_total[1h]))", span=6),
        graph("Lines decided", "By decision and its reason, per second.",
              (rate("stocktide_orders_lines_decided_total", "decision, reason"),
               "{{decision}} {{reason}}"), unit="ops"),
        graph("Wishes", "That changed, per second: by an order's own state, or decided again.",
              (rate("stocktide_orders_commands_total", "cause"), "{{cause}}"), unit="ops"),
        graph("Waiting", "Lines that wait for reference data, by reason.",
              ("sum by (reason) (stocktide_orders_lines_waiting)", "{{reason}}")),
        graph("Overdue holds", "By purpose.",
              ("sum by (purpose) (stocktide_overdue_holds)", "{{purpose}}")),
        graph("Webhooks", "Deliveries of orders by fate, per second.",
              (rate("stocktide_ingestion_deliveries_total", "protocol, fate"),
               "{{protocol}} {{fate}}"), unit="ops"),
        graph("Marketplaces", "Lists of orders by outcome, per second, and acceptances.",
              (rate("stocktide_ingestion_polls_total", "channel, outcome"),
               "{{channel}} {{outcome}}"),
              (f"{rate('stocktide_ingestion_acceptances_total', 'channel, accepted')} "
               "or vector(0)", "{{channel}} accepted {{accepted}}"), unit="ops"),
    ])  # fmt: skip
