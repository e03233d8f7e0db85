"""Files of images, in Django's storage: a folder, or S3 (settings.STORAGES).

A file is written before the row that names it, its name is never given again, and its row is gone
before it: whatever is cut off leaves at most a file that no row names, and that is cleared away.
"""

import hashlib
import logging
import random
import re
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from uuid import uuid4

from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db.models import Q
from django.utils import timezone

from products.models import ProductImage
from servicekit.http.problems import ServiceUnavailable

logger = logging.getLogger(__name__)

#: How old a file without a row must be: an upload that is under way has none yet.
ORPHANED_AFTER = timedelta(days=1)
#: The files are spread over as many folders, so that none of them is long to read.
FOLDERS = [f"{number:02x}" for number in range(256)]
#: What a file is of: the name without the width of a thumbnail and without the ending.
OF_AN_IMAGE = re.compile(r"([0-9a-f]{32})(?:-\d+)?\.webp")
PER_QUERY = 1_000


def new_name(content: bytes) -> str:
    """Return a name for this content that no file ever had, without an ending.

    A digest of the content alone would be the same for a picture that two products share, and
    whoever clears away the file of one would have to ask for the other, while it is uploaded.
    """
    digest = hashlib.sha256(uuid4().bytes + content).hexdigest()
    return f"{digest[:2]}/{digest[2:34]}"


def write(name: str, content: bytes) -> None:
    """Write a file of a new name.

    Raises:
        ServiceUnavailable: the storage is full or away.
    """
    try:
        default_storage.save(name, ContentFile(content))
    except Exception as error:  # each storage has errors of its own
        logger.exception("image was not stored")
        raise ServiceUnavailable("Images cannot be stored now. Try again.") from error


def delete_orphans(*, seconds: float | None = None) -> int:
    """Delete the files that no row names and that are older than a day; return how many.

    With `seconds` it ends about then; it takes the folders in any order, so that the next run
    goes on elsewhere.
    """
    deleted, deadline = 0, time.monotonic() + (seconds or float("inf"))
    written_before = timezone.now() - ORPHANED_AFTER
    for folder in random.sample(FOLDERS, len(FOLDERS)):  # nosec B311: no secret
        if time.monotonic() > deadline:
            break
        deleted += sum(_delete(file, written_before) for file in _orphans(folder))
    return deleted


def _orphans(folder: str) -> Iterator[str]:
    """Yield the files of the folder that no row names; what is no file of ours is left alone."""
    try:
        _, files = default_storage.listdir(folder)
    except FileNotFoundError:
        return
    for start in range(0, len(files), PER_QUERY):
        found = map(OF_AN_IMAGE.fullmatch, files[start : start + PER_QUERY])
        yield from _without_row(
            {f"{folder}/{match[0]}": f"{folder}/{match[1]}" for match in found if match}
        )


def _without_row(images: dict[str, str]) -> list[str]:
    """Return the files that no row names; `images` has the name of each without its ending."""
    rows = ProductImage.objects.filter(
        Q(name__in=list(images)) | Q(thumbnails__in=set(images.values()))
    ).values_list("name", "thumbnails")
    known = {name for row in rows for name in row}
    return [file for file, image in images.items() if not known & {file, image}]


def _delete(file: str, written_before: datetime) -> bool:
    try:
        if default_storage.get_modified_time(file) > written_before:
            return False
        default_storage.delete(file)
    except Exception as error:  # another run was quicker; each storage says so in its own way
        logger.info("orphan stays", extra={"file": file, "reason": str(error)[:200]})
        return False
    return True
