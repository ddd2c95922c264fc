"""Messages for tests: a minimal movement with overrides, the examples, and values that do harm."""

import json
from pathlib import Path

from shared.contracts.topics import TOPICS, Topic

EXAMPLES = Path(__file__).parents[2] / "shared" / "contracts" / "examples"

# As JSON text, because several have no Python value that `json` would write so.
HOSTILE = (
    '"a\\u0000b"', '"a\\u001fb"', '"\\ud800"', '""', '"' + "x" * 600 + '"', '"A|B"', '"3"',
    "9223372036854775808", "-1", "3.0", "1e3", "1e400", "true", "null", "NaN", "Infinity", "[]",
    "{}", '"10000-01-01T00:00:00Z"', '"1999-12-31T23:59:59Z"', '"2026-03-02T10:15:00"',
    '"1772443000"', "1772443000", '"NaN"', '"1e5"', '"-1.00"', "1.5", '"9999999999999.00"',
    "123456789012345678901234567890", "[[[[[[]]]]]]", '"\\u202e"', '"é"',
)  # fmt: skip


def a_movement_value(**changes: object) -> bytes:
    """A minimal sale, as bytes, with some fields changed or added."""
    movement: dict[str, object] = {
        "type": "sale",
        "sku": "S1",
        "location": "L1",
        "quantity": 1,
        "occurred_at": "2026-03-02T10:15:00+01:00",
    }
    return json.dumps(movement | changes).encode()


def a_movement_with(field: str, text: str) -> bytes:
    """A minimal sale in which one field holds raw JSON text."""
    return a_movement_value(**{field: "@@"}).replace(b'"@@"', text.encode())


def all_examples() -> list[tuple[Topic, Path]]:
    """Every example file with its topic."""
    return [
        (topic, path) for topic in TOPICS for path in sorted((EXAMPLES / topic.name).glob("*.json"))
    ]
