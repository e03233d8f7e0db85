"""State folders that were moved or copied, as `cp -a` and `mv` leave them."""

import contextlib
import os
import shutil
import subprocess
import sys
import venv
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from native import environment, home, ports, postgres, processes, rabbitmq
from native.layout import OUTSIDE, Layout
from native.runtime import NativeRuntime
from souk.console import CommandError, wait_until


@pytest.fixture
def original(tmp_path: Path) -> Iterator[Layout]:
    """A state folder with a real cluster in it, as a start leaves it; PostgreSQL is down."""
    layout = Layout(tmp_path / "original")
    if not postgres.is_reachable(tmp_path):
        for folder in (tmp_path, tmp_path.parent, tmp_path.parent.parent):
            folder.chmod(0o755)
    layout.make()
    home.stamp(layout)
    postgres.prepare(layout, chosen(layout), forgetful=True)
    yield layout
    NativeRuntime(layout).reset()


def chosen(layout: Layout) -> ports.Ports:
    return ports.choose(layout, {"GATEWAY_PORT": "0"})


def copied(layout: Layout, name: str = "copy") -> Layout:
    subprocess.run(["cp", "-a", str(layout.state), str(layout.state.with_name(name))], check=True)
    return Layout(layout.state.with_name(name))


def moved(layout: Layout) -> Layout:
    return Layout(layout.state.rename(layout.state.with_name("moved")))


@contextlib.contextmanager
def serving(layout: Layout) -> Iterator[ports.Ports]:
    """The cluster's server runs."""
    found = chosen(layout)
    postgres.prepare(layout, found, forgetful=True)
    with subprocess.Popen(
        postgres.command(layout), stderr=subprocess.DEVNULL, cwd="/", **postgres.identity()
    ) as server:
        try:
            wait_until(lambda: postgres.answers(layout, found), 60, "PostgreSQL does not answer")
            yield found
        finally:
            server.terminate()


def ask(layout: Layout, found: ports.Ports, statement: str) -> list[str]:
    """Run a statement as the superuser; return the first column of what it says."""
    password = layout.secret("postgres-postgres")
    address = f"postgres://postgres:{password}@127.0.0.1:{found['postgres']}/postgres"
    with psycopg.connect(address, autocommit=True) as connection:
        cursor = connection.execute(statement)
        return [row[0] for row in cursor.fetchall()] if cursor.description else []


@contextlib.contextmanager
def sleeper(layout: Layout) -> Iterator[subprocess.Popen[bytes]]:
    """A process of the stack."""
    marked = os.environ | {processes.MARK: str(layout.state)}
    with subprocess.Popen(
        [sys.executable, "-c", "input()"], env=marked, stdin=subprocess.PIPE
    ) as process:
        yield process
        process.kill()


def files_of(layout: Layout) -> set[Path]:
    return {path.relative_to(layout.state) for path in layout.state.rglob("*")}


def test_wiping_a_copy_leaves_the_original_whole(original: Layout) -> None:
    before = files_of(original)
    copy = copied(original)

    NativeRuntime(copy).reset()

    assert not copy.state.exists()
    assert files_of(original) == before


def test_wiping_a_copy_of_an_older_state_leaves_the_original_whole(original: Layout) -> None:
    """Older versions wrote the cluster's absolute path down, wherever it was."""
    original.postgres_location.write_text(f"{original.state / 'postgres'}\n")
    before = files_of(original)

    NativeRuntime(copied(original)).reset()

    assert files_of(original) == before


def test_copy_runs_on_its_own_cluster(original: Layout) -> None:
    copy = copied(original)
    home.settle(copy)

    with serving(original), serving(copy) as found:
        said = ask(copy, found, "SHOW data_directory")

    assert said == [str(copy.state / "postgres")]


def test_moved_state_keeps_its_data(original: Layout) -> None:
    with serving(original) as found:
        ask(original, found, "CREATE DATABASE orders")
    new = moved(original)
    home.settle(new)

    with serving(new) as found:
        names = ask(new, found, "SELECT datname FROM pg_database")

    assert "orders" in names
    NativeRuntime(new).reset()


def test_copy_knows_no_port_and_no_password_file_of_the_original(original: Layout) -> None:
    original.env.joinpath("ops.env").write_text("GATEWAY_URL=http://127.0.0.1:1\n")
    copy = copied(original)

    home.settle(copy)

    assert ports.recorded(copy) == {}
    assert not copy.env.exists()
    assert ports.recorded(original)


def test_copy_of_a_state_that_has_moved_knows_no_port_of_it(original: Layout) -> None:
    copy, new = copied(original), moved(original)

    home.settle(copy)
    home.settle(new)

    assert ports.recorded(copy) == {}
    assert ports.recorded(new)
    NativeRuntime(new).reset()


def test_copy_ends_no_process_of_the_original(original: Layout) -> None:
    """nginx is known by its pid file, which is copied too."""
    pid_file = original.run / "gateway" / "nginx.pid"
    pid_file.parent.mkdir(parents=True, exist_ok=True)
    with sleeper(original) as process:
        pid_file.write_text(str(process.pid))

        NativeRuntime(copied(original)).down()

        assert process.poll() is None
        assert processes.of_stack(original) == {process.pid}


