"""Patches cut from rectified floors, ceilings and walls: wherever the map's photos agree on what is there."""

import cv2
import numpy as np
import pycolmap
from numpy.typing import NDArray

from geometry import InputError, transform_points
from twin.layout import Ortho, RectifiedSurface
from twin.textures.textures import CELL_M, CELLS, LOG_STEP, PATCH_M, Textures

Values = NDArray[np.float32]

STRIDE = 8
"""Cells from a patch to the next, so that they overlap by a third."""
LEAST_VIEWS = 3
MOST_SPREAD, SPREAD_SHARE = 12.0, 0.1
"""Grey levels by which photos may differ on a pixel, and more by this share of its own."""
LEAST_GREY = 4.0
"""Darker is counted as this, lest noise in the dark seem contrast."""
LIGHT_CELLS = 2.5
"""Wider changes (standard deviation, in cells) are the light's."""
LEAST_SHOWN = 0.8
LEAST_CONTRAST = 0.015
"""Standard deviation, natural logarithm: in flatter patches there is nothing to find."""
LEAST_ISOTROPY = 0.15
"""Of a patch's gradients, across against along: a painted line, or a joint, matches itself anywhere along it."""
MOST_CONTRAST = 1.8
"""Of a patch, against the median of those that face the same way: what is painted has more."""
MOST_SLOPE_M = 0.03
"""By which a patch's corners may lie off its plane."""


def cut_textures(
    surface: RectifiedSurface, *, from_below: bool = False, site_from_surface: pycolmap.Rigid3d | None = None
) -> Textures:
    """Return the patches of a surface that are seen and have some contrast along and across.

    from_below: it is a ceiling; site_from_surface: of a wall, which is a floor at 0 m in a frame of its own
    The orthophoto's pixels must be a whole fraction of ``CELL_M``. Raises ``InputError`` where they are not.
    """
    look, shown = relief(surface.ortho)
    corners = _corners(shown)
    side = np.arange(CELLS)
    cells = look[corners[:, 0, None, None] + side[:, None], corners[:, 1, None, None] + side]
    telling = (cells.std(axis=(1, 2)) >= LEAST_CONTRAST) & (isotropy(cells) >= LEAST_ISOTROPY)
    corners, cells = corners[telling], cells[telling]
    per_cell = CELL_M / surface.ortho.m_per_px
    xy = surface.ortho.site_from_pixels((corners[:, ::-1] + CELLS / 2) * per_cell)
    half = PATCH_M / 2
    around = np.stack([surface.height(xy + half * np.array(to)) for to in ((-1, -1), (-1, 1), (1, -1), (1, 1))])
    heights = surface.height(xy)
    level_there = np.abs(around - heights).max(axis=0, initial=0.0) < MOST_SLOPE_M  # NaN is not
    xy, heights, cells = xy[level_there], heights[level_there], cells[level_there]
    right = [-1.0, 0.0, 0.0] if from_below else [1.0, 0.0, 0.0]
    placed = site_from_surface or pycolmap.Rigid3d()
    turned = placed.rotation.matrix()
    return Textures(
        centres=transform_points(placed, np.column_stack([xy, heights])),
        right=np.tile(turned @ right, (len(xy), 1)),
        down=np.tile(turned @ [0.0, -1.0, 0.0], (len(xy), 1)),
        looks=np.clip(np.round((cells[:, :, ::-1] if from_below else cells) / LOG_STEP), -127, 127).astype(np.int8),
        cell_m=CELL_M,
    )


def without_paint(textures: Textures) -> Textures:
    """Return the patches of bare concrete or asphalt: paint, signs and fittings are the same elsewhere, too."""
    contrast = textures.looks.std(axis=(1, 2), dtype=np.float64)
    usual = {side: float(np.median(contrast[textures.facing == side])) for side in np.unique(textures.facing).tolist()}
    return textures.take(contrast <= MOST_CONTRAST * np.array([usual[side] for side in textures.facing.tolist()]))


def relief(ortho: Ortho) -> tuple[Values, NDArray[np.bool_]]:
    """Return log brightness against the surroundings in cells (H, W), 0 where it is not known, and where it is."""
    per_cell = round(CELL_M / ortho.m_per_px)
    if abs(per_cell * ortho.m_per_px - CELL_M) > 1e-9 or per_cell < 1:
        raise InputError(f"pixels of {ortho.m_per_px} m are no whole fraction of a cell of {CELL_M} m")
    grey = ortho.pixels.mean(axis=2, dtype=np.float32)
    agreed = (ortho.views >= LEAST_VIEWS) & (
        np.nan_to_num(ortho.spread, nan=np.inf) <= MOST_SPREAD + SPREAD_SHARE * grey
    )
    weight = _cells(agreed.astype(np.float32), per_cell)
    log_grey = _cells(np.where(agreed, np.log(np.maximum(grey, LEAST_GREY)), 0).astype(np.float32), per_cell)
    shown = weight >= 0.5
    known = np.where(shown, log_grey / np.maximum(weight, 1e-6), 0).astype(np.float32)
    share = cv2.GaussianBlur(shown.astype(np.float32), (0, 0), LIGHT_CELLS)
    light = cv2.GaussianBlur(known, (0, 0), LIGHT_CELLS) / np.maximum(share, 1e-3)
    return np.where(shown, known - light, 0).astype(np.float32), shown


def isotropy(cells: Values) -> Values:
    """Return the smaller eigenvalue of patches' (P, n, n) structure tensors as a share of the larger (P,), 0 if flat.

    Tensor: the mean of products of gradients over the patch (Förstner & Gülch 1987).
    """
    if len(cells) == 0:
        return np.zeros(0, np.float32)
    down, across = np.gradient(cells, axis=(1, 2))
    xx, yy, xy = ((a * b).mean(axis=(1, 2)) for a, b in ((across, across), (down, down), (across, down)))
    root = np.sqrt((xx - yy) ** 2 + 4.0 * xy**2)
    return np.asarray((xx + yy - root) / np.maximum(xx + yy + root, 1e-12), dtype=np.float32)


def _cells(values: Values, per_cell: int) -> Values:
    """Return means (H // k, W // k) over squares of k pixels."""
    height, width = (side // per_cell for side in values.shape)
    whole = values[: height * per_cell, : width * per_cell]
    return np.asarray(whole.reshape(height, per_cell, width, per_cell).mean(axis=(1, 3)))


def _corners(shown: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return the first row and column (P, 2) of patches of which enough is shown."""
    rows, columns = (np.arange(0, max(size - CELLS + 1, 0), STRIDE) for size in shown.shape)
    total = np.pad(shown.astype(np.int64), ((1, 0), (1, 0))).cumsum(axis=0).cumsum(axis=1)
    row, column = (each.ravel() for each in np.meshgrid(rows, columns, indexing="ij"))
    inside = total[row + CELLS, column + CELLS] - total[row, column + CELLS]
    inside -= total[row + CELLS, column] - total[row, column]
    enough = inside >= LEAST_SHOWN * CELLS**2
    return np.column_stack([row[enough], column[enough]])
