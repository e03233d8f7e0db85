"""The items of the CIS Docker Benchmark 1.6.0 that a compose file and its images decide.

They are checked over what `docker inspect` says. A finding that is accepted has its reason in
ACCEPTED.
"""

import json
import re
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatch
from typing import Any

from compose import engine

Container = Mapping[str, Any]
SENSITIVE = ("/", "/boot", "/dev", "/etc", "/lib", "/proc", "/sys", "/usr")
SECRET_NAME = re.compile(r"PASS|SECRET|TOKEN|KEY|CREDENTIAL")
#: Variables of images whose names sound like secrets, and are none.
NO_SECRETS = {"GPG_KEY", "GPG_KEYS", "RABBITMQ_PGP_KEY_ID", "NGINX_GPGKEY", "KEYS_DIR"}
LOWEST_UNPRIVILEGED = 1024
RESTARTS = 5

#: (item, name in compose.yaml) → why it stays. Patterns as in a shell.
ACCEPTED = {
    ("4.6", "*-migrate"): "runs once and ends; its exit code is its health",
    ("4.6", "broker-setup"): "runs once and ends; its exit code is its health",
    ("4.6", "ops"): "one command of a person",
    ("5.15", "*"): "a shop comes back by itself however often something fails; Docker waits longer"
    " each time, up to a minute",
}


@dataclass(frozen=True)
class Finding:
    item: str
    service: str
    text: str

    @property
    def reason(self) -> str:
        """Why it is accepted; empty when it is not."""
        return next(
            (
                why
                for (item, name), why in ACCEPTED.items()
                if item == self.item and fnmatch(self.service, name)
            ),
            "",
        )


def _user(container: Container) -> str:
    user = str(container["Config"].get("User") or "root").partition(":")[0]
    return "runs as root" if user in ("0", "root") else ""


def _image_secrets(container: Container) -> str:
    names = [
        line.partition("=")[0]
        for line in container["Image_"]["Config"].get("Env") or []
        if line.partition("=")[2]
    ]
    found = [name for name in names if SECRET_NAME.search(name) and name not in NO_SECRETS]
    return f"the image sets {', '.join(found)}" if found else ""


def _health(container: Container) -> str:
    test = (container["Config"].get("Healthcheck") or {}).get("Test") or ["NONE"]
    return "has no health check" if test == ["NONE"] else ""


def _capabilities(container: Container) -> str:
    host = container["HostConfig"]
    if host.get("CapAdd"):
        return f"adds {', '.join(host['CapAdd'])}"
    return "" if "ALL" in (host.get("CapDrop") or []) else "does not drop all capabilities"


def _mounts(container: Container) -> str:
    sources = [mount["Source"] for mount in container.get("Mounts", []) if mount["Type"] == "bind"]
    bad = [path for path in sources if path in SENSITIVE]
    return f"mounts {', '.join(bad)} of the host" if bad else ""


def _socket(container: Container) -> str:
    sources = [str(mount.get("Source")) for mount in container.get("Mounts", [])]
    return "has Docker's socket" if any(path.endswith("docker.sock") for path in sources) else ""


def _sshd(container: Container) -> str:
    return "runs sshd" if any("sshd" in line for line in container.get("Processes_", [])) else ""


def _bindings(container: Container) -> list[Mapping[str, str]]:
    ports = container["HostConfig"].get("PortBindings") or {}
    return [binding for bindings in ports.values() for binding in bindings or []]


def _host_ports(container: Container) -> str:
    low = [
        each["HostPort"]
        for each in _bindings(container)
        if 0 < int(each["HostPort"] or 0) < LOWEST_UNPRIVILEGED
    ]
    return f"publishes the privileged port {', '.join(low)}" if low else ""


def _host_interface(container: Container) -> str:
    hosts = {binding.get("HostIp", "") for binding in _bindings(container)}
    wide = hosts & {"", "0.0.0.0", "::"}  # noqa: S104
    return "publishes a port on every interface: set GATEWAY_BIND" if wide else ""