def test_moved_state_ends_what_was_left_running(original: Layout) -> None:
    with sleeper(original) as process:
        new = moved(original)

        NativeRuntime(new).down()

        assert process.wait(10) != 0
    NativeRuntime(new).reset()


def test_copy_of_a_running_database_is_refused_in_one_sentence(original: Layout) -> None:
    with serving(original):
        copy = copied(original)
    home.settle(copy)

    with pytest.raises(CommandError, match="made while its database ran") as refused:
        home.check_usable(copy)

    assert "\n" not in str(refused.value)
    NativeRuntime(copy).reset()
    home.check_usable(original)


def test_cluster_outside_is_neither_used_nor_deleted_by_a_copy(
    outside: tuple[Layout, Path],
) -> None:
    original, cluster = outside
    copy = copied(original)
    home.settle(copy)

    with pytest.raises(CommandError, match="was not copied"):
        home.check_usable(copy)
    NativeRuntime(copy).reset()

    assert (cluster / "PG_VERSION").exists()
    assert postgres.data(original) == cluster


def test_cluster_outside_is_not_for_a_copy_that_comes_first(outside: tuple[Layout, Path]) -> None:
    """The original has moved, so it is not where the copy would look for it."""
    original, cluster = outside
    copy, new = copied(original), moved(original)

    NativeRuntime(copy).reset()
    home.settle(new)

    assert (cluster / "PG_VERSION").exists()
    assert postgres.data(new) == cluster
    home.check_usable(new)


def test_cluster_outside_goes_with_the_state_that_moved(outside: tuple[Layout, Path]) -> None:
    original, cluster = outside
    late = copied(original, "late")
    new = moved(original)

    home.settle(new)
    home.settle(late)

    assert postgres.data(new) == cluster
    assert postgres.data(late) != cluster
    NativeRuntime(late).reset()
    assert cluster.exists()
    NativeRuntime(new).reset()
    assert not cluster.exists()


@pytest.fixture
def outside(original: Layout) -> Iterator[tuple[Layout, Path]]:
    """As under /root: the cluster lies elsewhere."""
    if os.geteuid() != 0:
        pytest.skip("only root has a checkout that is closed to PostgreSQL's user")
    cluster = OUTSIDE / f"souk-test-{original.digest}"
    shutil.move(postgres.data(original), cluster)
    original.postgres_location.write_text(f"{cluster}\n")
    yield original, cluster
    shutil.rmtree(cluster, ignore_errors=True)


def test_cluster_of_a_closed_folder_gets_a_name_that_no_other_checkout_has(
    original: Layout,
) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root has a checkout that is closed to PostgreSQL's user")
    closed = Layout(original.state.parent / "closed" / "state")
    closed.make()
    closed.state.parent.chmod(0o700)

    first = postgres.choose_place(closed)
    closed.postgres_location.unlink()

    assert first.parent == OUTSIDE
    assert postgres.choose_place(closed) != first


def test_broker_keeps_its_name_when_the_state_moves(original: Layout) -> None:
    name = rabbitmq.node(original)
    (original.rabbitmq / "data" / name).mkdir(parents=True)

    new = moved(original)

    assert rabbitmq.node(new) == name
    NativeRuntime(new).reset()


def test_quorum_queue_writes_where_the_state_has_moved_to(original: Layout) -> None:
    """As the broker notes it: a long or strange path in pieces or as numbers."""
    old = f"{original.state}/rabbitmq/data/souk-1@localhost/quorum/souk-1@localhost"
    folder = original.rabbitmq / "data" / "souk-1@localhost" / "quorum" / "souk-1@localhost" / "UID"
    folder.mkdir(parents=True)
    numbers = ",".join(str(ord(character)) for character in old)
    (folder / "config").write_text(
        f'#{{data_dir =>\n  "{old[:9]}"\n  "{old[9:]}",\n'
        f'  wal_data_dir => [{numbers}],uid => <<"UID">>}}.'
    )

    new = moved(original)
    rabbitmq.place_queues(new)

    place = new.rabbitmq / "data" / "souk-1@localhost" / "quorum" / "souk-1@localhost"
    said = ",".join(str(ord(character)) for character in str(place))
    text = (place / "UID" / "config").read_text()
    assert text == f'#{{data_dir => [{said}],\n  wal_data_dir => [{said}],uid => <<"UID">>}}.'
    NativeRuntime(new).reset()


def test_stale_pid_file_of_a_server_elsewhere_is_dropped(original: Layout, tmp_path: Path) -> None:
    other = Layout(tmp_path / "other")
    other.make()
    with serving(original):
        pid_file = postgres.data(original) / "postmaster.pid"
        chosen_here = chosen(other)
        postgres.prepare(other, chosen_here, forgetful=True)
        shutil.copy(pid_file, postgres.data(other) / "postmaster.pid")

        with serving(other):
            assert pid_file.exists()
    NativeRuntime(other).reset()


def test_virtual_environment_that_moved_is_not_at_home(tmp_path: Path) -> None:
    venv.create(tmp_path / "here" / ".venv")
    shutil.copytree(tmp_path / "here", tmp_path / "there", symlinks=True)

    assert environment.is_at_home(tmp_path / "here" / ".venv")
    assert not environment.is_at_home(tmp_path / "there" / ".venv")
