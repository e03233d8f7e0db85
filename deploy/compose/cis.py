"""The items of the CIS Docker Benchmark 1.6.0 that a compose file and its images decide, over what
`docker inspect` says.

`python3 deploy/souk cis` looks at every container of the shop. A finding that we accept has its
reason in ACCEPTED.
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
    (
        "5.15",
        "*",
    ): "a shop comes back by itself however often something fails; Docker waits longer each time, up to a minute",
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


def _user(one: Container) -> str:
    user = str(one["Config"].get("User") or "root").partition(":")[0]
    return "runs as root" if user in ("0", "root") else ""


def _image_secrets(one: Container) -> str:
    names = [
        line.partition("=")[0]
        for line in one["Image_"]["Config"].get("Env") or []
        if line.partition("=")[2]
    ]
    found = [name for name in names if SECRET_NAME.search(name) and name not in NO_SECRETS]
    return f"the image sets {', '.join(found)}" if found else ""


def _health(one: Container) -> str:
    test = (one["Config"].get("Healthcheck") or {}).get("Test") or ["NONE"]
    return "has no health check" if test == ["NONE"] else ""


def _capabilities(one: Container) -> str:
    host = one["HostConfig"]
    if host.get("CapAdd"):
        return f"adds {', '.join(host['CapAdd'])}"
    return "" if "ALL" in (host.get("CapDrop") or []) else "does not drop all capabilities"


def _mounts(one: Container) -> str:
    sources = [mount["Source"] for mount in one.get("Mounts", []) if mount["Type"] == "bind"]
    bad = [path for path in sources if path in SENSITIVE]
    return f"mounts {', '.join(bad)} of the host" if bad else ""


def _socket(one: Container) -> str:
    sources = [str(mount.get("Source")) for mount in one.get("Mounts", [])]
    return "has Docker's socket" if any(path.endswith("docker.sock") for path in sources) else ""


def _sshd(one: Container) -> str:
    return "runs sshd" if any("sshd" in line for line in one.get("Processes_", [])) else ""


def _bindings(one: Container) -> list[Mapping[str, str]]:
    ports = one["HostConfig"].get("PortBindings") or {}
    return [binding for bindings in ports.values() for binding in bindings or []]


def _host_ports(one: Container) -> str:
    low = [
        each["HostPort"]
        for each in _bindings(one)
        if 0 < int(each["HostPort"] or 0) < LOWEST_UNPRIVILEGED
    ]
    return f"publishes the privileged port {', '.join(low)}" if low else ""


def _host_interface(one: Container) -> str:
    wide = [each for each in _bindings(one) if each.get("HostIp", "") in ("", "0.0.0.0", "::")]  # noqa: S104 # nosec B104
    return "publishes a port on every interface: set GATEWAY_BIND" if wide else ""


def _shares(setting: str, what: str) -> Callable[[Container], str]:
    def check(one: Container) -> str:
        return f"shares the host's {what}" if one["HostConfig"].get(setting) == "host" else ""

    return check


def _restart(one: Container) -> str:
    policy = one["HostConfig"]["RestartPolicy"]
    limited = policy["Name"] == "on-failure" and 0 < policy["MaximumRetryCount"] <= RESTARTS
    return (
        ""
        if limited or policy["Name"] in ("", "no")
        else f"restarts without a limit ({policy['Name']})"
    )


def _propagation(one: Container) -> str:
    shared = [
        mount["Destination"]
        for mount in one.get("Mounts", [])
        if mount.get("Propagation") == "shared"
    ]
    return f"shares mounts with the host: {', '.join(shared)}" if shared else ""


def _options(one: Container) -> list[str]:
    return [option.replace("=", ":", 1) for option in one["HostConfig"].get("SecurityOpt") or []]


def _seccomp(one: Container) -> str:
    return "seccomp is off" if "seccomp:unconfined" in _options(one) else ""


def _privileges(one: Container) -> str:
    good = {"no-new-privileges", "no-new-privileges:true"} & set(_options(one))
    return "" if good else "may gain privileges"


def _limit(setting: str, what: str) -> Callable[[Container], str]:
    def check(one: Container) -> str:
        return "" if (one["HostConfig"].get(setting) or 0) > 0 else f"has no {what} limit"

    return check


def _bridge(one: Container) -> str:
    return (
        "is on the default bridge"
        if one["HostConfig"]["NetworkMode"] in ("default", "bridge")
        else ""
    )


def _flag(setting: str, wanted: bool, text: str) -> Callable[[Container], str]:
    return lambda one: "" if bool(one["HostConfig"].get(setting)) is wanted else text


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


def findings(one: Container) -> list[Finding]:
    """What is wrong with one container: `docker inspect`, with its image as `Image_` and its
    processes as `Processes_`.
    """
    service = engine.service_of(dict(one))
    texts = {item: check(one) for item, check in ITEMS.items()}
    return [Finding(item, service, text) for item, text in texts.items() if text]


def look() -> list[Container]:
    """Every container of the shop, with what the checks need besides."""
    return [
        {**one, "Image_": _image(one["Image"]), "Processes_": _processes(one["Id"])}
        for one in engine.containers()
    ]


def _image(image: str) -> Any:
    said = subprocess.run(
        ["docker", "image", "inspect", image], capture_output=True, text=True, check=True
    ).stdout
    return json.loads(said)[0]


def _processes(container: str) -> list[str]:
    done = subprocess.run(["docker", "top", container], capture_output=True, text=True, check=False)
    return done.stdout.splitlines()[1:]


def show() -> bool:
    """Prints every finding. Returns whether all have a reason."""
    containers = look()
    found = [finding for one in containers for finding in findings(one)]
    for one in sorted(found, key=lambda one: (bool(one.reason), one.item, one.service)):
        print(
            f"{'accepted' if one.reason else 'FINDING':<9} {one.item:<5} {one.service:<20} {one.text}"
        )
    for (item, name), reason in ACCEPTED.items():
        print(f"          {item} for {name}: {reason}")
    open_findings = [one for one in found if not one.reason]
    print(
        f"{len(containers)} containers, {len(ITEMS)} items, {len(open_findings)} findings without a reason"
    )
    return bool(containers) and not open_findings