def _shares(setting: str, what: str) -> Callable[[Container], str]:
    def check(container: Container) -> str:
        return f"shares the host's {what}" if container["HostConfig"].get(setting) == "host" else ""

    return check


def _restart(container: Container) -> str:
    policy = container["HostConfig"]["RestartPolicy"]
    limited = policy["Name"] == "on-failure" and 0 < policy["MaximumRetryCount"] <= RESTARTS
    return (
        ""
        if limited or policy["Name"] in ("", "no")
        else f"restarts without a limit ({policy['Name']})"
    )


def _propagation(container: Container) -> str:
    shared = [
        mount["Destination"]
        for mount in container.get("Mounts", [])
        if mount.get("Propagation") == "shared"
    ]
    return f"shares mounts with the host: {', '.join(shared)}" if shared else ""


def _options(container: Container) -> list[str]:
    return [
        option.replace("=", ":", 1) for option in container["HostConfig"].get("SecurityOpt") or []
    ]


def _seccomp(container: Container) -> str:
    return "seccomp is off" if "seccomp:unconfined" in _options(container) else ""


def _privileges(container: Container) -> str:
    good = {"no-new-privileges", "no-new-privileges:true"} & set(_options(container))
    return "" if good else "may gain privileges"


def _limit(setting: str, what: str) -> Callable[[Container], str]:
    def check(container: Container) -> str:
        return "" if (container["HostConfig"].get(setting) or 0) > 0 else f"has no {what} limit"

    return check


def _bridge(container: Container) -> str:
    return (
        "is on the default bridge"
        if container["HostConfig"]["NetworkMode"] in ("default", "bridge")
        else ""
    )


def _flag(setting: str, wanted: bool, text: str) -> Callable[[Container], str]:
    return lambda container: "" if bool(container["HostConfig"].get(setting)) is wanted else text


ITEMS: dict[str, Callable[[Container], str]] = {
    "4.1": _user,
    "4.6": _health,
    "4.10": _image_secrets,
    "5.4": _capabilities,
    "5.5": _flag("Privileged", False, "is privileged"),
    "5.6": _mounts,
    "5.7": _sshd,
    "5.8": _host_ports,
    "5.10": _shares("NetworkMode", "network"),
    "5.11": _limit("Memory", "memory"),
    "5.12": _limit("NanoCpus", "CPU"),
    "5.13": _flag("ReadonlyRootfs", True, "can write its root file system"),
    "5.14": _host_interface,
    "5.15": _restart,
    "5.16": _shares("PidMode", "process ids"),
    "5.17": _shares("IpcMode", "IPC"),
    "5.20": _propagation,
    "5.21": _shares("UTSMode", "host name"),
    "5.22": _seccomp,
    "5.26": _privileges,
    "5.29": _limit("PidsLimit", "process"),
    "5.30": _bridge,
    "5.32": _socket,
}


def findings(container: Container) -> list[Finding]:
    """What is wrong with a container: `docker inspect`, with its image as `Image_` and its
    processes as `Processes_`.
    """
    service = engine.service_of(dict(container))
    texts = {item: check(container) for item, check in ITEMS.items()}
    return [Finding(item, service, text) for item, text in texts.items() if text]


def look() -> list[Container]:
    """Every container of the shop, with what the checks need besides."""
    return [
        {
            **container,
            "Image_": _image(container["Image"]),
            "Processes_": _processes(container["Id"]),
        }
        for container in engine.containers()
    ]


def _image(image: str) -> Any:
    said = subprocess.run(
        ["docker", "image", "inspect", image], capture_output=True, text=True, check=True
    ).stdout
    return json.loads(said)[0]


def _processes(container: str) -> list[str]:
    done = subprocess.run(["docker", "top", container], capture_output=True, text=True, check=False)
    return done.stdout.splitlines()[1:]
