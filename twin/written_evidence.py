"""What is written in a photo says where it was taken: tags, and the texts of signs, against where poses expect them.

Levels that look alike are told apart by little else. Reading is slow, so that it is done only where poses compete.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pycolmap
from numpy.typing import NDArray

from geometry import TagSpecs, project, tag_corners, transform_points
from geometry.floorplan import Level
from perception import Picture, TextReader, detect_tags
from twin.level_names import LevelNames
from twin.level_signs import MOST_LOG_ODDS, ExpectedSign, LevelSigns
from twin.signs import SignLandmark, place_likelihood, quad_of_line

Array = NDArray[np.float64]

TAG_LOG_ODDS = 6.0
"""Natural; for a listed tag where a pose expects it, and against a pose that expects it elsewhere. Codes of tag36h11
are hardly ever misread, but tags get moved."""
TAG_TOLERANCE_PX, TAG_TOLERANCE = 4.0, 0.3
"""Of its place in the photo: pixels, and as a share of its side."""
MIN_LETTER_PX = 6.0
SURE_READING = 0.5
DECISIVE = 3.0
"""Log-odds between levels beyond which the rest of a photo is not read."""
UNMAPPED = 0.4
"""A pose that expects no sign where one is read is hardly less likely than one that expects just that text: maps
lack about three signs in ten."""


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
        self._level_signs = LevelSigns(
            [s for s, one in zip(self._signs, self._naming, strict=True) if one], levels, self._names
        )
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

        Signs are read where some pose expects one that names a level, then the whole photo if they leave it open. None
        where no text could tell one.
        """
        if self._reader is None or not self._names or not cams_from_site:
            return None
        expected = self._level_signs.expected(camera, cams_from_site, picture.size)
        told = self._of_level_signs(picture, expected)
        if not told or np.ptp(np.sum(told, axis=0)) < DECISIVE:
            up = (cams_from_site[0].rotation.matrix() @ [0.0, 0.0, 1.0])[:2]
            readings = self._reader.read(picture.pixels, up)
            others = [each for each in readings if not any(sign.is_at(each.quad) for sign in expected)]
            told.append(np.log(self._names.likelihood(others)))
        total = np.sum(told, axis=0)
        return np.asarray(np.maximum(total - total.max(), -MOST_LOG_ODDS))

    def _of_level_signs(self, picture: Picture, expected: Sequence[ExpectedSign]) -> list[Array]:
        """Return what each sign that is read says of levels (K,): as a line, or its word alone if that tells more."""
        assert self._reader is not None
        told = []
        for sign in expected:
            said = [each.log_odds(self._reader.read_at(picture.pixels, each.cuts())) for each in (sign, *sign.words())]
            told.append(max(said, key=np.ptp))
        return told

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
            [
                (row, quad)
                for row in rows
                if (quad := quad_of_line(self._signs[row], camera, pose, size, MIN_LETTER_PX)) is not None
            ]
            for pose in poses
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
