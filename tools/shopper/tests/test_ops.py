"""Where the shop is: the state folder's file, the environment over it, and database URLs."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shopper.databases import django_database, other_database
from shopper.ops import ROOT, StackUnknown, load_ops, read_env_file, state_dir

NAMES = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=20)


@pytest.fixture
def state(tmp_path):
    (tmp_path / "env").mkdir()
    (tmp_path / "env" / "ops.env").write_text("GATEWAY_URL=http://127.0.0.1:8080/\nEMPTY=\n")
    return tmp_path


def test_gateway_is_the_files_without_a_slash(state, monkeypatch):
    monkeypatch.delenv("GATEWAY_URL", raising=False)

    assert load_ops(state).gateway == "http://127.0.0.1:8080"


def test_process_environment_overrides_the_file(state, monkeypatch):
    monkeypatch.setenv("GATEWAY_URL", "http://shop.example")
    assert load_ops(state).gateway == "http://shop.example"

    monkeypatch.setenv("GATEWAY_URL", "")
    assert load_ops(state).gateway == "http://127.0.0.1:8080"


@pytest.mark.parametrize("name", ["EMPTY", "STAFF_EMAIL"])
def test_value_that_is_not_known_says_where_it_was_looked_for(state, monkeypatch, name):
    monkeypatch.delenv(name, raising=False)

    with pytest.raises(StackUnknown, match=rf"{name} is not known: {state}/env/ops.env"):
        load_ops(state)[name]


def test_missing_file_is_no_fault_while_the_environment_says_it(tmp_path, monkeypatch):
    monkeypatch.setenv("STAFF_EMAIL", "staff@example.org")

    assert load_ops(tmp_path / "nowhere")["STAFF_EMAIL"] == "staff@example.org"


def test_state_folder_is_the_one_of_the_environment_or_the_checkouts(tmp_path, monkeypatch):
    monkeypatch.setenv("SOUK_STATE_DIR", str(tmp_path))
    assert load_ops().state == state_dir() == tmp_path

    monkeypatch.delenv("SOUK_STATE_DIR")
    assert state_dir() == ROOT / ".souk"
    assert (ROOT / "tools" / "shopper").is_dir()


def test_env_file_is_read_as_a_shell_would(tmp_path):
    file = tmp_path / "ops.env"
    file.write_text(
        "# NOT=this\n\n  export A=1\nB='two words'\nC=\"three\"\nURL=amqp://u:p@h/v?x=1&y=2\nno"
        " assignment\nB2 = x\n"
    )

    assert read_env_file(file) == {
        "A": "1",
        "B": "two words",
        "C": "three",
        "URL": "amqp://u:p@h/v?x=1&y=2",
        "B2": "x",
    }


def test_database_url_is_taken_apart_for_django():
    assert django_database(
        "postgresql://us%40er:p%2Fw%3A@db.example:6432/or%20ders?sslmode=require"
    ) == {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": "or ders",
        "USER": "us@er",
        "PASSWORD": "p/w:",
        "HOST": "db.example",
        "PORT": "6432",
    }
    assert django_database("postgresql:///orders")["PORT"] == "5432"
    assert django_database("postgresql:///orders")["HOST"] == ""


@given(NAMES)
def test_other_database_is_that_one_on_the_same_server(name):
    url = "postgresql://user:secret@db.example:6432/orders"

    other = django_database(other_database(url, name))

    assert other == django_database(url) | {"NAME": name}
