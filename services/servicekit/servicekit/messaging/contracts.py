"""Contracts of events: files beside each producer, and an AsyncAPI 3 document for the whole shop.

`services/<service>/contracts/<type>.json` holds a sample of each event and
`contracts/schemas/<type>.json` its JSON Schema, both written by the producer's own test. The tests
of the consumers read the samples, so a renamed field fails at its producer first. A test that
finds a difference says what changed; with CONTRACTS=write in the environment it accepts the change.
"""

import json
import os
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType
from typing import Any

from servicekit.messaging.envelope import CONTENT_TYPE, ConsumedEvent, PublishedEvent
from servicekit.messaging.router import Router
from servicekit.messaging.topology import Topology, exchange_name

WRITE = "write"
DESCRIPTION = "CloudEvents 1.0, binary mode over AMQP 0-9-1. Delivery is at least once."


class ContractChanged(AssertionError):
    """What the code publishes or reads differs from the committed contract."""


def published_events(module: ModuleType) -> dict[str, type[PublishedEvent]]:
    """Return the events that `<service>/events.py` defines, by wire name."""
    own = [
        value
        for value in vars(module).values()
        if isinstance(value, type)
        and issubclass(value, PublishedEvent)
        # Not what it imports: a base class or another service's event is no contract of its.
        and value.__module__ == module.__name__
    ]
    by_type = sorted(own, key=lambda event_class: event_class.type)
    return {event_class.type: event_class for event_class in by_type}


def event_schema(event_class: type[PublishedEvent]) -> dict[str, Any]:
    """Return the JSON Schema of the event's data as it is on the wire."""
    return event_class.model_json_schema(mode="serialization")


def check_contracts(module: ModuleType, samples: Iterable[PublishedEvent], folder: Path) -> None:
    """Compare every event of `module` with its committed sample and schema.

    With CONTRACTS=write in the environment, write both first. `samples` holds an instance of each
    event; `folder` is the service's `contracts/`.

    Raises:
        ContractChanged: a sample is missing, a file is missing or left over, or a file differs.
    """
    by_type = {sample.type: sample for sample in samples}
    mismatched = sorted(set(published_events(module)) ^ set(by_type))
    if mismatched:
        raise ContractChanged(f"one sample per published event, please: {', '.join(mismatched)}")
    if os.environ.get("CONTRACTS") == WRITE:
        write_contracts(by_type.values(), folder)
    # A renamed event leaves its file behind, and consumers would go on reading that.
    left_over = sorted({path.stem for path in folder.glob("*.json")} - set(by_type))
    if left_over:
        names = ", ".join(left_over)
        raise ContractChanged(f"{folder.name}/ holds events that nobody publishes: {names}")
    for sample in by_type.values():
        _compare(folder / f"{sample.type}.json", sample.model_dump(mode="json"))
        _compare(folder / "schemas" / f"{sample.type}.json", event_schema(type(sample)))


def write_contracts(samples: Iterable[PublishedEvent], folder: Path) -> None:
    """Write the sample and the schema of each event."""
    (folder / "schemas").mkdir(parents=True, exist_ok=True)
    for sample in samples:
        path = folder / f"{sample.type}.json"
        path.write_text(_text(sample.model_dump(mode="json")), encoding="utf-8")
        schema_path = folder / "schemas" / path.name
        schema_path.write_text(_text(event_schema(type(sample))), encoding="utf-8")


def check_consumed(router: Router, services: Path) -> None:
    """Read the producers' committed samples with every event class that the router declares.

    `services` is the folder that holds the services.

    Raises:
        ContractChanged: a producer has no such event, its sample cannot be read, or a member that
            is always sent has a default: an event without it would pass for an event with it.
    """
    for queue, handlers in router.queues.items():
        for event_type, handler in handlers.items():
            path = services / event_type.partition(".")[0] / "contracts" / f"{event_type}.json"
            _check_reader(queue, handler.event_class, path)


def _check_reader(queue: str, event_class: type[ConsumedEvent], path: Path) -> None:
    event_type = event_class.type
    if not path.exists():
        raise ContractChanged(f"{queue} reads {event_type}, which nobody publishes ({path.name})")
    try:
        event_class.model_validate_json(path.read_bytes())
    except ValueError as error:
        raise ContractChanged(f"{queue} cannot read {event_type}: {error}") from error
    schema = _read(path.parent / "schemas" / path.name)
    filled_in = _members(schema, "required") & _with_defaults(event_class)
    if filled_in:
        names = ", ".join(sorted(filled_in))
        raise ContractChanged(f"{queue} fills in {names} of {event_type}")


