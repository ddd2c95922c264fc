"""The services: what runs each, where it answers, whose schema it migrates."""

from collections.abc import Collection
from dataclasses import dataclass

from services.cli.exits import CommandError, Exit
from services.cli.texts import tr


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """One process. `target` is MODULE:FUNCTION, imported only where it runs."""

    name: str
    target: str
    port: int
    port_variable: str
    schema: str | None = None


SERVICES = (
    Service(
        name="ledger-worker", target="services.ledger.app:main_worker", schema="ledger",
        port=8711, port_variable="STOCKTIDE_LEDGER_WORKER_PORT",
    ),
    Service(
        name="ledger-api", target="services.ledger.app:main_api", schema="ledger",
        port=8712, port_variable="STOCKTIDE_LEDGER_API_PORT",
    ),
    Service(
        name="catalog", target="services.catalog.app:main", schema="catalog",
        port=8761, port_variable="STOCKTIDE_CATALOG_PORT",
    ),
    Service(
        name="ingestion", target="services.ingestion.app:main", schema="ingestion",
        port=8751, port_variable="STOCKTIDE_INGESTION_PORT",
    ),
    Service(
        name="orders", target="services.orders.app:main", schema="orders",
        port=8741, port_variable="STOCKTIDE_ORDERS_PORT",
    ),
    Service(
        name="availability", target="services.availability.app:main", schema="availability",
        port=8721, port_variable="STOCKTIDE_AVAILABILITY_PORT",
    ),
    Service(
        name="publication", target="services.publication.app:main", schema="publication",
        port=8731, port_variable="STOCKTIDE_PUBLICATION_PORT",
    ),
)  # fmt: skip


def service_named(name: str) -> Service:
    """The service of this name. Raises CommandError that lists the names there are."""
    for service in SERVICES:
        if service.name == name:
            return service
    names = ", ".join(service.name for service in SERVICES)
    raise CommandError(
        tr("No service is called {name!r}.", name=name),
        tr("There are: {names}.", names=names),
        Exit.NOT_FOUND,
    )


def chosen(names: Collection[str]) -> list[Service]:
    """The named services in the registry's order, a folder's name standing for all its roles;
    all of them when none is named. Raises CommandError.
    """
    if not names:
        return list(SERVICES)
    found = [s for s in SERVICES if s.name in names or s.schema in names]
    for name in names:
        if not any(name in (service.name, service.schema) for service in found):
            service_named(name)
    return found
