"""Settings from the environment: what is missing or wrong stops the process and names itself, but
no secret.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured

from servicekit import env

NAME = "SOUK_TEST_SETTING"


@pytest.fixture(autouse=True)
def unset(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (NAME, f"{NAME}_FILE"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize("value", [None, ""])
@pytest.mark.parametrize(
    "read",
    [env.text, env.secret, env.integer, env.names, env.database],
    ids=lambda read: read.__name__,
)
def test_missing_setting_is_named(
    monkeypatch: pytest.MonkeyPatch, read: Callable[[str], Any], value: str | None
) -> None:
    if value is not None:
        monkeypatch.setenv(NAME, value)

    with pytest.raises(ImproperlyConfigured, match=f"{NAME} is not set"):
        read(NAME)


@pytest.mark.parametrize(
    ("read", "value"),
    [
        (lambda name: env.boolean(name, True), "maybe"),
        (lambda name: env.boolean(name, True), "2"),
        (lambda name: env.boolean(name, True), " "),
        (env.integer, "many"),
        (env.integer, "1.5"),
        (env.integer, "1e3"),
        (lambda name: env.integer(name, 5, minimum=1), "0"),
        (lambda name: env.integer(name, 5, maximum=9), "10"),
        (lambda name: env.integer(name, 5, minimum=1, maximum=9), "-3"),
        (env.database, "localhost"),
        (env.database, "mysql://u:hunter2@host/name"),
        (env.database, "postgres://u:hunter2@host"),
        (env.database, "postgres://u:hunter2@host/"),
        (env.database, "postgres:///name"),
        (env.database, "postgres://u:hunter2@host:port/name"),
        (env.database, "postgres://u:hunter2@host:99999/name"),
        (env.database, "postgres://u:hunter2@[::1/name"),
    ],
)
def test_wrong_setting_is_named(
    monkeypatch: pytest.MonkeyPatch, read: Callable[[str], Any], value: str
) -> None:
    monkeypatch.setenv(NAME, value)

    with pytest.raises(ImproperlyConfigured) as refusal:
        read(NAME)

    assert NAME in str(refusal.value)
    assert "hunter2" not in str(refusal.value)


def test_bounds_are_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(NAME, "10")

    with pytest.raises(ImproperlyConfigured, match="at most 9"):
        env.integer(NAME, maximum=9)
    with pytest.raises(ImproperlyConfigured, match="at least 11"):
        env.integer(NAME, minimum=11)
    with pytest.raises(ImproperlyConfigured, match="from 1 to 9"):
        env.integer(NAME, minimum=1, maximum=9)


@pytest.mark.parametrize(
    ("read", "value", "expected"),
    [
        (env.text, "a b", "a b"),
        (env.secret, "s", "s"),
        (env.secret, "${HOME}$HOME{{HOME}}", "${HOME}$HOME{{HOME}}"),
        (lambda name: env.boolean(name, False), "true", True),
        (lambda name: env.boolean(name, False), "YES", True),
        (lambda name: env.boolean(name, False), "1", True),
        (lambda name: env.boolean(name, True), "false", False),
        (lambda name: env.boolean(name, True), "No", False),
        (lambda name: env.boolean(name, True), "0", False),
        (lambda name: env.boolean(name, True), "off", False),
        (env.integer, "42", 42),
        (env.integer, "-1", -1),
        (lambda name: env.integer(name, minimum=1, maximum=9), "9", 9),
        (env.names, "a, b ,,c", ["a", "b", "c"]),
    ],
)
def test_setting_is_read(
    monkeypatch: pytest.MonkeyPatch, read: Callable[[str], Any], value: str, expected: Any
) -> None:
    monkeypatch.setenv(NAME, value)

    assert read(NAME) == expected


@pytest.mark.parametrize("value", [None, ""])
def test_default_stands_for_what_is_not_set(
    monkeypatch: pytest.MonkeyPatch, value: str | None
) -> None:
    if value is not None:
        monkeypatch.setenv(NAME, value)

    assert env.text(NAME, "x") == "x"
    assert env.secret(NAME, "x") == "x"
    assert env.boolean(NAME, True) is True
    assert env.integer(NAME, 0, minimum=5) == 0
    assert env.names(NAME, "a,b") == ["a", "b"]


def test_secret_is_read_from_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("s3cret $HOME é\n", encoding="utf-8")
    monkeypatch.setenv(f"{NAME}_FILE", str(tmp_path / "secret"))
    monkeypatch.setenv(NAME, "from the environment")

    assert env.secret(NAME) == "s3cret $HOME é"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "cannot be read"),
        (b"", "empty"),
        (b"\n", "empty"),
        (b"hunter2\xff", "cannot be read"),
    ],
)
def test_file_without_a_secret_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: bytes | None, reason: str
) -> None:
    file = tmp_path / "secret"
    if content is not None:
        file.write_bytes(content)
    monkeypatch.setenv(f"{NAME}_FILE", str(file))
    monkeypatch.setenv(NAME, "not a way out")

    with pytest.raises(ImproperlyConfigured, match=f"{NAME}_FILE .*{reason}") as refusal:
        env.secret(NAME)

    assert str(file) in str(refusal.value)
    assert "hunter2" not in str(refusal.value)


@pytest.mark.parametrize(
    ("read", "content", "expected"),
    [(env.integer, "7\n", 7), (lambda name: env.boolean(name, False), "true\n", True)],
)
def test_every_setting_may_stand_in_a_file(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    read: Callable[[str], Any],
    content: str,
    expected: Any,
) -> None:
    (tmp_path / "setting").write_text(content)
    monkeypatch.setenv(f"{NAME}_FILE", str(tmp_path / "setting"))

    assert read(NAME) == expected


def test_folder_is_no_secret(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(f"{NAME}_FILE", str(tmp_path))

    with pytest.raises(ImproperlyConfigured, match=f"{NAME}_FILE"):
        env.secret(NAME)


@pytest.mark.parametrize("scheme", ["postgres", "postgresql"])
def test_database_is_read_from_its_url(monkeypatch: pytest.MonkeyPatch, scheme: str) -> None:
    monkeypatch.setenv(NAME, f"{scheme}://us%40er:p%2Fa%3Ass@db.example:6432/na%20me")

    database = env.database(NAME)

    assert (database["HOST"], database["PORT"], database["NAME"]) == ("db.example", "6432", "na me")
    assert (database["USER"], database["PASSWORD"]) == ("us@er", "p/a:ss")


def test_database_without_a_port_has_the_usual_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(NAME, "postgres://db/name")

    assert env.database(NAME)["PORT"] == "5432"


def test_database_url_may_stand_in_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "url").write_text("postgres://u:p@db/name\n")
    monkeypatch.setenv(f"{NAME}_FILE", str(tmp_path / "url"))

    assert env.database(NAME)["NAME"] == "name"


def test_database_outlives_its_closed_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without these every connection that the server closed costs a request, and a lost lock holds
    for ever.
    """
    monkeypatch.setenv(NAME, "postgres://db/name")

    database = env.database(NAME)

    assert database["CONN_HEALTH_CHECKS"] is True
    assert database["ENGINE"] == "servicekit.postgresql"
    assert "lock_timeout" in database["OPTIONS"]["options"]


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        (None, {"EMAIL_BACKEND": "django.core.mail.backends.console.EmailBackend"}),
        ("off:", {"EMAIL_BACKEND": "django.core.mail.backends.dummy.EmailBackend"}),
        (
            "file:///var/mail/souk",
            {
                "EMAIL_BACKEND": "django.core.mail.backends.filebased.EmailBackend",
                "EMAIL_FILE_PATH": "/var/mail/souk",
            },
        ),
        (
            "smtp://ada%40example.org:p%2Fw%24@mail.example.org:2525/?tls=true",
            {
                "EMAIL_BACKEND": "django.core.mail.backends.smtp.EmailBackend",
                "EMAIL_HOST": "mail.example.org",
                "EMAIL_PORT": 2525,
                "EMAIL_HOST_USER": "ada@example.org",
                "EMAIL_HOST_PASSWORD": "p/w$",
                "EMAIL_USE_TLS": True,
                "EMAIL_USE_SSL": False,
            },
        ),
        ("smtp://mail/?tls=true", {"EMAIL_PORT": 587, "EMAIL_USE_TLS": True}),
        ("smtp://mail/?ssl=true", {"EMAIL_PORT": 465, "EMAIL_USE_SSL": True}),
        ("smtp://mail", {"EMAIL_PORT": 25, "EMAIL_HOST_USER": "", "EMAIL_HOST_PASSWORD": ""}),
    ],
)
def test_mail_url_is_djangos_settings(
    monkeypatch: pytest.MonkeyPatch, url: str | None, expected: dict[str, Any]
) -> None:
    if url is not None:
        monkeypatch.setenv(NAME, url)

    assert env.email(NAME).items() >= expected.items()


