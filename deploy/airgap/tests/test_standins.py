"""The stand-ins have their files, name no registry, and stand where compose.yaml names an image."""

import pytest

from airgap import standins
from souk.checkout import REPOSITORY
from souk.console import CommandError


def test_no_names_mean_all() -> None:
    assert standins.chosen([]) == list(standins.ALL)
    assert [image.name for image in standins.chosen(["redis", "python"])] == ["python", "redis"]


def test_unknown_name_is_refused() -> None:
    with pytest.raises(CommandError, match="no stand-in mysql"):
        standins.chosen(["redis", "mysql"])


@pytest.mark.parametrize("image", standins.ALL, ids=lambda image: image.name)
def test_no_stand_in_needs_a_registry(image: standins.StandIn) -> None:
    lines = (image.folder / "Dockerfile").read_text().splitlines()

    assert not lines[0].startswith("# syntax")
    assert {line for line in lines if line.startswith("FROM")} == {"FROM ${BASE}"}


def test_every_stand_in_stands_in_where_compose_names_an_image() -> None:
    compose = (REPOSITORY / "compose.yaml").read_text()

    assert [i.variable for i in standins.ALL if f"${{{i.variable}:-" not in compose] == []
