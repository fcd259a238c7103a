"""A level's floor seen from above: photos of a map rectified to a metric grid, and what most of them agree on.

Each photo is decoded once. Its patches go to a scratch file, tile by tile, and each tile is then reduced on its own,
so that memory holds one photo and one tile however large the site is. Rays are traced with the full lens model.
"""

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import shapely
from numpy.typing import ArrayLike, NDArray

from geometry import pixels_to_opencv, position_of, project, transform_points
from geometry.errors import InputError
from perception import read_image
from perception.images import MAX_PIXELS
from twin.exposure import photo_gains
from twin.layout.patches import View, reduce_patches
from twin.photos import MapPhoto
from twin.progress import Progress, silent

Array = NDArray[np.float64]
Pixels = NDArray[np.uint8]
FloorHeight = Callable[[Array], Array]
"""The height of a floor, (N,) in site metres, at points (N, 2)."""

LATTICE_PX = 4
"""Every so many pixels a ray is traced; between them positions are interpolated (0.05 px off three metres away)."""


@dataclass(frozen=True, kw_only=True)
class OrthoOptions:
    """How a floor is rectified.

    m_per_px: of the grid
    max_footprint: a photo is used where one of its pixels covers less than this (metres), along its line of sight
    max_views: so many photos are used for a tile, those with the smallest footprints
    min_height, max_height: a photo counts for a floor that lies so far (metres) below it; the upper bound is the
        ceiling's height, so that photos of the level above don't count
    tile_px: side of a tile
    from_below: the surface is a ceiling, and photos count that lie so far below it
    """

    m_per_px: float = 0.02
    max_footprint: float = 0.3
    max_views: int = 32
    min_height: float = 0.4
    max_height: float = 3.0
    tile_px: int = 128
    from_below: bool = False


@dataclass(frozen=True, kw_only=True, eq=False)
class Ortho:
    """A floor from above, x to the right and y upwards.

    pixels: (H, W, 3) uint8 RGB, black where nothing is seen
    views: (H, W) uint8, how many photos show a pixel and agree on it
    spread: (H, W) float32, the median deviation of all photos from that, in grey levels; NaN where nothing is seen.
        High where something stands on the floor
    top_left: (2,) the outer corner of the first pixel in site; m_per_px: metres
    """

    pixels: Pixels
    views: NDArray[np.uint8]
    spread: NDArray[np.float32]
    top_left: tuple[float, float]
    m_per_px: float

    def site_from_pixels(self, pixels: ArrayLike) -> Array:
        """Return the points (..., 2) in site of pixels (..., 2), the first pixel's centre being (0.5, 0.5)."""
        return np.array(self.top_left) + np.asarray(pixels, dtype=np.float64) * (self.m_per_px, -self.m_per_px)

    def pixels_from_site(self, points: ArrayLike) -> Array:
        """Return the pixels (..., 2) of points (..., 2) in site."""
        return (np.asarray(points, dtype=np.float64) - self.top_left) / (self.m_per_px, -self.m_per_px)


class UnseenSurfaceError(InputError):
    """No photo shows a surface from near enough."""


@dataclass(frozen=True, kw_only=True, eq=False)
class RectifiedSurface:
    """A floor or a ceiling from straight ahead, and its height (N,) in site, metres, at points (N, 2)."""

    ortho: Ortho
    height: FloorHeight


def rectify_floor(
    photos: Sequence[MapPhoto],
    height: FloorHeight,
    extent: shapely.Polygon,
    options: OrthoOptions | None = None,
    on_progress: Progress = silent,
) -> Ortho:
    """Return the floor inside ``extent``, in site metres, as the photos show it from above.

    Photos are balanced in exposure (``twin.exposure.photo_gains``). In each pixel the value is agreed on
    by weight, near and steep views weighing most, so that whoever walks by, and what stands above the floor and
    therefore lies elsewhere in each view, drops out (``patches.reduce_patches``). A car that stood there
    throughout hides its floor: look at ``views`` and ``spread``.

    Raises ``InputError`` for an empty or too large extent, ``UnseenSurfaceError`` where no photo shows the floor.
    """
    options = options or OrthoOptions()
    if extent.is_empty or not extent.is_valid or extent.area <= 0:
        raise InputError("the extent of the floor is no area", remedy="Give the outline of the level.")
    tiles = _tiles(extent, options)
    views = _views_of_tiles(photos, height, tiles, options)
    if not len(views.photo):
        raise UnseenSurfaceError(
            f"none of {len(photos)} photos shows the floor closely enough",
            remedy="Check the floor's height and extent against the poses, or allow larger footprints.",
        )
    with tempfile.TemporaryFile() as scratch:
        # RGB, and 255 in the fourth channel where the photo shows the floor.
        shape = (len(views.photo), options.tile_px, options.tile_px, 4)
        patches = np.memmap(scratch, np.uint8, "w+", shape=shape)
        _fill(patches, photos, height, tiles, views, options, on_progress)
        gains = photo_gains(patches, views.photo, views.tile)
        return _assembled(patches, gains, photos, height, tiles, views, options)


