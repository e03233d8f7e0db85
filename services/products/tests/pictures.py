"""Pictures for tests, good and bad."""

import struct
import zlib
from io import BytesIO
from typing import Any

from PIL import Image

ORIENTATION = 0x0112


def picture(
    width: int = 64, height: int = 48, *, format: str = "PNG", mode: str = "RGB", **options: Any
) -> bytes:
    """Return an encoded picture whose left half is red."""
    image = Image.new(mode, (width, height))
    if mode in {"RGB", "RGBA"}:
        image.paste("red", (0, 0, width // 2, height))
    out = BytesIO()
    image.save(out, format, **options)
    return out.getvalue()


def read(content: bytes) -> Image.Image:
    """Return the decoded picture."""
    image = Image.open(BytesIO(content))
    image.load()
    return image


def png_bomb(width: int, height: int) -> bytes:
    """Return a PNG of a few KB whose header promises so many white pixels."""
    packer = zlib.compressobj(9)
    row = b"\0" + b"\xff" * (width // 8 + 1)
    data = b"".join(packer.compress(row) for _ in range(min(height, 2_000))) + packer.flush()
    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", data), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(*each) for each in chunks)


def _chunk(kind: bytes, data: bytes) -> bytes:
    body = kind + data
    return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))


def webp_bomb(width: int, height: int) -> bytes:
    """Return a lossless WebP whose header promises so many pixels, and which has none."""
    bits = (width - 1) | (height - 1) << 14
    data = b"\x2f" + struct.pack("<I", bits) + bytes(64)
    chunk = b"VP8L" + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2)
    return b"RIFF" + struct.pack("<I", len(chunk) + 4) + b"WEBP" + chunk


def gif_of_many_frames(count: int) -> bytes:
    """Return a GIF of so many frames of one pixel."""
    screen = b"GIF89a" + struct.pack("<HHBBB", 1, 1, 0x80, 0, 0) + bytes(6)
    frame = b"\x2c" + struct.pack("<HHHHB", 0, 0, 1, 1, 0) + b"\x02\x02\x44\x01\x00"
    return screen + frame * count + b"\x3b"


def frames(count: int, *, format: str) -> bytes:
    """Return an animation of small pictures, each of another grey."""
    images = [Image.new("RGB", (8, 8), (number * 80,) * 3) for number in range(count)]
    out = BytesIO()
    images[0].save(out, format, save_all=True, append_images=images[1:])
    return out.getvalue()
