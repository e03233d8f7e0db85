"""`make logs` of a native stack, and what `make status` says where nothing runs."""

import pytest

from native.layout import Layout
from native.runtime import NativeRuntime
from souk.console import CommandError


def test_log_of_nothing_known_names_those_there_are(layout: Layout) -> None:
    for name in ("orders-web", "users-relay"):
        (layout.log / f"{name}.log").touch()

    with pytest.raises(CommandError, match=r"no log of orders; there are: orders-web, users-relay"):
        NativeRuntime(layout).logs("orders")


def test_status_of_a_shop_that_is_down(layout: Layout, capsys: pytest.CaptureFixture[str]) -> None:
    assert not NativeRuntime(layout).status()

    assert capsys.readouterr().out == "Souk is down.\n"


def test_scale_is_for_containers(layout: Layout) -> None:
    with pytest.raises(CommandError, match="WEB_PROCESSES"):
        NativeRuntime(layout).scale("orders", "web", 2)


def test_secret_that_is_no_file_of_ours_is_not_written(layout: Layout) -> None:
    shop = NativeRuntime(layout)

    with pytest.raises(CommandError, match="no file name of ours"):
        shop.put_secrets({"../../etc/passwd": "x"})
    shop.put_secrets({"staff": "s3cret"})

    assert shop.secrets()["staff"] == "s3cret"
    assert (layout.secrets / "staff").stat().st_mode & 0o077 == 0