@dataclass(frozen=True, kw_only=True, eq=False)
class _Tiles:
    """corners: (T, 2) upper left corners in site; cells: (T, 2) row and column; shape: of the grid in tiles."""

    corners: Array
    cells: NDArray[np.int64]
    shape: tuple[int, int]
    top_left: Array
    side: float

    def lattice(self, tile: int, spacing: float, count: int) -> Array:
        """Return points (count * count, 2) in site, row by row, ``spacing`` metres apart from the tile's corner."""
        steps = spacing * np.arange(count)
        x, y = np.meshgrid(self.corners[tile, 0] + steps, self.corners[tile, 1] - steps)
        return np.column_stack([x.ravel(), y.ravel()])


def _tiles(extent: shapely.Polygon, options: OrthoOptions) -> _Tiles:
    side = options.tile_px * options.m_per_px
    x_min, y_min, x_max, y_max = extent.bounds
    columns, rows = int(np.ceil((x_max - x_min) / side)), int(np.ceil((y_max - y_min) / side))
    if rows * columns * options.tile_px**2 > MAX_PIXELS:
        raise InputError(
            f"a floor of {x_max - x_min:.0f} x {y_max - y_min:.0f} m at {options.m_per_px} m a pixel is too large",
            remedy="Check the plan's units, or take more metres a pixel.",
        )
    row, column = np.divmod(np.arange(rows * columns), columns)
    top_left = np.array([x_min, y_max])
    corners = top_left + side * np.column_stack([column, -row])
    inside = shapely.intersects(
        extent, shapely.box(corners[:, 0], corners[:, 1] - side, corners[:, 0] + side, corners[:, 1])
    )
    cells = np.column_stack([row, column])[inside]
    return _Tiles(corners=corners[inside], cells=cells, shape=(rows, columns), top_left=top_left, side=side)


@dataclass(frozen=True, kw_only=True, eq=False)
class _Views:
    """photo, tile: (V,) indices of each view of a tile by a photo; ordered by tile."""

    photo: NDArray[np.int64]
    tile: NDArray[np.int64]


