"""Contracts: a renamed field must fail at its producer, and a reader that wants more than is
published at its consumer.
"""

import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from pydantic import create_model

from servicekit.messaging.contracts import ContractChanged, check_consumed, check_contracts
from servicekit.messaging.envelope import ConsumedEvent, PublishedEvent
from servicekit.messaging.router import Router


def make_module(**fields: Any) -> tuple[ModuleType, PublishedEvent]:
    """Return an events module of the `shop` service with one event of these fields, and a sample of
    it.
    """
    module = ModuleType("shop.events")
    definitions: dict[str, Any] = {name: (type(value), ...) for name, value in fields.items()}
    event_class = create_model(
        "ThingSold", __base__=PublishedEvent, __module__=module.__name__, **definitions
    )
    module.ThingSold = event_class  # type: ignore[attr-defined]
    return module, event_class(**fields)


@pytest.fixture
def services(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of services in which shop's contracts are written and committed."""
    module, sample = make_module(price=Decimal("1.50"), quantity=2)
    monkeypatch.setenv("CONTRACTS", "write")
    check_contracts(module, [sample], tmp_path / "services" / "shop" / "contracts")
    monkeypatch.delenv("CONTRACTS")
    return tmp_path / "services"


def test_unchanged_event_agrees_with_its_contract(services: Path) -> None:
    module, sample = make_module(price=Decimal("1.50"), quantity=2)

    check_contracts(module, [sample], services / "shop" / "contracts")

    assert json.loads((services / "shop/contracts/shop.thing_sold.v1.json").read_text()) == {
        "price": "1.50",
        "quantity": 2,
    }


@pytest.mark.parametrize(
    "fields",
    [
        {"price": Decimal("1.50"), "amount": 2},
        {"price": Decimal("1.50")},
        {"price": 1.5, "quantity": 2},
        {"price": Decimal("1.50"), "quantity": 2, "colour": "red"},
    ],
    ids=["renamed", "removed", "retyped", "added"],
)
def test_changed_event_fails_against_its_contract(services: Path, fields: dict[str, Any]) -> None:
    module, sample = make_module(**fields)

    with pytest.raises(ContractChanged, match=r"shop\.thing_sold\.v1"):
        check_contracts(module, [sample], services / "shop" / "contracts")


def test_event_without_sample_or_publisher_fails(services: Path) -> None:
    module, sample = make_module(price=Decimal("1.50"), quantity=2)

    with pytest.raises(ContractChanged, match="one sample per published event"):
        check_contracts(module, [], services / "shop" / "contracts")
    (services / "shop/contracts/shop.thing_lost.v1.json").write_text("{}")
    with pytest.raises(ContractChanged, match="nobody publishes"):
        check_contracts(module, [sample], services / "shop" / "contracts")


class ThingSold(ConsumedEvent, service="shop"):
    quantity: int


class ThingFound(ConsumedEvent, service="shop"):
    quantity: int


def make_router(event_class: type[ConsumedEvent]) -> Router:
    router = Router("reader")
    router.handles("reader.shop", event_class)(lambda _event, _envelope: None)
    return router


def test_consumer_reads_what_is_published_and_no_more(services: Path) -> None:
    greedy: Callable[..., Any] = create_model(
        "ThingSold", __base__=ConsumedEvent, __cls_kwargs__={"service": "shop"}, colour=(str, ...)
    )

    check_consumed(make_router(ThingSold), services)

    with pytest.raises(ContractChanged, match="cannot read"):
        check_consumed(make_router(greedy), services)  # type: ignore[arg-type]
    with pytest.raises(ContractChanged, match="nobody publishes"):
        check_consumed(make_router(ThingFound), services)


@pytest.mark.parametrize("name", ["price", "quantity"])
def test_consumer_that_fills_in_what_is_always_sent_is_told(services: Path, name: str) -> None:
    hopeful: Callable[..., Any] = create_model(
        "ThingSold",
        __base__=ConsumedEvent,
        __cls_kwargs__={"service": "shop"},
        **{name: (Decimal, 1)},
    )

    with pytest.raises(ContractChanged, match=f"fills in {name}"):
        check_consumed(make_router(hopeful), services)  # type: ignore[arg-type]


def test_document_names_senders_and_receivers(services: Path) -> None:
    root = services.parent
    (root / "deploy").mkdir()
    (root / "docs").mkdir()
    topology = {
        "shop": {"queues": {}},
        "reader": {"queues": {"reader.shop": ["shop.thing_sold.v1"]}},
    }
    (root / "deploy" / "topology.json").write_text(json.dumps(topology))

    with pytest.raises(CommandError, match="out of date"):
        call_command("export_events", root=root, check=True)
    call_command("export_events", root=root)
    call_command("export_events", root=root, check=True)

    document = json.loads((root / "docs" / "asyncapi.json").read_text())
    assert set(document["operations"]) == {
        "shop.sends.shop.thing_sold.v1",
        "reader.shop.receives.shop.thing_sold.v1",
    }
    assert (
        "quantity"
        in document["components"]["messages"]["shop.thing_sold.v1"]["payload"]["properties"]
    )
