"""`stock cost`: the weighted average cost of SKUs, by legal entity."""

from services.cli.asking import ask, here
from services.cli.commands.stock import LEDGER, moment_of
from services.cli.console import print_json, print_table, say
from services.cli.exits import CommandError, Exit
from services.cli.texts import tr


def show_costs(skus: list[str], at: str | None, entity: str | None, *, as_json: bool) -> Exit:
    """Each SKU's average, and since when it is that. Raises CommandError for an unknown SKU."""
    moment = None if at is None else moment_of(at)
    query = {"sku": skus, "at": moment, "entity": entity}
    answer = ask(here(), LEDGER, "/v1/costs", query=query)
    if as_json:
        print_json(answer)
        return Exit.OK
    known = {one["sku"] for one in answer["costs"]}
    if strange := [sku for sku in skus if sku not in known]:
        raise CommandError(
            tr("The ledger does not know {skus}.", skus=", ".join(strange)),
            tr("Look for a typing error; `stocktide stock get` lists its locations."),
            Exit.NOT_FOUND,
        )
    print_table(
        tr("average cost of a unit"),
        ("sku", "legal entity", "unit cost", "currency", "since", "without a cost"),
        [
            (one["sku"], state["legal_entity"] or tr("none named"), state["unit_cost"],
             state["currency"], one["since"], state["uncosted_units"] or None)
            for one in answer["costs"]
            for state in one["entities"] or [NOTHING]
        ],
    )  # fmt: skip
    if any(one["is_stale"] for one in answer["costs"]):
        say(tr("Movements have come that are not worked out yet; ask again in a moment."))
    return Exit.OK


NOTHING = {"legal_entity": "", "unit_cost": None, "currency": None, "uncosted_units": 0}
