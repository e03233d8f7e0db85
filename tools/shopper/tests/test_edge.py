"""A gateway with production's limits, in front of servers of this test."""

import json
import urllib.error
import urllib.request

import pytest
from http_server import HttpServer, Reply

from shopper import edge
from shopper.ops import Ops, StackUnknown


def fetched(url):
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as answer:
        with answer:
            return answer.code, json.load(answer)


def ops_of(folder, url):
    return Ops(folder, {f"{name.upper()}_URL": url for name in edge.SERVICES})


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch, tmp_path):
    for name in edge.SERVICES:
        monkeypatch.delenv(f"{name.upper()}_URL", raising=False)
    monkeypatch.setattr(edge.tempfile, "tempdir", str(tmp_path))


def test_gateway_passes_requests_on_and_is_gone_afterwards(tmp_path):
    with HttpServer(lambda request: Reply(200, {"path": request.path})).running() as server:
        with edge.production_gateway(ops_of(tmp_path, server.url)) as port:
            status, body = fetched(f"http://127.0.0.1:{port}/api/products/?page_size=1")

        assert (status, body) == (200, {"path": "/api/products/?page_size=1"})
        assert not edge._answers(port)
    assert list(tmp_path.iterdir()) == []


def test_gateway_that_does_not_start_is_told_and_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(edge, "START_SECONDS", 5)
    ops = ops_of(tmp_path, "http://not a host")

    with pytest.raises(StackUnknown, match="does not start"), edge.production_gateway(ops):
        pass
    assert list(tmp_path.iterdir()) == []


def test_gateway_whose_files_cannot_be_made_leaves_nothing(tmp_path):
    # The renderer refuses what nginx would read as syntax.
    with (
        pytest.raises(edge.subprocess.CalledProcessError),
        edge.production_gateway(ops_of(tmp_path, "http://127.0.0.1:1;")),
    ):
        pass
    assert list(tmp_path.iterdir()) == []


def test_shop_that_is_not_up_has_no_gateway(tmp_path):
    with pytest.raises(StackUnknown, match="USERS_URL"), edge.production_gateway(Ops(tmp_path, {})):
        pass
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("status", "answers"), [(200, True), (503, False)])
def test_gateway_answers_when_its_health_is_well(status, answers):
    with HttpServer(lambda _: Reply(status)).running() as server:
        assert edge._answers(int(server.url.rpartition(":")[2])) is answers
    assert [each.path for each in server.requests] == ["/healthz"]
