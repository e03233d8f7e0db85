"""Where a state folder was made: one that was moved or copied since uses, ends and deletes nothing of another place.

`home` in the folder says its path and its checkout's. Whatever else in there names a place or a port of the machine is written
again at each start; what a copy must not even read before that is dropped here, before any other command looks.
"""

import os
import shutil
from pathlib import Path

from native import files, processes, supervisor
from native.errors import Cannot
from native.layout import REPOSITORY, Layout
from native.progress import say

#: What names the running stack: in a copy, the original's.
OF_THE_ORIGINAL = ("run", "env", "ports.json", "address", "supervisord.conf")
OWNER = "souk-home"  # in a cluster outside of its state folder: whose it is, once that has moved


def settle(layout: Layout) -> None:
    """Makes a moved or copied state folder one of this place; any other is left as it is.

    Raises:
        Cannot: it belongs to another checkout.
    """
    _check_checkout(layout)
    former = made_at(layout)
    if former is None or former == layout.state:
        return
    with files.locked(layout.state):
        if _claims(former) or not _is_surely_its_own(layout, former):
            _settle_copy(layout, former)
        else:
            _settle_moved(layout, former)
        stamp(layout)


def stamp(layout: Layout) -> None:
    """Notes where the folder is."""
    number = layout.state.stat().st_ino
    files.write(layout.home, f"{layout.state}\n{number}\n{REPOSITORY}\n", mode=0o644)


def made_at(layout: Layout) -> Path | None:
    """Where the folder was when it was last used; None for one that never was."""
    if layout.home.exists():
        return Path(layout.home.read_text().splitlines()[0])
    known = files.read_variables(layout.env / "ops.env").get("SOUK_STATE_DIR")
    return Path(known) if known else None


def check_usable(layout: Layout) -> None:
    """Raises Cannot where a copy has no whole database of its own; says what to do."""
    if layout.unusable.exists():
        raise Cannot(layout.unusable.read_text().strip())


def _check_checkout(layout: Layout) -> None:
    """A `.souk` that is a link was copied as a link: its target is still the original's."""
    if os.environ.get("SOUK_STATE_DIR") or not layout.home.exists():
        return
    checkout = Path(layout.home.read_text().splitlines()[-1])
    linked = (REPOSITORY / ".souk").is_symlink() and layout.state == (REPOSITORY / ".souk").resolve()
    if linked and checkout != REPOSITORY and (checkout / ".souk").exists():
        raise Cannot(
            f"{layout.state} holds the data of {checkout}: remove the link .souk here, or work there"
        )


def _claims(former: Path) -> bool:
    """Whether there is a state folder at home there."""
    return former.is_dir() and made_at(Layout(former)) == former


def _is_surely_its_own(layout: Layout, former: Path) -> bool:
    """Whether this is the folder that was at `former`, now that nothing is there: it may be a copy, or a copy may have been first."""
    cluster = layout.cluster_outside
    owner = cluster / OWNER if cluster else None
    taken = owner is not None and owner.exists() and Path(owner.read_text().strip()) != former
    noted = layout.home.read_text().splitlines()[1:-1] if layout.home.exists() else []
    return not taken and noted in ([], [str(layout.state.stat().st_ino)])


def _settle_copy(layout: Layout, former: Path) -> None:
    if former.is_dir() and former.samefile(layout.state):
        raise Cannot(f"{layout.state} is {former} by another name: work there")
    reason = _why_unusable(layout, former)
    if reason:
        files.write(
            layout.unusable, f"{reason}; `make reset` here deletes the copy's data and nothing else\n"
        )
    layout.postgres_location.unlink(missing_ok=True)
    for name in OF_THE_ORIGINAL:
        _drop(layout.state / name)
    say(f"this is a copy of {former}: it gets ports and sockets of its own")


def _why_unusable(layout: Layout, former: Path) -> str:
    cluster = layout.cluster_outside
    if cluster:
        return (
            f"the database of {former} lies outside of it, in {cluster}, and was not copied: "
            "take it along with `make backup` there and `make restore FILE=… ARGS=--replace` here "
            f"(if it is no copy but came here over file systems: `echo {cluster} >{layout.postgres_location}; rm {layout.unusable}`)"
        )
    if (layout.state / "postgres" / "postmaster.pid").exists():
        return (
            f"this copy of {former} was made while its database ran, so it is not whole: "
            "`make down` there and copy again, or `make backup` there and `make restore FILE=… ARGS=--replace` here"
            f" (if it is no copy but came here over file systems: `rm {layout.unusable}`)"
        )
    return ""


def _settle_moved(layout: Layout, former: Path) -> None:
    """What was left running when the folder moved still works in it, but knows the old path only."""
    old = Layout(former)
    for place in (layout, old):
        if supervisor.answers(place):
            supervisor.shut_down(place)
    if processes.wait_gone(old, 30):
        processes.end(old)
    cluster = layout.cluster_outside
    if cluster and cluster.exists():
        (cluster / OWNER).write_text(f"{layout.state}\n")
    say(f"this was {former} before: it stays the same shop")


def _drop(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
