"""The relying party of passkeys, as the environment describes it."""

import pytest
from django.core.exceptions import ImproperlyConfigured

from users.passkey_settings import relying_party

NAMES = ("PASSKEY_RP_ID", "PASSKEY_RP_NAME", "PASSKEY_ORIGINS", "GATEWAY_HOSTS", "GATEWAY_PORT")


@pytest.fixture(autouse=True)
def _nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("hosts", "port", "domain", "origin"),
    [
        ("", "", "localhost", "http://localhost:8080"),
        ("localhost,127.0.0.1", "8090", "localhost", "http://localhost:8090"),
        ("localhost", "80", "localhost", "http://localhost"),
        ("127.0.0.1", "8090", "localhost", "http://localhost:8090"),
        ("127.0.0.1,shop.example.org", "443", "shop.example.org", "https://shop.example.org"),
        ("shop.example.org,localhost", "", "shop.example.org", "https://shop.example.org"),
    ],
)
def test_relying_party_is_the_gateway_s_first_name(
    monkeypatch: pytest.MonkeyPatch, hosts: str, port: str, domain: str, origin: str
) -> None:
    monkeypatch.setenv("GATEWAY_HOSTS", hosts)
    monkeypatch.setenv("GATEWAY_PORT", port)

    found = relying_party()

    assert (found.id, found.name, found.origins) == (domain, "Souk", [origin])


def test_relying_party_is_what_the_environment_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PASSKEY_RP_ID", "example.org")
    monkeypatch.setenv("PASSKEY_RP_NAME", "Bazaar")
    monkeypatch.setenv("PASSKEY_ORIGINS", "https://example.org, https://shop.example.org:8443")

    found = relying_party()

    assert (found.id, found.name) == ("example.org", "Bazaar")
    assert found.origins == ["https://example.org", "https://shop.example.org:8443"]


@pytest.mark.parametrize(
    "domain",
    [
        "https://example.org",
        "example.org:443",
        "127.0.0.1",
        "::1",
        "Example.org",
        ".org",
        "a..b",
        "-a",
    ],
)
def test_id_that_is_no_domain_stops_the_start(monkeypatch: pytest.MonkeyPatch, domain: str) -> None:
    monkeypatch.setenv("PASSKEY_RP_ID", domain)

    with pytest.raises(ImproperlyConfigured, match="PASSKEY_RP_ID is wrong"):
        relying_party()


@pytest.mark.parametrize(
    "origin",
    [
        "example.org",
        "http://example.org",
        "https://example.org/",
        "https://example.org/shop",
        "https://example.org:443",
        "https://example.org.evil.example",
        "https://evilexample.org",
        "https://user@example.org",
        "https://EXAMPLE.org",
        "https://example.org:port",
        "https://[::1",
        "android:apk-key-hash:x",
        "*",
    ],
)
def test_origin_of_elsewhere_stops_the_start(monkeypatch: pytest.MonkeyPatch, origin: str) -> None:
    monkeypatch.setenv("PASSKEY_RP_ID", "example.org")
    monkeypatch.setenv("PASSKEY_ORIGINS", f"https://example.org,{origin}")

    with pytest.raises(ImproperlyConfigured, match="PASSKEY_ORIGINS is wrong"):
        relying_party()
