"""`docker build` with BuildKit.

No Dockerfile here has a `syntax` line: it would be fetched from a registry.
"""

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

from souk import commands
from souk.console import log_step

CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
PROXIES = ("http_proxy", "https_proxy", "no_proxy")


def build(
    folder: Path,
    tag: str,
    arguments: Mapping[str, str],
    labels: Mapping[str, str],
    *,
    afresh: bool = False,
) -> None:
    """Builds a folder's Dockerfile.

    The machine's certificates come along as the secret `ca`. BuildKit knows a step by its words and
    files: unless told to begin `afresh` it does not ask for newer packages. The image that had the
    tag before is deleted.

    Raises:
        CommandError: the build failed; says why.
    """
    log_step(f"building {tag}")
    before = _id(tag)
    words = [
        *("docker", "build", "--progress", "plain", "--tag", tag),
        *(["--no-cache"] if afresh else []),
        *_options(arguments, labels),
        str(folder),
    ]
    commands.run_checked(f"building {tag}", words, variables={"DOCKER_BUILDKIT": "1"})
    if before not in ("", _id(tag)):
        # The engine refuses while a container uses it.
        subprocess.run(["docker", "image", "rm", before], capture_output=True, check=False)


def _options(arguments: Mapping[str, str], labels: Mapping[str, str]) -> list[str]:
    words = []
    for name, value in arguments.items():
        words += ["--build-arg", f"{name}={value}"]
    for name in PROXIES:
        words += ["--build-arg", name] if name in os.environ else []
    for name, value in labels.items():
        words += ["--label", f"{name}={value}"]
    return [*words, "--secret", f"id=ca,src={CERTIFICATES}"] if CERTIFICATES.exists() else words


def _id(tag: str) -> str:
    words = ["docker", "image", "inspect", "--format", "{{.Id}}", tag]
    return subprocess.run(words, capture_output=True, text=True, check=False).stdout.strip()