@pytest.mark.parametrize(
    "url",
    [
        "mail.example.org", "smtps://mail", "smtp://", "smtp:///", "file:", "file:///",
        "smtp://ada:secret@mail:port", "smtp://ada:secret@mail/?tls=1", "smtp://mail/?tls",
        "smtp://ada:secret@mail/?verify=true", "smtp://ada:secret@[mail", "https://mail",
    ],
)  # fmt: skip
def test_mail_url_that_says_nothing_is_refused_without_its_password(
    monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    monkeypatch.setenv(NAME, url)

    with pytest.raises(ImproperlyConfigured, match=f"{NAME} is no address for mail") as refused:
        env.email(NAME)

    assert "secret" not in str(refused.value)


def test_mail_addresses_are_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(NAME, " ada@example.org , bob@example.org,")
    assert env.email_addresses(NAME) == ["ada@example.org", "bob@example.org"]

    for wrong in ("ada@example.org;bob@example.org", "ada", "a@example.org\r\nBcc: b@example.org"):
        monkeypatch.setenv(NAME, wrong)
        for read in (env.email_addresses, env.email_address):
            with pytest.raises(ImproperlyConfigured, match="is no e-mail address"):
                read(NAME)


@pytest.fixture
def no_storage(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MEDIA_STORAGE", "MEDIA_DIR"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.usefixtures("no_storage")
def test_storage_is_a_folder_unless_a_bucket_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEDIA_DIR", "/srv/media")
    assert env.storage(url="/media/")["OPTIONS"] == {
        "location": "/srv/media",
        "base_url": "/media/",
    }

    monkeypatch.setenv("MEDIA_STORAGE", "s3://pictures/shop")
    found = env.storage(url="https://cdn.example/pictures/")

    assert found["BACKEND"] == "storages.backends.s3.S3Storage"
    options = found["OPTIONS"]
    assert (options["bucket_name"], options["location"]) == ("pictures", "shop")
    assert (options["url_protocol"], options["custom_domain"]) == ("https:", "cdn.example/pictures")


@pytest.mark.usefixtures("no_storage")
@pytest.mark.parametrize(
    ("place", "url"),
    [
        ("pictures", "https://cdn.example/"),
        ("s3://", "https://cdn.example/"),
        ("gs://pictures", "https://cdn.example/"),
        ("s3://pictures", "/media/"),
    ],
)
def test_storage_that_is_no_bucket_is_named(
    monkeypatch: pytest.MonkeyPatch, place: str, url: str
) -> None:
    monkeypatch.setenv("MEDIA_STORAGE", place)

    with pytest.raises(ImproperlyConfigured, match="MEDIA_STORAGE"):
        env.storage(url=url)
