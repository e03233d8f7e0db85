"""The shop's containers against the CIS Docker Benchmark.

The checks themselves are tested first: a container that is as it should be has no finding, and each
way to spoil it has its own.
"""

import copy
from typing import Any

import cis
import pytest
from containers import Containers

GOOD: dict[str, Any] = {
    "Config": {
        "User": "10001:10001",
        "Healthcheck": {"Test": ["CMD", "/souk/health", "web"]},
        "Labels": {"com.docker.compose.service": "orders-web"},
    },
    "HostConfig": {
        "CapAdd": None,
        "CapDrop": ["ALL"],
        "Privileged": False,
        "PortBindings": {"8080/tcp": [{"HostIp": "127.0.0.1", "HostPort": "8080"}]},
        "NetworkMode": "souk_orders-db",
        "PidMode": "",
        "IpcMode": "private",
        "UTSMode": "",
        "Memory": 1,
        "NanoCpus": 1,
        "PidsLimit": 1,
        "ReadonlyRootfs": True,
        "RestartPolicy": {"Name": "on-failure", "MaximumRetryCount": 5},
        "SecurityOpt": ["no-new-privileges:true"],
    },
    "Mounts": [
        {
            "Type": "bind",
            "Source": "/home/ada/souk/deploy/rabbitmq.conf",
            "Destination": "/x",
            "Propagation": "rprivate",
        }
    ],
    "Image_": {"Config": {"Env": ["PATH=/usr/bin", "GPG_KEY=ABC"]}},
    "Processes_": ["10001 1 gunicorn"],
}
BIND = {"Type": "bind", "Destination": "/x", "Propagation": "rprivate"}
SPOILT = [
    ("4.1", "Config", {"User": ""}),
    ("4.1", "Config", {"User": "0:0"}),
    ("4.6", "Config", {"Healthcheck": None}),
    ("4.6", "Config", {"Healthcheck": {"Test": ["NONE"]}}),
    ("4.10", "Image_", {"Config": {"Env": ["DB_PASSWORD=x"]}}),
    ("5.4", "HostConfig", {"CapDrop": None}),
    ("5.4", "HostConfig", {"CapAdd": ["NET_ADMIN"]}),
    ("5.5", "HostConfig", {"Privileged": True}),
    ("5.6", "Mounts", [{**BIND, "Source": "/etc"}]),
    ("5.7", "Processes_", ["0 1 /usr/sbin/sshd -D"]),
    (
        "5.8",
        "HostConfig",
        {"PortBindings": {"80/tcp": [{"HostIp": "127.0.0.1", "HostPort": "80"}]}},
    ),
    ("5.10", "HostConfig", {"NetworkMode": "host"}),
    ("5.11", "HostConfig", {"Memory": 0}),
    ("5.12", "HostConfig", {"NanoCpus": 0}),
    ("5.13", "HostConfig", {"ReadonlyRootfs": False}),
    (
        "5.14",
        "HostConfig",
        {"PortBindings": {"80/tcp": [{"HostIp": "0.0.0.0", "HostPort": "8080"}]}},  # noqa: S104
    ),
    ("5.14", "HostConfig", {"PortBindings": {"80/tcp": [{"HostIp": "", "HostPort": "8080"}]}}),
    ("5.15", "HostConfig", {"RestartPolicy": {"Name": "always", "MaximumRetryCount": 0}}),
    ("5.15", "HostConfig", {"RestartPolicy": {"Name": "on-failure", "MaximumRetryCount": 6}}),
    ("5.16", "HostConfig", {"PidMode": "host"}),
    ("5.17", "HostConfig", {"IpcMode": "host"}),
    ("5.20", "Mounts", [{**BIND, "Source": "/home/x", "Propagation": "shared"}]),
    ("5.21", "HostConfig", {"UTSMode": "host"}),
    ("5.22", "HostConfig", {"SecurityOpt": ["no-new-privileges:true", "seccomp=unconfined"]}),
    ("5.26", "HostConfig", {"SecurityOpt": None}),
    ("5.26", "HostConfig", {"SecurityOpt": ["no-new-privileges:false"]}),
    ("5.29", "HostConfig", {"PidsLimit": None}),
    ("5.30", "HostConfig", {"NetworkMode": "bridge"}),
    ("5.32", "Mounts", [{**BIND, "Source": "/var/run/docker.sock"}]),
]


def test_good_container_has_no_finding() -> None:
    assert cis.findings(GOOD) == []


@pytest.mark.parametrize(("item", "part", "values"), SPOILT)
def test_each_fault_is_found(item: str, part: str, values: Any) -> None:
    spoilt = copy.deepcopy(GOOD)
    if isinstance(values, dict):
        spoilt[part].update(values)
    else:
        spoilt[part] = values

    assert [finding.item for finding in cis.findings(spoilt)] == [item]


def test_every_item_is_spoilt_once() -> None:
    assert {item for item, _, _ in SPOILT} == set(cis.ITEMS)


def test_reason_belongs_to_its_item_and_container() -> None:
    assert cis.Finding("4.6", "orders-migrate", "").reason
    assert not cis.Finding("4.6", "orders-web", "").reason
    assert not cis.Finding("5.13", "orders-migrate", "").reason


def test_no_container_of_the_shop_has_a_finding_without_a_reason(containers: Containers) -> None:
    seen = cis.look()

    assert len(seen) >= len(containers.names()) > 0
    found = [finding for container in seen for finding in cis.findings(container)]
    assert [finding for finding in found if not finding.reason] == []


def test_every_accepted_finding_is_still_found(containers: Containers) -> None:
    found = [finding for container in cis.look() for finding in cis.findings(container)]
    used = {(finding.item, finding.reason) for finding in found}

    assert {(item, why) for (item, name), why in cis.ACCEPTED.items() if name != "ops"} <= used