def _with_defaults(event_class: type[ConsumedEvent]) -> set[str]:
    schema = event_class.model_json_schema()
    return _members(schema, "properties") - _members(schema, "required")


def _members(schema: dict[str, Any], keyword: str) -> set[str]:
    """Return the names that a keyword lists, in the schema and its definitions."""
    schemas = [schema, *schema.get("$defs", {}).values()]
    return {name for part in schemas for name in part.get(keyword, [])}


def asyncapi_document(topology: Topology, services: Path) -> dict[str, Any]:
    """Return the AsyncAPI 3 document of all services, from their contracts and the topology."""
    document: dict[str, Any] = {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Souk events",
            "version": "1.0.0",
            "description": DESCRIPTION,
        },
        "defaultContentType": CONTENT_TYPE,
        "channels": {},
        "operations": {},
        "components": {"messages": {}, "schemas": {}},
    }
    for path in sorted(services.glob("*/contracts/*.json")):
        _add_event(document, topology, path)
    return document


def _add_event(document: dict[str, Any], topology: Topology, path: Path) -> None:
    event_type = path.stem
    service = event_type.partition(".")[0]
    document["components"]["messages"][event_type] = {
        "name": event_type,
        "contentType": CONTENT_TYPE,
        "headers": HEADERS_SCHEMA,
        "payload": _hoisted(document, event_type, path.parent / "schemas" / path.name),
        "examples": [{"payload": _read(path)}],
    }
    document["channels"][event_type] = {
        "address": event_type,
        "messages": {"event": {"$ref": f"#/components/messages/{event_type}"}},
        "bindings": {"amqp": {"is": "routingKey", "exchange": _exchange(service)}},
    }
    channel = {"$ref": f"#/channels/{event_type}"}
    document["operations"][f"{service}.sends.{event_type}"] = {"action": "send", "channel": channel}
    for _source, queue, key in topology.bindings():
        if key == event_type:
            operation = {"action": "receive", "channel": channel, "summary": f"Queue {queue}"}
            document["operations"][f"{queue}.receives.{event_type}"] = operation


def _exchange(service: str) -> dict[str, str]:
    return {"name": exchange_name(service), "type": "topic"}


def _hoisted(document: dict[str, Any], event_type: str, path: Path) -> dict[str, Any]:
    """Return the schema with its definitions moved to the document's components.

    References in a document start from its root, so `$defs` of a schema would not be found.
    """
    prefix = f"#/components/schemas/{event_type}."
    text = path.read_text(encoding="utf-8").replace("#/$defs/", prefix)
    schema: dict[str, Any] = json.loads(text)
    for name, definition in schema.pop("$defs", {}).items():
        document["components"]["schemas"][f"{event_type}.{name}"] = definition
    return schema


HEADERS_SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": [
        "ce-id",
        "ce-type",
        "ce-source",
        "ce-specversion",
        "ce-subject",
        "ce-time",
        "ce-sequence",
    ],
    "properties": {
        "ce-id": {"type": "string", "format": "uuid", "description": "UUIDv7; deduplicate on it"},
        "ce-type": {"type": "string", "description": "equal to the routing key"},
        "ce-source": {"type": "string", "description": "/ and the service's name"},
        "ce-specversion": {"const": "1.0"},
        "ce-subject": {"type": "string", "description": "the aggregate's id"},
        "ce-sequence": {
            "type": "string",
            "description": "the aggregate's version after the change",
        },
        "ce-time": {"type": "string", "format": "date-time"},
        "ce-traceparent": {"type": "string", "description": "W3C Trace Context"},
        "ce-causationid": {
            "type": "string",
            "format": "uuid",
            "description": "the event that led to this one",
        },
    },
}


def _compare(path: Path, current: Any) -> None:
    committed = _read(path) if path.exists() else None
    if committed == current:
        return
    raise ContractChanged(
        f"{path.parent.name}/{path.name} differs from what is published now.\n"
        f"committed: {json.dumps(committed, sort_keys=True)}\n"
        f"published: {json.dumps(current, sort_keys=True)}\n"
        "Consumers read the committed fields: to rename, remove or retype a field takes a new "
        "major version. If it is only an addition, run the test once with CONTRACTS=write and "
        "commit the file."
    )


def _read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def _text(value: Any) -> str:
    return json.dumps(value, indent=2, sort_keys=True) + "\n"
