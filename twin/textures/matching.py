"""Whether a photo shows the textures that a pose says it shows, and how far off they are.

Patches are sampled from the photo where the pose puts them, some cells wider, and compared at every shift by
normalized cross-correlation (Lewis 1995), the light taken out of both. How often chance finds as many is judged a
contrario, as matches of keypoints are. A patch that is found is a match of a point in site with a pixel.
"""

from dataclasses import dataclass

import cv2
import numpy as np
import pycolmap
from numpy.typing import ArrayLike, NDArray
from scipy.ndimage import gaussian_filter1d
from scipy.special import betainc, betaln

from geometry import pixels_to_opencv, position_of, project, transform_points
from twin.textures.cutting import LEAST_GREY, LIGHT_CELLS
from twin.textures.occlusion import Occluders
from twin.textures.textures import CELLS, LOG_STEP, Textures

Array = NDArray[np.float64]
Indices = NDArray[np.int64]
Pyramid = tuple[NDArray[np.float32], ...]

OCTAVES = 4
MOST_DISTANCE_M, MOST_WALL_DISTANCE_M = 9.0, 20.0
"""Of floors and ceilings, which are looked at askew, and of walls."""
MOST_ABOVE = np.array([2.0, 0.0, 4.5])
MOST_BELOW = np.array([1.5, 3.5, 0.0])
"""Metres that patches of walls, floors and ceilings may lie over a photo, or under: others are of other storeys."""
LEAST_COSINE = 0.15
"""Between a patch's normal and the direction to the camera."""
LEAST_PX_PER_CELL = 1.0
FOUND = 0.6
"""A correlation above this is a patch found."""
CHANCE = 0.06
"""How often a patch is found where the pose is wrong, joints of ceilings included."""
FOUND_SHARES = ((1.76, 1.28), (0.30, 14.34))
"""Beta distributions of the share of patches that is found, of photos at right and at wrong poses: what stands on a
floor, its wear and the light are common to a photo's patches. Fitted as twin.choice's weights (docs/decisions/0012)."""
LEAST_CONTRAST = 0.008
"""Of the photo, natural logarithm: less is noise."""
SIGMA_M, SIGMA_OUT_M = 0.08, 0.03
"""Of a patch along its surface and out of it: twice what one is off, as patches overlap and surfaces err as a whole."""
SIGMA_PX = 0.5


@dataclass(frozen=True, kw_only=True)
class TextureSupport:
    """How many of the patches that a photo should show were found.

    found, looked_for: patches
    """

    found: int
    looked_for: int

    @property
    def log10_false_alarms(self) -> float:
        """Of chance finding as many: a binomial tail (Desolneux, Moisan & Morel 2000); 0 where nothing was found."""
        if self.found == 0:
            return 0.0
        tail = betainc(self.found, self.looked_for - self.found + 1, CHANCE)
        return float(np.log10(max(tail, 1e-300)))

    def log_odds(self, shares: ArrayLike = FOUND_SHARES) -> float:
        """Return the natural logarithm of how much likelier this is where the pose is right than where it is wrong.

        Patches of one photo err together, so that counts are beta-binomial; 0 where nothing was looked for.

        shares: (2, 2) beta distributions of the share of patches that is found, at right and at wrong poses
        """
        found, missed = self.found, self.looked_for - self.found
        a, b = np.asarray(shares, dtype=np.float64).T
        right, wrong = betaln(found + a, missed + b) - betaln(a, b)
        return float(right - wrong)


@dataclass(frozen=True, kw_only=True, eq=False)
class TextureMatches:
    """Patches that a photo was compared with at a pose.

    patch: (M,) those found, indices of ``Textures``; pixels: (M, 2) where their centres are
    looked_for: how many were compared
    """

    patch: Indices
    pixels: Array
    looked_for: int

    @property
    def support(self) -> TextureSupport:
        """How many were found of those looked for."""
        return TextureSupport(found=len(self.patch), looked_for=self.looked_for)


def pyramid_of(gray: NDArray[np.uint8]) -> Pyramid:
    """Return a grey picture (H, W) and its halves, quarters and eighths, for sampling without aliasing."""
    octaves = [gray.astype(np.float32)]
    while len(octaves) < OCTAVES and min(octaves[-1].shape) >= 2:
        octaves.append(cv2.pyrDown(octaves[-1]))
    return tuple(octaves)


