"""Signs that name a level, at a place where other levels have theirs: how the map's photos show each of them."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from itertools import combinations

import cv2
import numpy as np
from numpy.typing import NDArray

from perception import read_image
from twin.photos import MapPhoto
from twin.signs import SignLandmark
from twin.telltales.patches import Shown, affine_over, best_shift, log_grey, seen_through, shown
from twin.telltales.telltale import MOST_CELLS, Telltale

Array = NDArray[np.float64]

STEPS, MOST_STEP_M, AROUND_M = 15.0, 0.03, 0.15
"""Cells to a letter's height, the side of a cell at most, and how much of what is around a sign is looked at."""
SAME_PLACE_M, SAME_FACING = 0.6, 0.8
"""Signs of two levels are at one place: metres between them, seen from their floors, and cosine of their normals."""
LEAST_PROBABILITY = 0.5
"""Of a sign's text."""
MOST_VIEWS, LEAST_VIEWS, AGREEING = 16, 3, 6
"""Photos that are looked at, the largest first; that a look needs; that agree and are averaged."""
OFF_M, SAME_SIGN = 0.18, 0.5
"""Metres by which a sign may be off its place on another level, and the correlation above which it is a like one."""
SHIFT = 3
"""Cells by which photos may show a sign off its place."""
DISTINCT = 0.05
"""Standard deviation, natural logarithm, of what two levels' letters differ by at least, one of which has them."""
FAINT = 0.5
"""Contrast of a sign against the clearest level's, below which its look is none."""
LETTER_WIDTH, MOST_OF_WIDTH, BESIDE = 0.6, 0.9, 0.5
"""A letter's width against its height, the share of a board that a line of text takes at most, and by how many letters
those that tell the level may lie beside where they should."""
ROUNDS = 3
LEAST_STD = 0.02


def telltale_signs(
    signs: Sequence[SignLandmark],
    telling: Callable[[str], tuple[float, float]],
    elevations: Sequence[float],
    ceilings: Sequence[float],
    photos: Sequence[MapPhoto],
) -> list[Telltale]:
    """Return the places of signs that name one level each (which is the caller's choice) as K levels show them.

    telling: from where to where along a text's line, 0 to 1, its letters tell the level
    elevations: (K,) heights of floors, ascending; ceilings: (K,) above them, metres. A level without such a sign there
    shows what else is at that place. Left out is what photos of some level show too seldom.
    """
    heights = np.asarray(elevations, dtype=np.float64)
    found = []
    for place in _places([sign for sign in signs if sign.probability >= LEAST_PROBABILITY], heights):
        telltale = _looked_at(place, telling, heights, ceilings, photos)
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
    place: dict[int, SignLandmark],
    telling: Callable[[str], tuple[float, float]],
    elevations: Array,
    ceilings: Sequence[float],
    photos: Sequence[MapPhoto],
) -> Telltale | None:
    first, main = next(iter(place.items()))
    step = min(main.letter_height / STEPS, MOST_STEP_M)
    off = round(OFF_M / step)
    shape = tuple(round((side + 2 * AROUND_M) / step) + 2 * off for side in (main.height, main.width))
    if not all(1 <= side <= MOST_CELLS for side in shape):
        return None
    of_levels = []
    for level, (elevation, ceiling) in enumerate(zip(elevations, ceilings, strict=True)):
        suspected = [main.raised(elevation - elevations[first])]
        suspected += [place[level]] if level in place and level != first else []
        there = [photo for photo in photos if photo.is_over(elevation, ceiling)]
        look = _clearest([_patch(main.text, sign, shape, step) for sign in suspected], there)
        if look is None:
            return None
        of_levels.append(look)
    contrast = np.array([each.looks.std() for each in of_levels])
    if (contrast[sorted(place)] < FAINT * contrast.max()).any():
        return None  # that level's sign was hardly seen
    found, have_signs = _registered(of_levels, first, off)
    letters = _letters(main, telling(main.text), found.looks.shape[1:], step)
    if not _are_distinct(found.looks[(slice(None), *letters)], place):
        return None
    return _telling_there(found, letters) if have_signs else found


def _clearest(patches: Sequence[Telltale], photos: Sequence[MapPhoto]) -> Telltale | None:
    """Return the patch of which photos show most contrast: where a sign is a little off, its look is a blur."""
    looks = [look for patch in patches if (look := _look(patch, photos)) is not None]
    return max(looks, key=lambda look: float(look.looks.std()), default=None)


