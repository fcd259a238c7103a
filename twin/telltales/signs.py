"""Signs that name a level, at a place where other levels have theirs: how the map's photos show each of them."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations

import cv2
import numpy as np
from numpy.typing import NDArray

from geometry import position_of
from perception import read_image
from twin.photos import MapPhoto
from twin.signs import SignLandmark
from twin.telltales.patches import Shown, log_grey, shown
from twin.telltales.telltale import MOST_CELLS, Telltale

Array = NDArray[np.float64]

STEP_M, AROUND_M = 0.03, 0.15
SAME_PLACE_M, SAME_FACING = 0.6, 0.8
"""Signs of two levels are at one place: metres between them, seen from their floors, and cosine of their normals."""
LEAST_PROBABILITY = 0.5
"""Of a sign's text."""
MOST_VIEWS, LEAST_VIEWS, AGREEING = 16, 3, 6
"""Photos that are looked at, the largest first; that a look needs; that agree and are averaged."""
OFF, SAME_SIGN = 6, 0.5
"""Cells by which a sign may be off its place on another level, and the correlation above which it is a like one."""
SHIFT = 3
"""Cells by which photos may show a sign off its place."""
DISTINCT = 0.93
"""Correlation of two looks above which they are too alike to tell levels apart."""
FAINT = 0.5
"""Contrast of a sign against the clearest level's, below which its look is none."""
DIFFERS, GRAIN, ROOM = 0.5, 2.0, 8
"""Share of the largest difference that is looked at, how far (cells) it is smoothed, lest one sign's blur count, and
cells around it, by which a photo's shift is seen."""
LEAST_CELLS, MOST_ASPECT = 6, 2.5
"""Of what differs, a letter or two: its height in cells, and its width against that. Where all of a text does, some
level's photos show it as a smear."""
ROUNDS = 3
LEAST_STD = 0.02


def telltale_signs(
    signs: Sequence[SignLandmark], elevations: Sequence[float], ceilings: Sequence[float], photos: Sequence[MapPhoto]
) -> list[Telltale]:
    """Return the places of signs that name one level each (which is the caller's choice) as K levels show them.

    elevations: (K,) heights of floors, ascending; ceilings: (K,) above them, metres. A level without such a sign there
    shows what else is at that place. Left out is what photos of some level show too seldom.
    """
    heights = np.asarray(elevations, dtype=np.float64)
    found = []
    for place in _places([sign for sign in signs if sign.probability >= LEAST_PROBABILITY], heights):
        telltale = _looked_at(place, heights, ceilings, photos)
        if telltale is not None:
            found.append(telltale)
    return found


def _level(sign: SignLandmark, elevations: Array) -> int:
    return max(int(np.searchsorted(elevations, sign.position[2])) - 1, 0)


def _places(signs: Sequence[SignLandmark], elevations: Array) -> list[dict[int, SignLandmark]]:
    """Return signs by level, those of one place together; the one that most photos show stands first."""
    places: list[dict[int, SignLandmark]] = []
    for sign in sorted(signs, key=lambda sign: -sign.views):
        level = _level(sign, elevations)
        for place in places:
            first, other = next(iter(place.items()))
            rise = np.array([0.0, 0.0, elevations[level] - elevations[first]])
            off = np.linalg.norm(np.array(sign.position) - rise - np.array(other.position))
            if off < SAME_PLACE_M and np.dot(sign.normal, other.normal) > SAME_FACING and level not in place:
                place[level] = sign
                break
        else:
            places.append({level: sign})
    return places


def _looked_at(
    place: dict[int, SignLandmark], elevations: Array, ceilings: Sequence[float], photos: Sequence[MapPhoto]
) -> Telltale | None:
    first, main = next(iter(place.items()))
    width, height = main.width + 2 * AROUND_M, main.height + 2 * AROUND_M
    shape = round(height / STEP_M) + 2 * OFF, round(width / STEP_M) + 2 * OFF
    if not all(1 <= side <= MOST_CELLS for side in shape):
        return None
    frames = []
    for level, elevation in enumerate(elevations):
        sign = place.get(level, main)
        rise = 0.0 if level in place else elevation - elevations[first]
        frames.append(_frame(sign, rise, shape))
    origin, right, down = (np.stack(parts) for parts in zip(*frames, strict=True))
    blank = np.zeros((len(frames), *shape), dtype=np.float32)
    name = f"sign '{main.text}' at {main.position[0]:.1f}, {main.position[1]:.1f}"
    telltale = Telltale(name=name, origin=origin, right=right, down=down, looks=blank)
    looks = []
    for level, (elevation, ceiling) in enumerate(zip(elevations, ceilings, strict=True)):
        there = [photo for photo in photos if elevation < position_of(photo.cam_from_site)[2] < elevation + ceiling]
        look = _look(telltale, level, there)
        if look is None:
            return None
        looks.append(look)
    contrast = np.array([look.std() for look in looks])
    if (contrast[sorted(place)] < FAINT * contrast.max()).any():
        return None  # that level's sign was hardly seen
    found = _registered(replace(telltale, looks=np.stack(looks)), first)
    differs = _where_they_differ(found.looks)
    tall, wide = (part.stop - part.start for part in differs)
    if tall < LEAST_CELLS or wide > MOST_ASPECT * tall:
        return None
    alike = max(_likeness(a, b) for a, b in combinations(found.looks[:, differs[0], differs[1]], 2))
    height, width = found.looks.shape[1:]
    around = (
        slice(max(0, part.start - ROOM), min(size, part.stop + ROOM))
        for part, size in zip(differs, (height, width), strict=True)
    )
    return None if alike > DISTINCT else found.part(*around)


