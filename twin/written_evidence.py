"""What is written in a photo says where it was taken: tags, and the texts of signs, against where poses expect them.

Levels that look alike are told apart by little else. Reading is slow, so that it is done only where poses compete.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pycolmap
from numpy.typing import NDArray

from geometry import TagSpecs, position_of, project, tag_corners, transform_points
from geometry.floorplan import Level
from perception import Picture, TextReader, detect_tags
from twin.level_names import LevelNames
from twin.signs import SignLandmark, place_likelihood

Array = NDArray[np.float64]

TAG_LOG_ODDS = 6.0
"""Natural; for a listed tag where a pose expects it, and against a pose that expects it elsewhere. Codes of tag36h11
are hardly ever misread, but tags get moved."""
TAG_TOLERANCE_PX, TAG_TOLERANCE = 4.0, 0.3
"""Of its place in the photo: pixels, and as a share of its side."""
MIN_LETTER_PX = 6.0
MIN_FACING = 0.35
"""Cosine between a sign's normal and the direction to the camera."""
SURE_READING = 0.5
UNMAPPED = 0.4
"""A pose that expects no sign where one is read is hardly less likely than one that expects just that text: maps
lack about three signs in ten."""
LINE_HEIGHT, LETTER_WIDTH = 1.5, 1.0
"""A line of text against the height of its letters; with room around it, as the recogniser expects."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Written:
    """What is written in a photo says of poses (P,), natural logarithm, against any place.

    shared: the part of ``log_odds`` that a look-alike on another level would have too: letters on pillars, not its name
    naming: the part that comes from signs that name a level
    """

    log_odds: Array
    shared: Array
    naming: Array


class WrittenEvidence:
    """Reads a photo where poses expect signs, and everywhere for tags."""

    def __init__(self, signs: Sequence[SignLandmark], tags: TagSpecs | None, levels: Sequence[Level] = ()) -> None:
        """Take the signs of a twin, of which those on the floor and on vehicles are not asked, and surveyed tags.

        levels: of the plan, lowest first, for texts that name one
        Raises ``MissingExtraError`` where there are signs, and the extra ``signs`` isn't installed.
        """
        self._signs = [s for s in signs if s.kind in ("board", "lettering") and s.text]
        self._names = LevelNames(levels, self._signs)
        self._naming = np.array([bool(self._names) and self._names.names_one(s.text) for s in self._signs], dtype=bool)
        self._reader = TextReader() if self._signs or self._names else None
        self._tags = tags
        self._row_of: dict[tuple[str, int], int] = {}
        if tags is not None:
            posed = np.flatnonzero(np.isfinite(tags.positions).all(axis=1)).tolist()
            self._row_of = {(tags.families[row], int(tags.ids[row])): row for row in posed}

    def log_odds(
        self, picture: Picture, camera: pycolmap.Camera, cams_from_site: Sequence[pycolmap.Rigid3d]
    ) -> Written:
        """Return by how much what is written speaks for each of P poses against any place."""
        of_tags = self._of_tags(picture, camera, cams_from_site)
        shared = self._of_signs(picture, self._expected(camera, cams_from_site, picture.size, naming=False))
        naming = self._of_signs(picture, self._expected(camera, cams_from_site, picture.size, naming=True))
        return Written(log_odds=of_tags + shared + naming, shared=shared, naming=naming)

    def level_log_odds(
        self, picture: Picture, camera: pycolmap.Camera, cams_from_site: Sequence[pycolmap.Rigid3d]
    ) -> Array | None:
        """Return how much less than for the likeliest level texts in a photo speak for each (K,), natural logarithm.

        The whole photo is read, and closely where some pose expects a sign that names a level. None where no text could
        tell one.
        """
        if self._reader is None or not self._names or not cams_from_site:
            return None
        up = (cams_from_site[0].rotation.matrix() @ [0.0, 0.0, 1.0])[:2]
        readings = self._reader.read(picture.pixels, up)
        expected = self._expected(camera, cams_from_site, picture.size, naming=True)
        quads, _ = _distinct([quad for signs in expected for _, quad in signs])
        readings += [reading for reading in self._reader.read_at(picture.pixels, quads) if reading is not None]
        likelihood = self._names.likelihood(readings)
        return np.asarray(np.log(likelihood / likelihood.max()))

    def _of_tags(self, picture: Picture, camera: pycolmap.Camera, poses: Sequence[pycolmap.Rigid3d]) -> Array:
        odds = np.zeros(len(poses))
        for family in sorted({family for family, _ in self._row_of}):
            found = detect_tags(picture.gray, family)
            for tag_id, corners in zip(found.ids.tolist(), found.corners, strict=True):
                row = self._row_of.get((family, tag_id))
                if row is not None:
                    odds += [TAG_LOG_ODDS * (1 if self._shows(camera, p, row, corners) else -1) for p in poses]
        return odds

    def _shows(self, camera: pycolmap.Camera, pose: pycolmap.Rigid3d, row: int, corners: Array) -> bool:
        assert self._tags is not None
        size, position, quat = self._tags.size_m[[row]], self._tags.positions[[row]], self._tags.quats_xyzw[[row]]
        expected, valid = project(camera, transform_points(pose, tag_corners(size, position, quat)[0]))
        side = float(np.linalg.norm(corners - np.roll(corners, 1, axis=0), axis=1).mean())
        off = np.linalg.norm(expected - corners, axis=1)
        return bool(valid.all() and off.max() < max(TAG_TOLERANCE_PX, TAG_TOLERANCE * side))

    def _expected(
        self, camera: pycolmap.Camera, poses: Sequence[pycolmap.Rigid3d], size: tuple[int, int], *, naming: bool
    ) -> list[list[tuple[int, Array]]]:
        """Return which signs, those that name a level or the others, each pose should show legibly, and where."""
        rows = np.flatnonzero(self._naming == naming).tolist()
        return [
            [(row, quad) for row in rows for quad in _shown(self._signs[row], camera, pose, size)] for pose in poses
        ]

    def _of_signs(self, picture: Picture, expected: Sequence[Sequence[tuple[int, Array]]]) -> Array:
        """Read each place where some pose expects a sign once, and compare with what each pose expects there."""
        if self._reader is None or not any(expected):
            return np.zeros(len(expected))
        quads, owner = _distinct([quad for signs in expected for _, quad in signs])
        readings = self._reader.read_at(picture.pixels, quads)
        of_pose = np.repeat(np.arange(len(expected)), [len(signs) for signs in expected])
        sign = np.array([sign for signs in expected for sign, _ in signs], dtype=np.int64)
        odds = np.zeros(len(expected))
        for place, reading in enumerate(readings):
            if reading is None or reading.confidence < SURE_READING:
                continue
            at = np.flatnonzero(np.array(owner) == place)
            ratios = place_likelihood([reading], self._signs)[0, sign[at]]
            here = np.full(len(expected), max(0.0, float(ratios.max()) - UNMAPPED))
            here[of_pose[at]] = -np.inf
            np.maximum.at(here, of_pose[at], ratios)  # of two signs that close together, the one that fits
            odds += here
        return odds


def _shown(sign: SignLandmark, camera: pycolmap.Camera, pose: pycolmap.Rigid3d, size: tuple[int, int]) -> list[Array]:
    """Return the quad (4, 2) px of a sign's line of text, none where a photo would not show it legibly."""
    to_camera = position_of(pose) - np.array(sign.position)
    if to_camera @ np.array(sign.normal) < MIN_FACING * np.linalg.norm(to_camera):
        return []
    quad, valid = project(camera, transform_points(pose, _line_of(sign)))
    if not valid.all() or (quad < 0).any() or (quad > size).any():
        return []
    letters_px = np.linalg.norm(quad[[0, 1]] - quad[[3, 2]], axis=1).min() / LINE_HEIGHT
    return [quad] if letters_px >= MIN_LETTER_PX else []