def _are_distinct(letters: NDArray[np.float32], place: Collection[int]) -> bool:
    """Tell whether the letters (K, h, w) of each level that has a sign differ from those of all others."""
    pairs = (pair for pair in combinations(range(len(letters)), 2) if set(pair) & set(place))
    return min(float((letters[a] - letters[b]).std()) for a, b in pairs) >= DISTINCT


def _letters(
    sign: SignLandmark, telling: tuple[float, float], shape: tuple[int, ...], step: float
) -> tuple[slice, slice]:
    """Return the rows and columns of a sign's patch (h, w) where the letters are that tell the level."""
    count = len(sign.text)
    width = min(LETTER_WIDTH * sign.letter_height * count, MOST_OF_WIDTH * sign.width)
    from_middle = (np.array(telling) + np.array([-BESIDE, BESIDE]) / count - 0.5) * width / step
    columns = np.clip(np.round(shape[1] / 2 + from_middle), 0, shape[1]).astype(int).tolist()
    tall = np.array([-0.5, 0.5]) * (1.0 + BESIDE / 2) * sign.letter_height / step
    rows = np.clip(np.round(shape[0] / 2 + tall), 0, shape[0]).astype(int).tolist()
    return slice(*rows), slice(*columns)


def _telling_there(telltale: Telltale, part: tuple[slice, slice]) -> Telltale:
    """Return a telltale whose levels look alike but for a part: the rest says where it is and how bright."""
    looks = np.repeat(telltale.looks.mean(axis=0)[None], len(telltale.looks), axis=0)
    looks[(slice(None), *part)] = telltale.looks[(slice(None), *part)]
    return replace(telltale, looks=looks)


def _registered(of_levels: Sequence[Telltale], first: int, off: int) -> tuple[Telltale, bool]:
    """Join telltales of a level each, without ``off`` cells on each side, brought over that of level ``first``; tell
    whether all levels have such a sign there.

    Signs are read some centimetres off their places and sizes, and letters that all levels have must not count as a
    difference: a shift by correlation, then an affine map.
    """
    inner = of_levels[first].looks[0, off:-off, off:-off]
    looks, frames, have_signs = [], [], True
    for each in of_levels:
        score, warp = best_shift(inner, each.looks[0])
        alike = score >= SAME_SIGN and inner.std() >= LEAST_STD  # a flat one fits anywhere, by OpenCV
        have_signs &= alike
        if alike:
            warp = affine_over(inner, each.looks[0], warp)
        else:
            warp[:, 2] = off
        over = seen_through(warp, each.looks[0], inner.shape)
        looks.append(over * (inner.std() / max(float(over.std()), LEAST_STD)) if alike else over)
        steps = np.stack([each.right[0], each.down[0]])
        frames.append((each.origin[0] + warp[:, 2] @ steps, warp[:, 0] @ steps, warp[:, 1] @ steps))
    origin, right, down = (np.stack(parts) for parts in zip(*frames, strict=True))
    name = of_levels[first].name
    return Telltale(name=name, origin=origin, right=right, down=down, looks=np.stack(looks)), have_signs


def _patch(text: str, sign: SignLandmark, shape: tuple[int, ...], step: float) -> Telltale:
    """Return the patch around a sign of one level, blank, in cells of ``step`` metres."""
    normal, up = np.array(sign.normal), np.array([0.0, 0.0, 1.0])
    right = np.cross(up, normal)
    right /= max(float(np.linalg.norm(right)), 1e-9)
    down = -np.cross(normal, right)
    corner = np.array(sign.position) - step * ((shape[1] - 1) / 2 * right + (shape[0] - 1) / 2 * down)
    return Telltale(
        name=f"sign '{text}' at {sign.position[0]:.1f}, {sign.position[1]:.1f}",
        origin=corner[None],
        right=step * right[None],
        down=step * down[None],
        looks=np.zeros((1, *shape), dtype=np.float32),
    )


def _look(patch: Telltale, photos: Sequence[MapPhoto]) -> Telltale | None:
    """Return a patch of one level with what most of the photos that show it largest agree on, None where few do."""
    cells, normal = patch.cells(0), patch.normal(0)
    views: list[tuple[MapPhoto, Shown]] = []
    for photo in photos:
        view = shown(photo.camera, photo.cam_from_site, cells, normal)
        if view is not None:
            views.append((photo, view))
    views = sorted(views, key=lambda view: -view[1].area_px)[:MOST_VIEWS]
    if len(views) < LEAST_VIEWS:
        return None
    patches = np.stack([log_grey(read_image(photo.path).gray, view.pixels) for photo, view in views])
    return replace(patch, looks=agreed(patches)[None])


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