def _views_of_tiles(photos: Sequence[MapPhoto], height: FloorHeight, tiles: _Tiles, options: OrthoOptions) -> _Views:
    """Choose for each tile the photos that show it with the smallest footprints."""
    parts = tiles.side * np.array([[x, -y] for y in (0.1, 0.5, 0.9) for x in (0.1, 0.5, 0.9)])
    xy = tiles.corners[:, None] + parts
    points = np.concatenate([xy, height(xy.reshape(-1, 2)).reshape(*xy.shape[:2], 1)], axis=2)
    footprints = np.full((len(photos), len(tiles.corners)), np.inf)
    for index, photo in enumerate(photos):
        centre = position_of(photo.cam_from_site)
        above = (centre[2] - float(height(centre[None, :2])[0])) * (-1 if options.from_below else 1)
        if options.min_height <= above <= options.max_height:
            shown = _shown(photo, points.reshape(-1, 3)).reshape(len(points), -1)
            share = shown.mean(axis=1)
            middle = footprint_of(photo, points[:, len(parts) // 2])
            # A photo that shows half of a tile counts as if it were further away, lest it takes another's place.
            footprints[index] = np.where(share > 0, middle / np.maximum(share, 0.1), np.inf)
    best = np.argsort(footprints, axis=0, kind="stable")[: options.max_views]
    usable = np.take_along_axis(footprints, best, axis=0) < options.max_footprint
    tile, rank = np.nonzero(usable.T)
    return _Views(photo=best[rank, tile], tile=tile)


def _shown(photo: MapPhoto, points: Array) -> NDArray[np.bool_]:
    """Tell which points (N, 3) in site lie in the picture."""
    pixels, valid = project(photo.camera, transform_points(photo.cam_from_site, points))
    with np.errstate(invalid="ignore"):
        inside = ((pixels > 0) & (pixels < (photo.camera.width, photo.camera.height))).all(axis=1)
    return valid & inside


def footprint_of(photo: MapPhoto, points_in_site: Array) -> Array:
    """Return the length (N,) in metres that one pixel covers, along the line of sight, of a level floor's points, or a
    ceiling's."""
    offset = points_in_site - position_of(photo.cam_from_site)
    squared = np.sum(offset**2, axis=1)
    return squared / (photo.camera.mean_focal_length() * np.maximum(np.abs(offset[:, 2]), 1e-6))


def _fill(
    patches: NDArray[np.uint8],
    photos: Sequence[MapPhoto],
    height: FloorHeight,
    tiles: _Tiles,
    views: _Views,
    options: OrthoOptions,
    on_progress: Progress,
) -> None:
    """Write the patch of every view, and which of its pixels the photo shows; one photo in memory at a time."""
    used = np.unique(views.photo)
    count = options.tile_px // LATTICE_PX + 1
    for done, index in enumerate(used.tolist()):
        on_progress("rectifying photos", done, len(used))
        photo = photos[index]
        pyramid = [read_image(photo.path).pixels]
        mine = np.flatnonzero(views.photo == index)
        xy = np.concatenate(
            [tiles.lattice(tile, LATTICE_PX * options.m_per_px, count) for tile in views.tile[mine].tolist()]
        )
        points = np.column_stack([xy, height(xy)])
        in_cam = transform_points(photo.cam_from_site, points)
        pixels, _ = project(photo.camera, in_cam)
        maps = pixels.reshape(len(mine), count, count, 2)
        finest = photo.camera.mean_focal_length() / np.maximum(in_cam[:, 2], 0.05) * options.m_per_px
        shrink = np.median(finest.reshape(len(mine), -1), axis=1)
        for view, grid, ratio in zip(mine.tolist(), maps, shrink.tolist(), strict=True):
            patches[view, ..., :3], inside = _patch(pyramid, grid, ratio, options.tile_px)
            patches[view, ..., 3] = 255 * inside
    on_progress("rectifying photos", len(used), len(used))


def _patch(pyramid: list[Pixels], grid: Array, ratio: float, side: int) -> tuple[Pixels, NDArray[np.bool_]]:
    """Resample one tile; ``grid`` (n, n, 2) holds the pixels of its lattice, ``ratio`` photo pixels make one of it.

    ``pyramid`` grows by halved pictures as they are needed, so that fine detail doesn't alias.
    """
    level = max(0, int(np.floor(np.log2(max(ratio, 1.0)))))
    while len(pyramid) <= level:
        pyramid.append(np.asarray(cv2.pyrDown(pyramid[-1]), dtype=np.uint8))
    source = pyramid[level]
    scale = np.array([source.shape[1] / pyramid[0].shape[1], source.shape[0] / pyramid[0].shape[0]])
    # The lattice has its points on the corners of pixels; what is wanted are their centres.
    where = (np.arange(side) + 0.5) / LATTICE_PX
    low = np.minimum(where.astype(int), len(grid) - 2)
    part = (where - low)[:, None]
    rows = grid[low] * (1 - part[..., None]) + grid[low + 1] * part[..., None]
    full = rows[:, low] * (1 - part) + rows[:, low + 1] * part
    # Where a lattice point has no pixel, its neighbours have none either.
    found = np.nan_to_num(pixels_to_opencv(full * scale), nan=-1.0).astype(np.float32)
    picture = cv2.remap(source, found[..., 0], found[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    inside = (full > 0.5).all(axis=2) & (full < np.array(pyramid[0].shape[1::-1]) - 0.5).all(axis=2)
    return np.asarray(picture, dtype=np.uint8), inside


def _assembled(
    patches: NDArray[np.uint8],
    gains: Array,
    photos: Sequence[MapPhoto],
    height: FloorHeight,
    tiles: _Tiles,
    views: _Views,
    options: OrthoOptions,
) -> Ortho:
    side = options.tile_px
    shape = tiles.shape[0] * side, tiles.shape[1] * side
    pixels = np.zeros((*shape, 3), dtype=np.uint8)
    count = np.zeros(shape, dtype=np.uint8)
    spread = np.full(shape, np.nan, dtype=np.float32)
    starts = np.searchsorted(views.tile, np.arange(len(tiles.corners) + 1))
    for tile, (row, column) in enumerate(tiles.cells.tolist()):
        rows = slice(starts[tile], starts[tile + 1])
        if rows.stop == rows.start:
            continue
        xy = tiles.lattice(tile, options.m_per_px, side) + 0.5 * options.m_per_px * np.array([1, -1])
        points = np.column_stack([xy, height(xy)])
        chosen = views.photo[rows]
        footprints = np.stack([footprint_of(photos[i], points).reshape(side, side) for i in chosen.tolist()])
        where = slice(row * side, (row + 1) * side), slice(column * side, (column + 1) * side)
        view = View(pixels=patches[rows], gains=gains[chosen], footprints=footprints)
        pixels[where], count[where], spread[where] = reduce_patches(view)
    top_left = (float(tiles.top_left[0]), float(tiles.top_left[1]))
    return Ortho(pixels=pixels, views=count, spread=spread, top_left=top_left, m_per_px=options.m_per_px)
