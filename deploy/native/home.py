"""Where a state folder was made: a moved or copied folder touches nothing of another place.

`home` in the folder says its path, its inode and its checkout's path. Whatever else in there names
a place or a port of the machine is written again at each start; what a copy must not even read
before that is dropped here, before any other command looks
(docs/adr/0070-a-checkout-owns-its-data.md).
"""

import os
import shutil
from pathlib import Path

from native import processes, supervisor
from native.layout import Layout
from souk.checkout import REPOSITORY
from souk.console import CommandError, log_step
from souk.files import locked, read_variables, write_file

#: What names the running stack: in a copy, the original's.
OF_THE_ORIGINAL = ("run", "env", "ports.json", "address", "supervisord.conf")
#: In a cluster outside of its state folder: whose it is, once that has moved.
OWNER = "souk-home"


def settle(layout: Layout) -> None:
    """Make a moved or copied state folder belong to this place; leave any other as it is.

    Raises:
        CommandError: it belongs to another checkout.
    """
    _check_checkout(layout)
    former = made_at(layout)
    if former is None or former == layout.state:
        return
    with locked(layout.state):
        if _is_home_of_another(former) or not _is_surely_its_own(layout, former):
            _settle_copy(layout, former)
        else:
            _settle_moved(layout, former)
        stamp(layout)


def stamp(layout: Layout) -> None:
    """Note where the folder is."""
    number = layout.state.stat().st_ino
    write_file(layout.home, f"{layout.state}\n{number}\n{REPOSITORY}\n", mode=0o644)


def made_at(layout: Layout) -> Path | None:
    """Return where the folder was when it was last used; None if it never was."""
    if layout.home.exists():
        return Path(layout.home.read_text().splitlines()[0])
    known = read_variables(layout.env / "ops.env").get("SOUK_STATE_DIR")
    return Path(known) if known else None


def check_usable(layout: Layout) -> None:
    """Refuse a copy that has no whole database of its own.

    Raises:
        CommandError: says what to do.
    """
    if layout.unusable.exists():
        raise CommandError(layout.unusable.read_text().strip())


def _check_checkout(layout: Layout) -> None:
    """A `.souk` that is a link was copied as a link: its target is still the original's."""
    if os.environ.get("SOUK_STATE_DIR") or not layout.home.exists():
        return
    checkout = Path(layout.home.read_text().splitlines()[-1])
    link = REPOSITORY / ".souk"
    linked = link.is_symlink() and layout.state == link.resolve()
    if linked and checkout != REPOSITORY and (checkout / ".souk").exists():
        raise CommandError(
            f"{layout.state} holds the data of {checkout}: remove the link .souk here,"
            " or work there"
        )


def _is_home_of_another(former: Path) -> bool:
    """Whether there is a state folder at home there."""
    return former.is_dir() and made_at(Layout(former)) == former


def _is_surely_its_own(layout: Layout, former: Path) -> bool:
    """Whether this is the folder that was at `former`, now that nothing is there.

    It may be a copy, or a copy may have been here first.
    """
    cluster = layout.cluster_outside
    owner = cluster / OWNER if cluster else None
    taken = owner is not None and owner.exists() and Path(owner.read_text().strip()) != former
    noted = layout.home.read_text().splitlines()[1:-1] if layout.home.exists() else []
    return not taken and noted in ([], [str(layout.state.stat().st_ino)])


def _settle_copy(layout: Layout, former: Path) -> None:
    if former.is_dir() and former.samefile(layout.state):
        raise CommandError(f"{layout.state} is {former} by another name: work there")
    reason = _why_unusable(layout, former)
    if reason:
        help_text = "`make reset` here deletes the copy's data and nothing else"
        write_file(layout.unusable, f"{reason}; {help_text}\n")
    layout.postgres_location.unlink(missing_ok=True)
    for path in (layout.state / name for name in OF_THE_ORIGINAL):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    log_step(f"this is a copy of {former}: it gets ports and sockets of its own")


def _why_unusable(layout: Layout, former: Path) -> str:
    """Why a copy cannot run; empty when it can."""
    cluster = layout.cluster_outside
    transfer = "`make backup` there and `make restore FILE=… ARGS=--replace` here"
    unless = "(if it is no copy but came here over file systems: "
    if cluster:
        return (
            f"the database of {former} lies outside of it, in {cluster}, and was not copied: "
            f"take it along with {transfer} {unless}"
            f"`echo {cluster} >{layout.postgres_location}; rm {layout.unusable}`)"
        )
    if (layout.state / "postgres" / "postmaster.pid").exists():
        return (
            f"this copy of {former} was made while its database ran, so it is not whole: "
            f"`make down` there and copy again, or {transfer} {unless}`rm {layout.unusable}`)"
        )
    return ""


def _settle_moved(layout: Layout, former: Path) -> None:
    """What was left running when the folder moved works in it, but knows the old path only."""
    old = Layout(former)
    for place in (layout, old):
        if supervisor.answers(place):
            supervisor.shut_down(place)
    if processes.wait_gone(old, 30):
        processes.end(old)
    cluster = layout.cluster_outside
    if cluster and cluster.exists():
        (cluster / OWNER).write_text(f"{layout.state}\n")
    log_step(f"this was {former} before: it stays the same shop")
