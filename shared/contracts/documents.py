"""The contracts as JSON Schemas and as one AsyncAPI 3.0 document with Kafka bindings.

Sources: asyncapi.com's specification 3.0.0 and Kafka bindings 0.5.0. Everything is derived from
the catalogue and the models, and sorted, so that the same contracts give the same bytes.
"""

from typing import Final

from pydantic import JsonValue
from pydantic.json_schema import models_json_schema

from .cloudevents import JSON, EventHeaders
from .topics import TOPICS, Topic

JsonObject = dict[str, JsonValue]

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
_COMPONENTS: Final = "#/components/schemas/{model}"
_BINDING: Final = "0.5.0"
_HEADERS_REQUIRED: Final = ("specversion", "id", "source", "type")


def schema_of(topic: Topic) -> JsonObject:
    """The JSON Schema of a topic's payload, complete in itself."""
    schema: JsonObject = topic.schema.json_schema(by_alias=True, mode="validation")
    return {"$schema": DIALECT, "$id": topic.dataschema, **schema}


def asyncapi(version: str) -> JsonObject:
    """The AsyncAPI 3.0 document of the whole catalogue."""
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Stocktide",
            "version": version,
            "description": "CloudEvents 1.0 on Kafka, binary mode; the value is JSON.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": JSON,
        "channels": {topic.name: _channel(topic) for topic in TOPICS},
        "operations": _operations(),
        "components": {
            "messages": {topic.name: _message(topic) for topic in TOPICS},
            "schemas": _schemas(),
        },
    }


def _schemas() -> JsonObject:
    models = [model for topic in TOPICS for model in topic.models]
    _, definitions = models_json_schema(
        [(model, "validation") for model in models], by_alias=True, ref_template=_COMPONENTS
    )
    schemas: JsonObject = definitions["$defs"]
    return dict(sorted(schemas.items()))


def _channel(topic: Topic) -> JsonObject:
    configuration: JsonObject = {"cleanup.policy": [topic.configuration()["cleanup.policy"]]}
    if topic.retention_ms is not None:
        configuration["retention.ms"] = topic.retention_ms
    return {
        "address": topic.name,
        "description": f"{topic.purpose} Partitioned by `{topic.partition_rule}`.",
        "messages": {topic.name: {"$ref": f"#/components/messages/{topic.name}"}},
        "bindings": {
            "kafka": {
                "topic": topic.name,
                "partitions": topic.partitions,
                "topicConfiguration": configuration,
                "bindingVersion": _BINDING,
            }
        },
    }


def _operations() -> JsonObject:
    return {
        f"{action}-{topic.name}": {
            "action": action,
            "channel": {"$ref": f"#/channels/{topic.name}"},
            "description": f"By {', '.join(who)}.",
            "messages": [{"$ref": f"#/channels/{topic.name}/messages/{topic.name}"}],
        }
        for topic in TOPICS
        for action, who in (("send", topic.producers), ("receive", topic.consumers))
    }


def _message(topic: Topic) -> JsonObject:
    models: list[JsonValue] = [
        {"$ref": _COMPONENTS.format(model=model.__name__)} for model in topic.models
    ]
    return {
        "name": topic.ce_type,
        "summary": topic.purpose,
        "contentType": JSON,
        "headers": _headers(topic),
        "payload": models[0] if len(models) == 1 else {"oneOf": models, "discriminator": "kind"},
        "bindings": {
            "kafka": {
                "key": {"type": "string", "description": topic.key_rule},
                "bindingVersion": _BINDING,
            }
        },
    }


def _headers(topic: Topic) -> JsonObject:
    properties: JsonObject = {
        f"ce_{name}": {"type": "string"}
        for name in EventHeaders.model_fields
        if name != "datacontenttype"
    }
    properties["ce_specversion"] = {"const": "1.0"}
    properties["ce_type"] = {"const": topic.ce_type}
    properties["content-type"] = {"const": JSON}
    return {
        "type": "object",
        "required": [f"ce_{name}" for name in _HEADERS_REQUIRED],
        "properties": properties,
    }
