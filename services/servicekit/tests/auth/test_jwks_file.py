"""Keys kept in a file: what a process starts with while the server is away."""

from pathlib import Path

import pytest

from servicekit.auth import jwks
from servicekit.auth.jwks import KeySet
from tests.auth.key_server import FIRST, SECOND, KeyServer, answering, body_of, is_first, refresh


def test_keys_are_kept_in_a_file(server: KeyServer, tmp_path: Path) -> None:
    """A container that starts while users is away still knows whom to believe."""
    file = tmp_path / "keys.json"
    KeySet(lambda: jwks.fetch_over_http(server.url), background=True, cache_file=file).find("first")
    server.stop()

    restarted = KeySet(lambda: jwks.fetch_over_http(server.url), background=True, cache_file=file)

    assert is_first(restarted.find("first"))
    assert list(tmp_path.iterdir()) == [file]


def test_kept_keys_give_way_to_newer_ones(server: KeyServer, tmp_path: Path) -> None:
    file = tmp_path / "keys.json"
    file.write_bytes(body_of(SECOND))
    keys = KeySet(lambda: jwks.fetch_over_http(server.url), background=True, cache_file=file)
    assert set(keys.keys) == {"second"}

    refresh(keys)

    assert set(keys.keys) == {"first"}
    assert file.read_bytes() == body_of(FIRST)


def test_bad_answer_spoils_no_kept_keys(server: KeyServer, tmp_path: Path) -> None:
    file = tmp_path / "keys.json"
    file.write_bytes(body_of(FIRST))
    server.answer = answering(b"{}")
    keys = KeySet(lambda: jwks.fetch_over_http(server.url), background=True, cache_file=file)

    refresh(keys)

    assert file.read_bytes() == body_of(FIRST)


@pytest.mark.parametrize("kept", [b"", b"\xff", b"{}", body_of(FIRST)[:40]])
def test_spoilt_file_is_passed_over(server: KeyServer, tmp_path: Path, kept: bytes) -> None:
    file = tmp_path / "keys.json"
    file.write_bytes(kept)

    keys = KeySet(lambda: jwks.fetch_over_http(server.url), background=True, cache_file=file)

    assert is_first(keys.find("first"))
    assert file.read_bytes() == body_of(FIRST)


def test_file_that_cannot_be_written_stops_nobody(server: KeyServer, tmp_path: Path) -> None:
    file = tmp_path / "no such folder" / "keys.json"

    keys = KeySet(lambda: jwks.fetch_over_http(server.url), background=True, cache_file=file)

    assert is_first(keys.find("first"))


def test_process_without_keys_takes_those_that_its_neighbour_has_had(
    server: KeyServer, tmp_path: Path
) -> None:
    file = tmp_path / "keys.json"
    server.answer = answering(b"", 503)
    keys = KeySet(lambda: jwks.fetch_over_http(server.url), background=True, cache_file=file)
    file.write_bytes(body_of(FIRST))

    assert is_first(keys.find("first"))