def match_textures(
    textures: Textures,
    pyramid: Pyramid,
    camera: pycolmap.Camera,
    cam_from_site: pycolmap.Rigid3d,
    *,
    reach: int,
    most: int,
    occluders: Occluders | None = None,
) -> TextureMatches:
    """Compare a photo with the patches that a pose shows.

    reach: how many cells a patch may lie off; most: no more are compared, taken evenly from near to far
    occluders: what stands before patches, which are not looked for then
    """
    near = _facing(textures, camera, cam_from_site, occluders)
    pixels, chosen, steps = _sampling(textures, camera, cam_from_site, near, reach, most)
    if len(chosen) == 0:
        return TextureMatches(patch=chosen, pixels=np.zeros((0, 2)), looked_for=0)
    scale = np.sqrt(np.abs(steps[:, 0, 0] * steps[:, 1, 1] - steps[:, 0, 1] * steps[:, 1, 0]))
    seen = np.log(np.maximum(_sample(pyramid, pixels, scale), LEAST_GREY))
    light = gaussian_filter1d(seen, LIGHT_CELLS, axis=1, truncate=2.0)
    light = gaussian_filter1d(light, LIGHT_CELLS, axis=2, truncate=2.0)
    likeness = _correlation(seen - light, textures.looks[chosen] * np.float32(LOG_STEP))
    best = likeness.reshape(len(chosen), -1).argmax(axis=1)
    row, column = np.divmod(best, 2 * reach + 1)
    found = likeness[np.arange(len(chosen)), row, column] > FOUND
    shift = np.column_stack([_peak(likeness, row, column, axis=2), _peak(likeness, row, column, axis=1)]) - reach
    middle = pixels.shape[1] // 2
    centre = pixels[:, middle - 1 : middle + 1, middle - 1 : middle + 1].mean(axis=(1, 2))
    at = centre + np.einsum("pk,pki->pi", shift, steps)
    return TextureMatches(patch=chosen[found], pixels=at[found], looked_for=len(chosen))


def point_covariances(textures: Textures, patches: Indices) -> Array:
    """Return the covariances (M, 3, 3) of patches' centres in site."""
    normals = textures.normals[patches]
    out = np.einsum("pi,pj->pij", normals, normals)
    return np.asarray(SIGMA_M**2 * (np.eye(3) - out) + SIGMA_OUT_M**2 * out)


def _facing(
    textures: Textures, camera: pycolmap.Camera, pose: pycolmap.Rigid3d, occluders: Occluders | None
) -> Indices:
    """Return the patches whose front a photo may show, with their centres inside and nothing known before them.

    Those of other storeys, which lie behind floors and ceilings of its own, are too far below or above.
    """
    rays = textures.centres - position_of(pose)
    distance = np.linalg.norm(rays, axis=1)
    towards = -np.einsum("pk,pk->p", rays, textures.normals)
    above, below = MOST_ABOVE[textures.facing], MOST_BELOW[textures.facing]  # -1, of ceilings, is the last
    far = np.where(textures.facing == 0, MOST_WALL_DISTANCE_M, MOST_DISTANCE_M)
    near = np.flatnonzero(
        (rays[:, 2] < above) & (-rays[:, 2] < below) & (distance < far) & (towards > LEAST_COSINE * distance)
    )
    pixels, inside = _within(camera, pose, textures.centres[near])
    near, pixels = near[inside], pixels[inside]
    if occluders is None or len(near) == 0:
        return near
    return near[~occluders.hide(camera, pose, textures.centres[near], pixels)]


def _within(camera: pycolmap.Camera, pose: pycolmap.Rigid3d, points: Array) -> tuple[Array, NDArray[np.bool_]]:
    pixels, valid = project(camera, transform_points(pose, points))
    with np.errstate(invalid="ignore"):
        inside = ((pixels >= 1) & (pixels <= np.array([camera.width, camera.height]) - 1)).all(axis=1)
    return pixels, valid & np.asarray(inside)