def _registered(telltale: Telltale, first: int) -> Telltale:
    """Return a telltale without ``OFF`` cells on each side, each level's look brought over that of level ``first``.

    Signs are read some centimetres off their places, and letters that all levels have must not count as a difference.
    """
    inner = telltale.looks[:, OFF:-OFF, OFF:-OFF]
    height, width = inner.shape[1:]
    looks, origin = [], []
    for level, look in enumerate(telltale.looks):
        _, score, _, (x, y) = cv2.minMaxLoc(cv2.matchTemplate(look, inner[first], cv2.TM_CCOEFF_NORMED))
        flat = inner[first].std() < LEAST_STD  # fits anywhere, by OpenCV
        x, y = (x, y) if score >= SAME_SIGN and not flat else (OFF, OFF)
        looks.append(look[y : y + height, x : x + width])
        origin.append(telltale.origin[level] + x * telltale.right[level] + y * telltale.down[level])
    return replace(telltale, looks=np.stack(looks), origin=np.stack(origin))


def _where_they_differ(looks: NDArray[np.float32]) -> tuple[slice, slice]:
    """Return the rows and columns of what differs most: the letter or digit that names the level."""
    clear = [cv2.GaussianBlur(look / (look.std() + LEAST_STD), (0, 0), GRAIN) for look in looks]
    apart = np.ptp(np.stack(clear), axis=0)
    rows, columns = np.nonzero(apart >= DIFFERS * apart.max())
    return slice(int(rows.min()), int(rows.max()) + 1), slice(int(columns.min()), int(columns.max()) + 1)


def _likeness(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    """Return the correlation of two looks, near 0 where one shows nothing."""
    common = np.mean((one - one.mean()) * (other - other.mean()))
    return float(common / (one.std() * other.std() + LEAST_STD**2))


def _frame(sign: SignLandmark, rise: float, shape: tuple[int, int]) -> tuple[Array, Array, Array]:
    """Return the first cell's middle and the steps right and down (3,) of the patch around a sign."""
    normal, up = np.array(sign.normal), np.array([0.0, 0.0, 1.0])
    right = np.cross(up, normal)
    right /= max(float(np.linalg.norm(right)), 1e-9)
    down = -np.cross(normal, right)
    middle = np.array(sign.position) + np.array([0.0, 0.0, rise])
    corner = middle - STEP_M * ((shape[1] - 1) / 2 * right + (shape[0] - 1) / 2 * down)
    return corner, STEP_M * right, STEP_M * down


def _look(telltale: Telltale, level: int, photos: Sequence[MapPhoto]) -> NDArray[np.float32] | None:
    """Return what most of the photos that show a patch largest agree on, (h, w), as ``Telltale.looks``."""
    cells, normal = telltale.cells(level), telltale.normal(level)
    views: list[tuple[MapPhoto, Shown]] = []
    for photo in photos:
        view = shown(photo.camera, photo.cam_from_site, cells, normal)
        if view is not None:
            views.append((photo, view))
    views = sorted(views, key=lambda view: -view[1].area_px)[:MOST_VIEWS]
    if len(views) < LEAST_VIEWS:
        return None
    patches = np.stack([log_grey(read_image(photo.path).gray, view.pixels) for photo, view in views])
    return agreed(patches)


def agreed(patches: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return what most of N patches (N, h, w), each with a brightness, contrast and small shift of its own, show.

    The median, then again of those that are most like it, brought over it.
    """
    spread = patches.std(axis=(1, 2), keepdims=True)
    alike = ((patches - patches.mean(axis=(1, 2), keepdims=True)) / (spread + LEAST_STD)).astype(np.float32)
    mean = np.asarray(np.median(alike, axis=0), dtype=np.float32)
    kept = np.ones(len(patches), dtype=np.bool_)
    for _ in range(ROUNDS):
        placed = [_brought_over(patch, mean) for patch in alike]
        scores = np.array([score for score, _ in placed])
        kept = scores >= max(np.sort(scores)[-AGREEING:].min(), 0.5 * scores.max())
        mean = np.asarray(np.median(np.stack([patch for _, patch in placed])[kept], axis=0), dtype=np.float32)
    return np.asarray(mean * np.median(spread[kept]), dtype=np.float32)


def _brought_over(patch: NDArray[np.float32], mean: NDArray[np.float32]) -> tuple[float, NDArray[np.float32]]:
    """Return the correlation of a patch with a mean, and the patch shifted so that it is largest."""
    wide = cv2.copyMakeBorder(patch, SHIFT, SHIFT, SHIFT, SHIFT, cv2.BORDER_REPLICATE)
    _, score, _, (x, y) = cv2.minMaxLoc(cv2.matchTemplate(wide, mean, cv2.TM_CCOEFF_NORMED))
    height, width = patch.shape
    return float(score), np.asarray(wide[y : y + height, x : x + width])
