"""The cluster has as many connections as the processes that are configured may take."""

import pytest

from souk import connections
from souk.console import CommandError


def test_cluster_grows_with_the_web_threads_of_all_services() -> None:
    assert connections.cluster_connections({}) == 200
    assert (
        connections.cluster_connections({"WEB_PROCESSES": "4", "WEB_THREADS": "20"})
        == 3 * (80 + 30) + 3
    )


@pytest.mark.parametrize(
    "environment",
    [{"WEB_PROCESSES": "64", "WEB_THREADS": "256"}, {"WEB_THREADS": "many"}, {"WEB_THREADS": "-1"}],
)
def test_what_no_cluster_should_bear_is_refused_by_name(environment: dict[str, str]) -> None:
    with pytest.raises(CommandError, match="WEB_THREADS"):
        connections.cluster_connections(environment)


def test_scale_leaves_connections_for_relay_and_consumer() -> None:
    connections.check_scale({}, 10)

    with pytest.raises(CommandError, match="N=11 x WEB_PROCESSES x WEB_THREADS"):
        connections.check_scale({}, 11)
