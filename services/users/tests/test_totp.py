"""Codes of authenticator apps, by the values of the RFC."""

from urllib.parse import parse_qs, urlsplit

import pytest

from users.services.factors import totp

#: RFC 6238, appendix B: with SHA-1, the last six of its eight digits.
SECRET = b"12345678901234567890"
RFC_6238 = [
    (59, "287082"),
    (1_111_111_109, "081804"),
    (1_111_111_111, "050471"),
    (1_234_567_890, "005924"),
    (2_000_000_000, "279037"),
    (20_000_000_000, "353130"),
]


@pytest.mark.parametrize(("seconds", "code"), RFC_6238)
def test_code_is_as_in_the_rfc(seconds: int, code: str) -> None:
    assert totp.code_of(secret=SECRET, step=totp.step_at(seconds)) == code
    assert totp.step_of(secret=SECRET, code=code, now=seconds) == seconds // 30


@pytest.mark.parametrize(
    ("steps", "passes"), [(-2, False), (-1, True), (0, True), (1, True), (2, False)]
)
def test_code_passes_one_step_early_and_one_late(steps: int, passes: bool) -> None:
    code = totp.code_of(secret=SECRET, step=1000)

    found = totp.step_of(secret=SECRET, code=code, now=(1000 + steps) * 30 + 15)

    assert found == (1000 if passes else None)


@pytest.mark.parametrize("code", ["", "28708", "2870820", "٢٨٧٠٨٢", "287082\0", "x" * 100_000])
def test_text_that_is_no_code_fits_nothing(code: str) -> None:
    assert totp.step_of(secret=SECRET, code=code, now=59) is None


def test_secret_is_160_random_bits_that_apps_can_read() -> None:
    secrets = {totp.new_secret() for _ in range(100)}

    assert len(secrets) == 100
    assert {len(secret) for secret in secrets} == {20}
    assert totp.as_text(SECRET) == "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"


def test_uri_says_all_that_the_app_needs() -> None:
    uri = urlsplit(totp.otpauth_uri(secret=SECRET, email="ada+shop@example.org"))

    assert (uri.scheme, uri.netloc) == ("otpauth", "totp")
    assert uri.path == "/Souk:ada%2Bshop%40example.org"
    assert parse_qs(uri.query) == {
        "secret": ["GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"],
        "issuer": ["Souk"],
        "algorithm": ["SHA1"],
        "digits": ["6"],
        "period": ["30"],
    }
