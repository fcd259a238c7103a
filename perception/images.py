"""Reading photos safely: bounded before decoding, upright, 8-bit RGB; and how good a photo is."""

import os
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageOps

from geometry.errors import ImageError, InputError

Pixels = NDArray[np.uint8]

FORMATS = ("JPEG", "PNG", "WEBP", "TIFF", "BMP")
SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp"})
MAX_PIXELS = 80_000_000
MAX_BYTES = 256 * 1024 * 1024

_CLIPPED_DARK, _CLIPPED_BRIGHT = 2, 253


@dataclass(frozen=True, kw_only=True)
class Picture:
    """A decoded photo, upright as its EXIF orientation asks.

    name: what the caller calls it (by default the path as given)
    pixels: (H, W, 3) uint8 RGB
    camera_model: EXIF maker and model in one line, where present
    focal_35mm_mm: EXIF focal length in 35 mm film equivalent (mm), where present
    """

    name: str
    pixels: Pixels
    camera_model: str | None = None
    focal_35mm_mm: float | None = None

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) in pixels."""
        return self.pixels.shape[1], self.pixels.shape[0]

    @property
    def gray(self) -> Pixels:
        """(H, W) uint8 luma (ITU-R BT.601)."""
        return np.asarray(cv2.cvtColor(self.pixels, cv2.COLOR_RGB2GRAY), dtype=np.uint8)


@dataclass(frozen=True, kw_only=True)
class ImageQuality:
    """How usable a photo is.

    sharpness: variance of the Laplacian over the variance of the gray values, so that a dim photo isn't called blurred
        (Pech-Pacheco et al. 2000, normalised); 0 for a flat image; a sharp photo had 0.14, and 0.023 and
        0.005 after a Gaussian blur of 1 and 2 px
    dark_share, bright_share: shares of pixels, in [0, 1], clipped to black and to white
    """

    sharpness: float
    dark_share: float
    bright_share: float


def read_image(
    path: str | os.PathLike[str], *, name: str | None = None, max_pixels: int = MAX_PIXELS, max_bytes: int = MAX_BYTES
) -> Picture:
    """Read a photo (JPEG, PNG, WebP, TIFF, BMP; the first frame of an animation) as upright 8-bit RGB.

    Bytes, format and pixel count are checked before anything is decoded. 16-bit gray is scaled to 8 bit, alpha is
    dropped. Raises ``ImageError`` naming the file and a remedy where it's missing, empty, too large, of another
    format, truncated or otherwise undecodable.
    """
    file = Path(path)
    label = name if name is not None else os.fspath(path)
    _check_file(file, label, max_bytes)
    try:
        with Image.open(file, formats=FORMATS) as image:
            width, height = image.size
            if width * height > max_pixels:
                raise _too_many_pixels(label, f"{width}x{height} pixels", max_pixels)
            exif = image.getexif()
            return Picture(
                name=label, pixels=_rgb(image, label), camera_model=_camera_model(exif), focal_35mm_mm=_focal_35mm(exif)
            )
    except ImageError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise _too_many_pixels(label, "far too many pixels", max_pixels) from error
    except Image.UnidentifiedImageError as error:
        raise ImageError(
            "is not an image Tiepoint reads, whatever its suffix", where=label, remedy=f"Convert it to {_one_of()}."
        ) from error
    except Exception as error:  # the decoders raise a dozen types on damaged data
        raise ImageError(
            f"can't be decoded ({error})", where=label, remedy="Copy or export it again; it may be truncated."
        ) from error


def list_images(folder: str | os.PathLike[str]) -> tuple[str, ...]:
    """Return the sorted POSIX names, relative to ``folder``, of the images in it and below.

    Hidden files and folders are skipped, linked folders aren't entered. Raises ``InputError`` where the folder is
    missing, a link leads out of it, or a name isn't UTF-8.
    """
    root = Path(folder)
    if not root.is_dir():
        raise InputError("is not a folder", where=str(root), remedy="Give the folder that holds the images.")
    names = []
    for current, folders, files in os.walk(root):
        folders[:] = [name for name in folders if not name.startswith(".")]
        images = [name for name in files if not name.startswith(".") and Path(name).suffix.lower() in SUFFIXES]
        for entry in (Path(current, name) for name in (*folders, *images)):
            _check_stays_inside(entry, root)
        names += [Path(current, name).relative_to(root).as_posix() for name in images]
    return tuple(sorted(names))


def image_quality(gray: Pixels) -> ImageQuality:
    """Measure the sharpness and clipping of a gray image (H, W) uint8."""
    if gray.size == 0:
        raise ImageError("an image without pixels has no quality", remedy="Check how it was cropped.")
    variance = float(gray.var())
    laplacian = cv2.Laplacian(gray, cv2.CV_32F)
    return ImageQuality(
        sharpness=float(laplacian.var()) / variance if variance > 0 else 0.0,
        dark_share=float(np.mean(gray <= _CLIPPED_DARK)),
        bright_share=float(np.mean(gray >= _CLIPPED_BRIGHT)),
    )


def _check_file(file: Path, label: str, max_bytes: int) -> None:
    if not file.exists():
        raise ImageError("no such file", where=label, remedy="Check the name and the folder.")
    if not file.is_file():
        raise ImageError("is not a regular file", where=label, remedy="Give the path of one image.")
    size = file.stat().st_size
    if size == 0:
        raise ImageError("is empty (0 bytes)", where=label, remedy="Copy it again from the camera.")
    if size > max_bytes:
        raise ImageError(
            f"has {size} bytes, the limit is {max_bytes}", where=label, remedy="Make it smaller or raise max_bytes."
        )


def _rgb(image: Image.Image, label: str) -> Pixels:
    """Decode to upright (H, W, 3) uint8. Pillow turns a TIFF while loading it, and then no orientation is left."""
    image.load()
    upright = ImageOps.exif_transpose(image)
    if upright.mode.startswith("I;16"):
        gray = (np.asarray(upright, dtype=np.float32) / 257.0 + 0.5).astype(np.uint8)
        return np.repeat(gray[:, :, None], 3, axis=2)
    if upright.mode in ("I", "F"):
        raise ImageError(
            f"32-bit pixels (mode {upright.mode}) have no known range", where=label, remedy="Save it with 8 or 16 bits."
        )
    if upright.mode == "P":  # a palette may hide alpha, which pillow drops only by way of RGBA
        upright = upright.convert("RGBA")
    return np.asarray(upright.convert("RGB"))


def _camera_model(exif: Image.Exif) -> str | None:
    parts = [str(exif.get(tag) or "").strip("\0 ") for tag in (ExifTags.Base.Make, ExifTags.Base.Model)]
    return " ".join(part for part in parts if part) or None


def _focal_35mm(exif: Image.Exif) -> float | None:
    value = exif.get_ifd(ExifTags.IFD.Exif).get(ExifTags.Base.FocalLengthIn35mmFilm)
    return float(value) if isinstance(value, int | float) and value > 0 else None


def _check_stays_inside(entry: Path, root: Path) -> None:
    if entry.is_symlink() and not entry.resolve().is_relative_to(root.resolve()):
        raise InputError("is a link that leads out of the folder", where=str(entry), remedy="Copy the image instead.")
    try:
        entry.name.encode()
    except UnicodeEncodeError as error:
        raise InputError("has a name that isn't UTF-8", where=repr(entry), remedy="Rename it.") from error


def _too_many_pixels(label: str, found: str, max_pixels: int) -> ImageError:
    return ImageError(
        f"has {found}, the limit is {max_pixels}", where=label, remedy="Make it smaller or raise max_pixels."
    )


def _one_of() -> str:
    return f"{', '.join(FORMATS[:-1])} or {FORMATS[-1]}"
