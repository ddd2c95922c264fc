"""`stocktide stock …`: its options. Only what `--help` needs is imported here."""

from typing import Annotated

import typer

from services.cli.options import AsJson, end

stock = typer.Typer(no_args_is_help=True, help="Ask for stock: how much, and why that much.")


@stock.command("get")
def stock_get(
    skus: Annotated[list[str], typer.Argument(metavar="SKU…")], *, as_json: AsJson = False
) -> None:
    """What is where, and what each channel may sell of it."""
    from services.cli.commands.stock import get

    end(get(skus, as_json=as_json))


@stock.command("explain")
def stock_explain(
    sku: str,
    *,
    location: Annotated[str | None, typer.Option(help="Only this location.")] = None,
    channel: Annotated[str | None, typer.Option(help="Only this channel.")] = None,
    at: Annotated[str | None, typer.Option(help="As it was at a past time.")] = None,
    as_json: AsJson = False,
) -> None:
    """Why is it that many? Term by term, from the movements up; now or `--at` a past time."""
    from services.cli.commands.stock import explain

    end(explain(sku, location, channel, at, as_json=as_json))


@stock.command("cost")
def stock_cost(
    skus: Annotated[list[str], typer.Argument(metavar="SKU…")],
    *,
    at: Annotated[str | None, typer.Option(help="As it was at a past time.")] = None,
    entity: Annotated[str | None, typer.Option(help="Only this legal entity's.")] = None,
    as_json: AsJson = False,
) -> None:
    """What a unit costs on average, by legal entity; now or `--at` a past time."""
    from services.cli.commands.costs import show_costs

    end(show_costs(skus, at, entity, as_json=as_json))


@stock.command("suspended")
def stock_suspended(
    *,
    location: Annotated[str | None, typer.Option(help="Only this location.")] = None,
    after: Annotated[int, typer.Option(min=0, help="Only those after this number.")] = 0,
    limit: Annotated[int, typer.Option(min=1, max=1000)] = 100,
    as_json: AsJson = False,
) -> None:
    """What was looked for in vain and is not offered at a distance until it is counted."""
    from services.cli.commands.stock import suspended

    end(suspended(location, after, limit, as_json=as_json))


@stock.command("in-transit")
def stock_in_transit(
    *,
    location: Annotated[str | None, typer.Option(help="Only to this location.")] = None,
    discrepancies: Annotated[
        bool, typer.Option("--discrepancies", help="Only what cannot be right.")
    ] = False,
    after: Annotated[int, typer.Option(min=0, help="Only those after this number.")] = 0,
    limit: Annotated[int, typer.Option(min=1, max=1000)] = 100,
    as_json: AsJson = False,
) -> None:
    """What is on its way between places, and what should have come or came of nothing."""
    from services.cli.commands.stock import in_transit

    end(in_transit(location, after, limit, only_discrepancies=discrepancies, as_json=as_json))


@stock.command("goods-in")
def stock_goods_in(
    *,
    location: Annotated[str | None, typer.Option(help="Only what comes to this location.")] = None,
    supply: Annotated[str | None, typer.Option(help="Only this supply order.")] = None,
    deviations: Annotated[
        bool, typer.Option("--deviations", help="Only what somebody must look at.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """What supply orders are to bring beside what came: short, over, late, unannounced."""
    from services.cli.commands.goods_in import show_goods_in

    end(show_goods_in(location, supply, only_deviations=deviations, as_json=as_json))


@stock.command("lots")
def stock_lots(
    sku: Annotated[str | None, typer.Argument()] = None,
    *,
    location: Annotated[str | None, typer.Option(help="Only this location's.")] = None,
    expiring: Annotated[
        int | None, typer.Option(min=0, metavar="DAYS", help="Only what expires within DAYS.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """What is left of each lot on every shelf, in the order in which it is to go."""
    from services.cli.commands.lots import show_lots

    end(show_lots(sku, location, expiring, as_json=as_json))


@stock.command("trace")
def stock_trace(
    sku: str,
    *,
    lot: Annotated[str | None, typer.Option(help="A lot's code.")] = None,
    serial: Annotated[str | None, typer.Option(help="A serial number.")] = None,
    as_json: AsJson = False,
) -> None:
    """Where a lot or a serial number came from, and where it went."""
    from services.cli.commands.lots import trace

    end(trace(sku, lot, serial, as_json=as_json))
