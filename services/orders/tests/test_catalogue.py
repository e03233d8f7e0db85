"""The copy of the catalogue, rebuilt from a products service that really runs."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import psycopg
import pytest
import requests
from django.core.management import CommandError, call_command
from psycopg import sql

from orders.models import CatalogueProduct
from orders.services import catalogue
from servicekit.testing.waiting import wait_until
from tests.factories import make_product

PRODUCTS = Path(__file__).parents[2] / "products"
FILL = """
from decimal import Decimal
from products.services.products import create_product
for n in range(230):
    create_product(slug=f"thing-{n:03}", name=f"Thing {n}", price=Decimal("1.50"), currency="GBP")
"""


def is_up(url: str) -> bool:
    try:
        return requests.get(f"{url}/livez", timeout=1).ok
    except (requests.ConnectionError, requests.Timeout):
        return False


@pytest.fixture(scope="module")
def products_url() -> Iterator[str]:
    """A products service of our own with 230 products, on a database of its own."""
    server = os.environ["TEST_DATABASE_URL"]
    name = f"test_products_{uuid4().hex[:8]}"
    parts = urlsplit(server)
    environment = {
        **os.environ,
        "DATABASE_URL": urlunsplit((parts.scheme, parts.netloc, f"/{name}", parts.query, "")),
        "DJANGO_SETTINGS_MODULE": "products.settings",
        "PYTHONPATH": str(PRODUCTS),
    }

    def manage(*words: str) -> None:
        command = [sys.executable, "manage.py", *words]
        subprocess.run(command, cwd=PRODUCTS, env=environment, check=True, capture_output=True)

    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        try:
            manage("migrate", "--verbosity=0")
            manage("shell", "-c", FILL)
            with socket.create_server(("127.0.0.1", 0)) as free:
                port = free.getsockname()[1]
            command = [
                sys.executable,
                "-m",
                "gunicorn",
                "--bind",
                f"127.0.0.1:{port}",
                "products.wsgi",
            ]
            service = subprocess.Popen(
                command,
                cwd=PRODUCTS,
                env=environment,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            try:
                url = f"http://127.0.0.1:{port}"
                wait_until(lambda: is_up(url))
                yield url
            finally:
                service.terminate()
                service.wait(timeout=20)
        finally:
            connection.execute(
                sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name))
            )


@pytest.mark.django_db
def test_rebuild_asks_products_directly_whatever_proxy_the_environment_names(
    products_url: str, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.PRODUCTS_URL = products_url
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.setattr(catalogue, "TRIES", 1)

    assert catalogue.rebuild_catalogue(report=lambda _line: None) == 230


@pytest.mark.django_db
def test_rebuild_reads_every_page_and_twice_changes_nothing(
    products_url: str, settings: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    settings.PRODUCTS_URL = products_url

    call_command("rebuild_catalogue")
    first = set(CatalogueProduct.objects.values_list("product_id", "version", "updated_at"))
    call_command("rebuild_catalogue")

    assert len(first) == 230
    assert set(CatalogueProduct.objects.values_list("product_id", "version", "updated_at")) == first
    assert "230" in capsys.readouterr().out
    assert str(CatalogueProduct.objects.get(slug="thing-007").price) == "1.50"


@pytest.mark.django_db
def test_rebuild_mends_what_is_missing_old_or_gone_and_keeps_what_is_newer(
    products_url: str, settings: Any
) -> None:
    settings.PRODUCTS_URL = products_url
    catalogue.rebuild_catalogue(report=lambda _line: None)
    CatalogueProduct.objects.filter(slug="thing-001").delete()
    CatalogueProduct.objects.filter(slug="thing-002").update(version=0, name="Old")
    CatalogueProduct.objects.filter(slug="thing-003").update(
        version=99, name="Newer than the answer"
    )
    gone = make_product(slug="gone")

    catalogue.rebuild_catalogue(report=lambda _line: None)

    names = dict(CatalogueProduct.objects.filter(active=True).values_list("slug", "name"))
    assert names["thing-001"] == "Thing 1"
    assert names["thing-002"] == "Thing 2"
    assert names["thing-003"] == "Newer than the answer"
    assert "gone" not in names
    assert CatalogueProduct.objects.filter(pk=gone.pk).exists()


@pytest.mark.django_db
def test_rebuild_without_products_says_so_and_keeps_the_copy(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.PRODUCTS_URL = "http://127.0.0.1:1"
    monkeypatch.setattr(catalogue, "TRIES", 1)  # the pauses between tries take 15 s
    kept = make_product()

    with pytest.raises(CommandError, match="does not answer"):
        call_command("rebuild_catalogue")

    kept.refresh_from_db()
    assert kept.active
