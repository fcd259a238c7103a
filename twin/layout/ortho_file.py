"""An orthophoto on disk: PNG pictures with a world file beside them, as any GIS reads them."""

import hashlib
from pathlib import Path
from urllib.parse import quote

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from geometry import read_bounded, write_atomic
from geometry.errors import InputError
from perception import read_image
from twin.layout.ortho import Ortho

UNSEEN = 255
MAX_STEM = 180
"""Characters; file systems take 255, with the endings."""


def ortho_path(folder: Path, level: str) -> Path:
    """Return where the orthophoto of a level lies; characters that a file's name can't have are percent-encoded."""
    return folder / f"{file_stem(level)}.png"


def file_stem(level: str) -> str:
    """Return a level's id as the name of a file without an ending: percent-encoded, a long one cut and hashed."""
    encoded = quote(level, safe=" ").replace(".", "%2E")
    if len(encoded) <= MAX_STEM:
        return encoded
    return f"{encoded[: MAX_STEM - 17]}-{hashlib.sha256(level.encode()).hexdigest()[:16]}"


def write_ortho(folder: Path, level: str, ortho: Ortho) -> None:
    """Write ``LEVEL.png``, ``LEVEL.pgw``, ``LEVEL.views.png`` and ``LEVEL.spread.png`` into ``folder``.

    The world file has six lines: metres a pixel to the right, two zeros, metres a pixel down (negative), and x and y of
    the middle of the first pixel, in site. Views are capped at 255; a spread of 255 means not seen.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = ortho_path(folder, level)
    step = ortho.m_per_px
    x, y = ortho.top_left[0] + step / 2, ortho.top_left[1] - step / 2
    spread = np.where(np.isfinite(ortho.spread), np.minimum(np.round(ortho.spread), UNSEEN - 1), UNSEEN)
    _write_png(path, ortho.pixels)
    _write_png(path.with_suffix(".views.png"), ortho.views)
    _write_png(path.with_suffix(".spread.png"), spread.astype(np.uint8))
    write_atomic(path.with_suffix(".pgw"), "".join(f"{v!r}\n" for v in (step, 0.0, 0.0, -step, x, y)).encode())


def read_ortho(folder: Path, level: str) -> Ortho:
    """Read what ``write_ortho`` wrote, spread to a grey level; ``InputError`` or ``ImageError`` names the file."""
    path = ortho_path(folder, level)
    world = path.with_suffix(".pgw")
    try:
        values = [float(line) for line in read_bounded(world).decode().split()]
    except ValueError as error:
        raise InputError("is not a world file", where=str(world), remedy="Six numbers, one a line.") from error
    step = values[0] if len(values) == 6 else np.nan
    if not np.isfinite(values).all() or values[1:4] != [0.0, 0.0, -step] or step <= 0:
        raise InputError("is not an upright world file", where=str(world), remedy="Six numbers: s, 0, 0, -s, x, y.")
    pixels = read_image(path).pixels
    views = read_image(path.with_suffix(".views.png")).pixels[..., 0]
    spread = read_image(path.with_suffix(".spread.png")).pixels[..., 0].astype(np.float32)
    if not pixels.shape[:2] == views.shape == spread.shape:
        raise InputError("its pictures differ in size", where=str(path), remedy="Write them again.")
    return Ortho(
        pixels=pixels,
        views=views,
        spread=np.where(spread == UNSEEN, np.nan, spread).astype(np.float32),
        top_left=(values[4] - step / 2, values[5] + step / 2),
        m_per_px=step,
    )


def _write_png(path: Path, pixels: NDArray[np.uint8]) -> None:
    temporary = path.with_name(path.name + ".part")
    Image.fromarray(pixels).save(temporary, format="PNG")
    temporary.replace(path)
