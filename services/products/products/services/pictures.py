"""Pictures that clients send, made safe: read as what they are, and written anew.

Pillow decodes, and what we keep is what it encodes from the pixels: no metadata, no second file
hidden behind the first, no script. Everything is WebP, and no picture is larger than a page shows.
"""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from typing import IO

from PIL import Image, ImageOps, UnidentifiedImageError

from products.errors import InvalidImage, UnsupportedImage
from servicekit.http.problems import ServiceUnavailable

logger = logging.getLogger(__name__)

#: What browsers show and cameras make.
FORMATS = ("JPEG", "PNG", "WEBP")
MAX_PIXELS = 25_000_000
#: WebP's own limit of a side.
MAX_SIDE = 16_383
#: The longer side of what is kept, in pixels.
KEPT_SIDE = 2_048
QUALITY = 85
#: The largest pictures take seconds, and the gateway waits 15 s for an answer.
PATIENCE_SECONDS = 3

# Ours is stricter, and answers instead of warning.
Image.MAX_IMAGE_PIXELS = None
# A decoded picture is a hundred times what it is as a file: one at a time in a process.
_one_at_a_time = threading.Lock()


@dataclass(frozen=True, slots=True)
class Picture:
    """An encoded picture, and its size in pixels."""

    content: bytes
    width: int
    height: int


def reencode(content: bytes) -> Picture:
    """Return the picture as we keep it: upright, without metadata, at most KEPT_SIDE wide or high.

    Raises:
        UnsupportedImage: it is neither JPEG, PNG nor WebP.
        InvalidImage: it is too large, damaged, or has several frames.
        ServiceUnavailable: too many others are being decoded.
    """
    with _turn(), _opened(BytesIO(content)) as image:
        _check(image)
        return _encode(ImageOps.exif_transpose(_fitted(image, KEPT_SIDE, KEPT_SIDE)))


def make_thumbnails(file: IO[bytes], widths: tuple[int, ...]) -> dict[int, Picture]:
    """Return a thumbnail of each width for one of our own pictures; none is wider than that."""
    with _turn(), _opened(file) as image:
        return {
            width: _encode(_fitted(image.copy(), width, image.height))
            for width in sorted(widths, reverse=True)
        }


@contextmanager
def _turn() -> Iterator[None]:
    if not _one_at_a_time.acquire(timeout=PATIENCE_SECONDS):
        raise ServiceUnavailable("Too many images are coming at once. Try again.")
    try:
        yield
    finally:
        _one_at_a_time.release()


@contextmanager
def _opened(file: IO[bytes]) -> Iterator[Image.Image]:
    """Open a picture; whatever goes wrong with it inside is the picture's fault.

    A decoder's errors on hostile bytes are of any kind: OSError, SyntaxError, struct.error, ….
    """
    try:
        with Image.open(file, formats=FORMATS) as image:
            yield image
    except UnidentifiedImageError as error:
        raise UnsupportedImage("Send a JPEG, PNG or WebP image.") from error
    except InvalidImage:
        raise
    except Exception as error:
        logger.info("damaged image", extra={"reason": str(error)[:200]})
        raise InvalidImage(code="damaged", detail="The image cannot be decoded.") from error


def _check(image: Image.Image) -> None:
    """Judge by the header: no pixel is decoded yet."""
    width, height = image.size
    if width * height > MAX_PIXELS or max(width, height) > MAX_SIDE:
        detail = f"At most {MAX_PIXELS:,} pixels, and {MAX_SIDE:,} on a side."
        raise InvalidImage(code="too_many_pixels", detail=detail)
    # MPO is a JPEG with more pictures behind it, as telephones make them; the first is the picture.
    if image.format != "MPO" and getattr(image, "n_frames", 1) > 1:
        raise InvalidImage(code="several_frames", detail="It must be a still image.")


def _fitted(image: Image.Image, width: int, height: int) -> Image.Image:
    """Return it at most so large, in its own proportions."""
    if image.mode.startswith("I"):
        image = image.convert("I").point(lambda value: value / 256).convert("L")
    elif image.mode not in {"L", "RGB", "RGBA", "CMYK"}:
        # Palettes and single bits cannot be scaled smoothly.
        image = image.convert("RGBA")
    # Of a JPEG this decodes no more than it needs.
    image.thumbnail((width, height))
    return image


def _encode(image: Image.Image) -> Picture:
    image = image.convert("RGBA" if image.has_transparency_data else "RGB")
    out = BytesIO()
    # Metadata would be written only if it were named here.
    image.save(out, "WEBP", quality=QUALITY, method=2)
    return Picture(out.getvalue(), *image.size)
