"""Pictures inside the page: thumbnails, and two photos side by side with the matches between them."""

import base64
import io
import logging
from pathlib import Path

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray
from PIL import Image

from geometry import ImageError
from perception import read_image
from twin.report import svg
from twin.report.examples import MatchExample

logger = logging.getLogger(__name__)

THUMBNAIL_PX, EXAMPLE_PX, FLOOR_PX = (144, 108), (560, 420), (1100, 1100)
JPEG_QUALITY = 78
GAP = 12.0
MAX_LINES = 60
HUES = 6


def embed(path: Path, name: str, size: tuple[int, int]) -> tuple[str, tuple[int, int]] | None:
    """Return a JPEG of a photo, at most ``size`` (width, height), as a data URI, and its original size.

    None where the photo can't be read, which is then the reason of its refusal and stands in the table.
    """
    try:
        picture = read_image(path, name=name)
    except ImageError as error:
        logger.info("%s", error)
        return None
    return embed_picture(picture.pixels, size), picture.size


def embed_picture(picture: NDArray[np.uint8], size: tuple[int, int]) -> str:
    """Return a picture (H, W, 3) as a JPEG, at most ``size`` (width, height), in a data URI."""
    small = Image.fromarray(picture)
    small.thumbnail(size, Image.Resampling.LANCZOS, reducing_gap=3.0)
    stream = io.BytesIO()
    small.save(stream, "JPEG", quality=JPEG_QUALITY, optimize=True)
    return f"data:image/jpeg;base64,{base64.b64encode(stream.getvalue()).decode()}"


def draw_matches(example: MatchExample) -> Markup | None:
    """Draw a query beside a map image with lines between the matches, or return None where one can't be read."""
    query, view = (
        embed(path, name, EXAMPLE_PX)
        for path, name in ((example.query_file, example.query), (example.view_file, example.view))
    )
    if query is None or view is None:
        return None
    height = float(EXAMPLE_PX[1])
    scales = [height / size[1] for _, size in (query, view)]
    widths = [scale * size[0] for scale, (_, size) in zip(scales, (query, view), strict=True)]
    shift = np.array([widths[0] + GAP, 0.0])
    ends = np.stack([example.query_pixels * scales[0], example.view_pixels * scales[1] + shift], axis=1)
    pictures = [
        svg.element("image", href=uri, x=x, y=0.0, width=width, height=height, preserveAspectRatio="none")
        for uri, x, width in ((query[0], 0.0, widths[0]), (view[0], float(shift[0]), widths[1]))
    ]
    label = f"{example.query} beside map image {example.view}, lines between {len(ends)} matching points"
    lines = _lines(ends[_spread(example.query_pixels)])
    return svg.drawing(float(sum(widths) + GAP), height, *pictures, *lines, label=label, class_="matches")


def _lines(ends: NDArray[np.float64]) -> list[Markup]:
    """Draw lines (N, 2, 2); neighbours differ in hue so that the eye can follow them."""
    parts = []
    for hue in range(HUES):
        chosen = ends[hue::HUES]
        parts.append(svg.element("path", d="".join(map(svg.path, chosen)), class_=f"line hue-{hue}"))
        parts.append(svg.element("path", d=svg.dots(chosen.reshape(-1, 2)), class_=f"end hue-{hue}"))
    return parts


def _spread(pixels: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return up to ``MAX_LINES`` rows of pixels (N, 2), spread over the picture: one for each cell of a grid."""
    if len(pixels) <= MAX_LINES:
        return np.argsort(pixels[:, 1], kind="stable")
    span = np.maximum(np.ptp(pixels, axis=0), 1e-9)
    side = int(np.sqrt(MAX_LINES))
    cell = np.minimum((side * (pixels - pixels.min(axis=0)) / span).astype(int), side - 1)
    _, first = np.unique(cell @ [1, side], return_index=True)
    return first
