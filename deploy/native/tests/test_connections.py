"""The cluster has as many connections as the processes that are configured may take."""

import pytest

from native import connections
from native.errors import Cannot


def test_cluster_grows_with_the_web_threads_of_all_services() -> None:
    assert connections.for_cluster({}) == 200
    assert connections.for_cluster({"WEB_PROCESSES": "4", "WEB_THREADS": "20"}) == 3 * (80 + 30) + 3


@pytest.mark.parametrize(
    "environment",
    [{"WEB_PROCESSES": "64", "WEB_THREADS": "256"}, {"WEB_THREADS": "many"}, {"WEB_THREADS": "-1"}],
)
def test_what_no_cluster_should_bear_is_refused_by_name(environment: dict[str, str]) -> None:
    with pytest.raises(Cannot, match="WEB_THREADS"):
        connections.for_cluster(environment)


def test_scale_leaves_connections_for_relay_and_consumer() -> None:
    connections.check_scale({}, 10, 200)

    with pytest.raises(Cannot, match="N=11 x WEB_PROCESSES x WEB_THREADS"):
        connections.check_scale({}, 11, 200)
