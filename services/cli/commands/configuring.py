"""`config show`: every setting in force, with secrets hidden, and names that nobody knows."""

from pydantic import BaseModel, SecretStr

from services.availability.settings import AvailabilitySettings
from services.catalog.settings import CatalogSettings
from services.cli.console import print_json, print_table, say
from services.cli.exits import Exit
from services.cli.texts import tr
from services.ledger.settings import LedgerSettings
from services.publication.settings import PublicationSettings
from shared.runtime.settings import Settings, StackSettings, unknown_settings

CLASSES: tuple[type[Settings], ...] = (
    StackSettings,
    LedgerSettings,
    AvailabilitySettings,
    PublicationSettings,
    CatalogSettings,
)


def show_config(*, as_json: bool) -> Exit:
    """Status 2 when a name is set that no setting has: mostly a typing error."""
    found = []
    for cls in CLASSES:
        values = cls()
        found += [
            {
                "variable": cls.variable(name),
                "value": shown(getattr(values, name)),
                "is_default": name not in values.model_fields_set,
                "meaning": field.description or "",
            }
            for name, field in cls.model_fields.items()
        ]
    unknown = unknown_settings(CLASSES)
    if as_json:
        print_json({"settings": found, "unknown": unknown})
    else:
        print_table(
            tr("settings"),
            ("variable", "value", "meaning"),
            [(one["variable"], one["value"], one["meaning"]) for one in found],
        )
        for name in unknown:
            say(tr("Unknown: {name}. Correct or remove it.", name=name))
    return Exit.USAGE if unknown else Exit.OK


def shown(value: object) -> object:
    """A value as it may be shown: secrets hidden, also inside."""
    if isinstance(value, SecretStr):
        return "********"
    if isinstance(value, BaseModel):
        return {name: shown(getattr(value, name)) for name in type(value).model_fields}
    if isinstance(value, dict):
        return {name: shown(one) for name, one in value.items()}
    return value if isinstance(value, int | float | str | bool | None) else str(value)