def _sampling(
    textures: Textures, camera: pycolmap.Camera, pose: pycolmap.Rigid3d, patches: Indices, reach: int, most: int
) -> tuple[Array, Indices, Array]:
    """Return pixels (M, S, S, 2) of the cells of patches and ``reach`` around, of those (M,) that are all in the photo
    and not too small, and the steps (M, 2, 2) px from a cell to the next, to the right and down.
    """
    side = CELLS + 2 * reach
    at = np.asarray((np.arange(side) - (side - 1) / 2) * textures.cell_m, dtype=np.float64)
    corners, inside = _within(camera, pose, _around(textures, patches, at[[0, -1]]).reshape(-1, 3))
    whole = np.asarray(inside.reshape(len(patches), 4).all(axis=1))
    upper_left, upper_right, lower_left, lower_right = np.moveaxis(corners.reshape(-1, 4, 2)[whole], 1, 0)
    one, other = lower_right - upper_left, upper_right - lower_left
    area = 0.5 * np.abs(one[:, 0] * other[:, 1] - one[:, 1] * other[:, 0]) / (side - 1) ** 2
    chosen = np.flatnonzero(area >= LEAST_PX_PER_CELL**2)
    if len(chosen) > most:
        chosen = chosen[np.argsort(-area[chosen])[np.linspace(0, len(chosen) - 1, most).astype(np.int64)]]
    patches = patches[whole][chosen]
    points = _around(textures, patches, at)
    # What lies between corners that are in the photo needs no check, which costs as much again.
    pixels = np.asarray(camera.img_from_cam(transform_points(pose, points.reshape(-1, 3)))).reshape(
        (*points.shape[:3], 2)
    )
    middle = side // 2
    across = (pixels[:, middle, -1] - pixels[:, middle, 0]) / (side - 1)
    down = (pixels[:, -1, middle] - pixels[:, 0, middle]) / (side - 1)
    return pixels, patches, np.stack([across, down], axis=1)


def _around(textures: Textures, patches: Indices, at: Array) -> Array:
    """Return the points (M, S, S, 3) of grids around the centres of patches (M,), rows down."""
    down = at[:, None, None] * textures.down[patches, None, None]
    right = at[:, None] * textures.right[patches, None, None]
    return np.asarray(textures.centres[patches, None, None] + down + right)


def _sample(pyramid: Pyramid, pixels: Array, px_per_cell: Array) -> NDArray[np.float32]:
    """Return what a photo shows at pixels (M, S, S, 2), each patch from the octave whose pixels are like its cells."""
    octave = np.clip(np.round(np.log2(px_per_cell)), 0, len(pyramid) - 1).astype(np.int64)
    values = np.empty(pixels.shape[:3], np.float32)
    side = pixels.shape[1]
    for number in np.unique(octave).tolist():
        of_octave = octave == number
        at = (pixels_to_opencv(pixels[of_octave]) / 2**number).astype(np.float32).reshape(-1, side, 2)
        values[of_octave] = cv2.remap(
            pyramid[number], at, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        ).reshape(-1, side, side)
    return values


def _correlation(seen: NDArray[np.floating], looks: NDArray[np.float32]) -> Array:
    """Return the normalized cross-correlation (M, K, K) of looks (M, n, n) with all windows of what is seen."""
    n = looks.shape[1]
    centred = looks - looks.mean(axis=(1, 2), keepdims=True)
    centred /= np.maximum(np.linalg.norm(centred, axis=(1, 2), keepdims=True), 1e-9)
    windows = np.lib.stride_tricks.sliding_window_view(seen, (n, n), axis=(1, 2))
    products = np.einsum("pstij,pij->pst", windows, centred, optimize=True)
    variance = _sums(seen * seen, n) - _sums(seen, n) ** 2 / n**2
    return np.asarray(products / np.sqrt(np.maximum(variance, (n * LEAST_CONTRAST) ** 2)))


def _sums(values: NDArray[np.floating], n: int) -> Array:
    """Return the sums over all windows of n x n."""
    total = np.pad(values.astype(np.float64), ((0, 0), (1, 0), (1, 0))).cumsum(axis=1).cumsum(axis=2)
    return np.asarray(total[:, n:, n:] - total[:, :-n, n:] - total[:, n:, :-n] + total[:, :-n, :-n])


def _peak(likeness: Array, row: Indices, column: Indices, *, axis: int) -> Array:
    """Return where the peak lies along an axis, by a parabola through its neighbours; at the border as it is."""
    at, last = (row, column)[axis - 1], likeness.shape[axis] - 1
    inner = np.clip(at, 1, max(last - 1, 1))
    patch = np.arange(len(likeness))
    before, here, after = (
        likeness[(patch, inner + step, column) if axis == 1 else (patch, row, inner + step)] for step in (-1, 0, 1)
    )
    bend = before - 2.0 * here + after
    off = np.where(bend < -1e-9, 0.5 * (before - after) / np.minimum(bend, -1e-9), 0.0)
    return np.asarray(at + np.where((at > 0) & (at < last), off, 0.0))