def _line_of(sign: SignLandmark) -> Array:
    """Return the corners (4, 3) in site of a sign's line of text: top-left first, clockwise as it is read."""
    normal, up = np.array(sign.normal), np.array([0.0, 0.0, 1.0])
    right = np.cross(up, normal)
    right /= max(float(np.linalg.norm(right)), 1e-9)
    up = np.cross(normal, right)
    width = LETTER_WIDTH * sign.letter_height * (len(sign.text) + 0.5)
    half_width, half_height = min(width, 1.1 * sign.width) / 2.0, LINE_HEIGHT * sign.letter_height / 2.0
    corners = [(-1, 1), (1, 1), (1, -1), (-1, -1)]
    return np.array([np.array(sign.position) + x * half_width * right + y * half_height * up for x, y in corners])


def _distinct(quads: Sequence[Array]) -> tuple[Array, list[int]]:
    """Return the quads (Q, 4, 2) that are places of their own, and the place of each given one."""
    places: list[Array] = []
    owner = []
    for quad in quads:
        height = np.linalg.norm(quad[0] - quad[3])
        near = [k for k, other in enumerate(places) if np.linalg.norm(quad - other, axis=1).max() < height]
        if not near:
            places.append(quad)
        owner.append(near[0] if near else len(places) - 1)
    return np.array(places).reshape(-1, 4, 2), owner
