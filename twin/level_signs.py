"""Signs that name a level, where storeys built alike have theirs: which of their names is the likeliest reading there.

A sign that the map read on one storey is expected on all of them, with that storey's name. Read freely, small letters
say little ("STARS 2"); asked which of a few names it is, the same picture often tells.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
import pycolmap
from numpy.typing import NDArray

from geometry import position_of
from geometry.floorplan import Level
from perception import TextReading, fold_text
from perception.reading import text_log_likelihoods
from twin.level_names import LevelNames
from twin.signs import SignLandmark, quad_of_line

Array = NDArray[np.float64]

SAME_PLACE_M = 1.0
SOMETHING_ELSE = 0.02
"""How likely what the recogniser reads is where none of the names is written: something hides the sign."""
UNSURE = 0.1
"""The same of a reading that the recogniser does not believe in, and by share of one that it half believes."""
MOST_LOG_ODDS = 4.0
"""Of all signs of a photo, as they err together."""
MIN_LETTER_PX = 4.5
TAKEN_FOR = {"0": "OD", "1": "IL", "2": "Z", "5": "S", "6": "G", "8": "B"}
"""Letters that a recogniser takes digits for; where a sign names a level, they are digits."""


class LevelSigns:
    """Signs of a map that name a level, each at its place on all levels."""

    def __init__(self, signs: Sequence[SignLandmark], levels: Sequence[Level], names: LevelNames) -> None:
        """Take boards and lettering, and levels, lowest first, with their names."""
        self._elevations = np.array([level.elevation for level in levels])
        self._places: list[_Place] = []
        for sign in sorted(signs, key=lambda sign: -sign.views):
            texts = names.on_each_level(sign.text)
            level = int(np.searchsorted(self._elevations, sign.position[2])) - 1
            if texts is not None and level >= 0:
                place = _Place(sign=_raised(sign, -self._elevations[level]), texts=texts)
                if not any(place.is_same(other) for other in self._places):
                    self._places.append(place)

    def __bool__(self) -> bool:
        return bool(self._places)

    def expected(
        self, camera: pycolmap.Camera, poses: Sequence[pycolmap.Rigid3d], size: tuple[int, int]
    ) -> list["ExpectedSign"]:
        """Return where in a photo (width, height) any of the poses has a sign; each place once."""
        found: list[ExpectedSign] = []
        for pose in poses:
            level = int(np.searchsorted(self._elevations, position_of(pose)[2])) - 1
            for place in self._places if level >= 0 else ():
                sign = _raised(place.sign, self._elevations[level])
                quad = quad_of_line(sign, camera, pose, size, MIN_LETTER_PX)
                if quad is not None and not any(each.is_at(quad) for each in found):
                    found.append(ExpectedSign(quad=quad, texts=place.texts))
        return found


@dataclass(frozen=True, kw_only=True)
class _Place:
    """A sign as if its level were at 0 m, and what it says on each level."""

    sign: SignLandmark
    texts: tuple[str, ...]

    def is_same(self, other: "_Place") -> bool:
        """Tell whether two signs are one place's on two levels."""
        off = np.linalg.norm(np.array(self.sign.position) - np.array(other.sign.position))
        return bool(off < SAME_PLACE_M) and self.texts == other.texts


@dataclass(frozen=True, kw_only=True, eq=False)
class ExpectedSign:
    """A line of text in a photo, quad (4, 2) px, and what it says on each of K levels."""

    quad: Array
    texts: tuple[str, ...]

    def is_at(self, quad: Array) -> bool:
        """Tell whether a line of text is in the same place, within a line's height."""
        height = np.linalg.norm(self.quad[0] - self.quad[3])
        return bool(np.linalg.norm(self.quad.mean(axis=0) - quad.mean(axis=0)) < height)

    def words(self) -> list["ExpectedSign"]:
        """Return the word by which levels differ, as a sign of its own: in the company of letters a 1 is read as I.

        It is where a font of one width would have it, with the space before and after. None for a sign of one word.
        """
        split = [text.split() for text in self.texts]
        if len({len(words) for words in split}) > 1 or len(split[0]) == 1:
            return []
        differing = [number for number, same in enumerate(zip(*split, strict=True)) if len(set(same)) > 1]
        if len(differing) != 1:
            return []
        words = split[0]
        start = sum(len(word) + 1 for word in words[: differing[0]])
        stop = start + len(words[differing[0]])
        length = len(" ".join(words))
        left, right = max(start - 1, 0) / length, min(stop + 1, length) / length
        top, bottom = self.quad[1] - self.quad[0], self.quad[2] - self.quad[3]
        corners = [self.quad[0] + left * top, self.quad[0] + right * top]
        corners += [self.quad[3] + right * bottom, self.quad[3] + left * bottom]
        return [ExpectedSign(quad=np.array(corners), texts=tuple(words[differing[0]] for words in split))]

    def log_odds(self, reading: TextReading) -> Array:
        """Return how much less than for the likeliest level a reading there speaks for each (K,), natural logarithm."""
        spelled = [_spellings(text, self.texts) for text in self.texts]
        flat = [spelling for each in spelled for spelling in each]
        likely = np.exp(text_log_likelihoods([reading.log_frames], flat)[0])
        ends = np.cumsum([len(each) for each in spelled])
        by_level = np.array([part.sum() for part in np.split(likely, ends[:-1])])
        told = np.log(by_level + SOMETHING_ELSE + UNSURE * (1.0 - reading.confidence))
        return np.asarray(told - told.max())


def _spellings(text: str, texts: Sequence[str]) -> list[str]:
    """Return a text, folded, with its digits also as the letters that they are taken for, but for what others say."""
    folded = fold_text(text)
    others = {fold_text(other) for other in texts} - {folded}
    digits = [letter + TAKEN_FOR.get(letter, "") for letter in folded]
    if np.prod([len(each) for each in digits]) > 16:
        return [folded]
    return [spelling for spelling in map("".join, product(*digits)) if spelling not in others]


def _raised(sign: SignLandmark, rise: float) -> SignLandmark:
    x, y, z = sign.position
    return sign.model_copy(update={"position": (x, y, z + rise)})
