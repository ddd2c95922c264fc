"""Breaking changes: what the contracts may no longer do to those who have built on them.

`released/` holds a description of each released topic. A change breaks when a message that was
valid, or a reader that was right, no longer is: a removed or newly required field, a narrower
type, enum or bound, another default, another key, partition rule, partition count or `ce_type`.
New optional fields, wider bounds and new enum values don't (readers park unknown values).

`python -m shared.contracts.compatibility` judges; `--release` then records the present contracts.
"""

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from pydantic import JsonValue

from .documents import JsonObject, schema_of
from .schemas import narrowings
from .topics import TOPICS, Topic

RELEASED: Final = Path(__file__).parent / "released"
_FIXED: Final = ("ce_type", "carries", "key", "partition_by", "partitions")


def described(topic: Topic) -> JsonObject:
    """What others rely on in one topic."""
    return {
        "topic": topic.name,
        "ce_type": topic.ce_type,
        "carries": topic.carries.value,
        "key": topic.key_rule,
        "partition_by": topic.partition_rule,
        "partitions": topic.partitions,
        "schema": schema_of(topic),
    }


def released() -> dict[str, JsonObject]:
    """The released descriptions, by topic."""
    paths = sorted(RELEASED.glob("*.json"))
    return {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in paths}


def breaking_changes(
    before: Mapping[str, JsonObject], now: Mapping[str, JsonObject]
) -> Iterator[str]:
    """Each breaking change between two sets of descriptions, as a sentence that names its place."""
    for name, old in before.items():
        if name not in now:
            yield f"{name}: the topic was removed"
            continue
        new = now[name]
        for rule in _FIXED:
            if old[rule] != new[rule]:
                yield f"{name}: {rule} was {old[rule]} and is {new[rule]}"
        for change in narrowings(_schema(old), _schema(new)):
            yield f"{name}: {change}"


def main(arguments: Sequence[str]) -> int:
    """Print breaking changes, 1 if there are any; with `--release` record what is compatible."""
    now = {topic.name: described(topic) for topic in TOPICS}
    changes = list(breaking_changes(released(), now))
    for change in changes:
        sys.stderr.write(f"{change}\n")
    if changes:
        return 1
    if "--release" in arguments:
        RELEASED.mkdir(exist_ok=True)
        for name, description in now.items():
            text = json.dumps(description, indent=1, ensure_ascii=False) + "\n"
            (RELEASED / f"{name}.json").write_text(text, encoding="utf-8")
    return 0


def _schema(description: JsonObject) -> JsonObject:
    schema: JsonValue = description["schema"]
    assert isinstance(schema, dict), description["topic"]
    return schema


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
