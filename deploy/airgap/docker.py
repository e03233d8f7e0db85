"""`docker build` with BuildKit, and what the engine knows of images.

No Dockerfile here has a `syntax` line: it would be fetched from a registry.
"""

import json
import os
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from souk import commands

CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
PROXIES = ("http_proxy", "https_proxy", "no_proxy")


def build(folder: Path, tag: str, arguments: Mapping[str, str], *, afresh: bool = False) -> None:
    """Build a folder's Dockerfile.

    BuildKit skips what has not changed, and so does not ask for newer packages, unless told to
    begin `afresh`. The machine's certificates come along as the secret `ca`.

    Raises:
        CommandError: the build failed; says why.
    """
    words = ["docker", "build", "--progress", "plain", "--tag", tag]
    words += ["--no-cache"] if afresh else []
    # A name alone takes its value from the environment.
    proxies = [name for name in PROXIES if name in os.environ]
    for argument in [*(f"{name}={value}" for name, value in arguments.items()), *proxies]:
        words += ["--build-arg", argument]
    if CERTIFICATES.exists():
        words += ["--secret", f"id=ca,src={CERTIFICATES}"]
    buildkit = {"DOCKER_BUILDKIT": "1"}
    commands.run_checked(f"building {tag}", [*words, folder], variables=buildkit)


def remove(identities: Iterable[str]) -> None:
    """Delete images, but for those that a container or another image uses: the engine refuses."""
    for identity in identities:
        commands.run(["docker", "image", "rm", identity])


def inspect(tags: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Return what the engine knows of the images, by tag; without those that are not there."""
    words = ["docker", "image", "inspect", *tags]
    # It fails when any is missing, and prints the others all the same.
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    found = json.loads(done.stdout or "[]")
    return {tag: image for image in found for tag in image["RepoTags"] if tag in words}
