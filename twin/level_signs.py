"""Signs that name a level, where storeys built alike have theirs: which of their names is the likeliest reading there.

A sign that the map read on one storey, or that its plan lists, is expected on all of them, with that storey's name.
Read freely, small letters say little ("STARS 2"); asked which of a few names it is, the same picture often tells.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import product

import numpy as np
import pycolmap
from numpy.typing import NDArray

from geometry import position_of
from geometry.floorplan import Level
from perception import TextReading, fold_text
from perception.reading import text_log_likelihoods
from twin.level_names import LevelNames, letters_shared
from twin.signs import SignLandmark, quad_of_line

Array = NDArray[np.float64]

SAME_PLACE_M = 1.0
SOMETHING_ELSE, UNSURE = 0.02, 0.1
"""How likely what is read is where none of the names is written, as something hides the sign: always, and more by the
share of readings that spell none of them."""
MOST_LOG_ODDS = 4.0
"""Of all signs of a photo, as they err together."""
MIN_LETTER_PX = 4.5
TAKEN_FOR = {"0": "OD", "1": "IL", "2": "Z", "5": "S", "6": "G", "8": "B"}
"""Letters that a recogniser takes digits for beside letters. In a sign of one word an I may be a pillar's edge."""
ALIKE_LETTERS = 0.6
"""Of how a sign begins and how a reading of it does, as a share (Ratcliff & Obershelp 1988)."""
MOST_LOST = 2
"""Letters of how a sign begins that a reader overlooks; a sign that lacks more is cut."""
MOST_PLACES, MOST_EXPECTED = 500, 8
"""Signs of a map that are looked for, those that most photos show, and of a photo that are read, the largest."""
CUT_SIZES, CUT_OFFSETS = (0.85, 1.1), (-0.1, 0.0, 0.1)
"""Heights of a sign's cuts, and how far down they are moved, in its line's height."""


class LevelSigns:
    """Signs of a map that name a level, each at its place on all levels."""

    def __init__(self, signs: Sequence[SignLandmark], levels: Sequence[Level], names: LevelNames) -> None:
        """Take boards and lettering, and levels, lowest first, with their names."""
        self._elevations = np.array([level.elevation for level in levels])
        self._places: list[_Place] = []
        for sign in sorted(signs, key=lambda sign: -sign.views):
            if len(self._places) == MOST_PLACES:
                break
            texts = names.on_each_level(sign.text)
            level = int(np.searchsorted(self._elevations, sign.position[2])) - 1
            if texts is not None and level >= 0:
                place = _Place(sign=sign.raised(-self._elevations[level]), texts=texts)
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
                sign = place.sign.raised(self._elevations[level])
                quad = quad_of_line(sign, camera, pose, size, MIN_LETTER_PX)
                if quad is not None and not any(each.is_at(quad) for each in found):
                    found.append(ExpectedSign(quad=quad, texts=place.texts))
        return sorted(found, key=lambda sign: -sign.height_px)[:MOST_EXPECTED]


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

    @property
    def height_px(self) -> float:
        """Mean length of the two upright sides."""
        return float(np.linalg.norm(self.quad[[0, 1]] - self.quad[[3, 2]], axis=1).mean())

    def is_at(self, quad: Array) -> bool:
        """Tell whether a line of text is in the same place, within a line's height."""
        height = np.linalg.norm(self.quad[0] - self.quad[3])
        return bool(np.linalg.norm(self.quad.mean(axis=0) - quad.mean(axis=0)) < height)

    def cuts(self) -> list[Array]:
        """Return the quads (4, 2) that it is read in: a pose is not exact, and small letters are read by luck."""
        middle, half = (self.quad + self.quad[[3, 2, 1, 0]]) / 2, (self.quad - self.quad[[3, 2, 1, 0]]) / 2
        down = self.quad[[3, 2, 2, 3]] - self.quad[[0, 1, 1, 0]]
        return [middle + size * half + off * down for size in CUT_SIZES for off in CUT_OFFSETS]

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

    def log_odds(self, readings: Sequence[TextReading | None]) -> Array:
        """Return how much less than for the likeliest level readings of its cuts speak for each (K,), natural log."""
        shares = np.mean(
            [np.zeros(len(self.texts)) if each is None else self.shares(each) for each in readings], axis=0
        )
        told = np.log(shares + SOMETHING_ELSE + UNSURE * (1.0 - shares.sum()))
        return np.asarray(told - told.max())

    def shares(self, reading: TextReading) -> Array:
        """Return how probably a reading ends in what each level (K,) has there, given how it begins.

        "STARSP2" is no sign's text, but of STAIRS P1, P2 and P3 it is the second. Sums to 1 at most.
        """
        folded = [fold_text(text) for text in self.texts]
        first = letters_shared(folded)
        after = min(letters_shared([text[::-1] for text in folded]), min(map(len, folded)) - first)
        read = reading.folded
        until = len(read) - after
        if until < 0 or read[until:] != folded[0][len(folded[0]) - after :]:
            return np.zeros(len(folded))
        parts = [text[first : len(text) - after] for text in folded]
        is_word = " " not in self.texts[0]
        level_of = {text: level for level, text in enumerate(folded)}
        for level, part in enumerate(parts):
            for spelling in _spellings(part, parts) if part and not is_word else [part] * bool(part):
                for start in (max(until - len(part), 0), until):  # instead of as many letters, or after them
                    if _begins_alike(read[:start], folded[0][:first], exactly=is_word):
                        level_of.setdefault(read[:start] + spelling + read[until:], level)
        likely = np.exp(text_log_likelihoods([reading.log_frames], list(level_of))[0])
        by_level = np.bincount(list(level_of.values()), weights=likely, minlength=len(parts))
        return np.asarray(by_level / max(reading.confidence, float(by_level.sum()), 1e-9))


def _begins_alike(read: str, expected: str, *, exactly: bool) -> bool:
    """Tell whether a reading begins as a sign does; of several words a reader may get some letters wrong.

    A few may be lost, but no more: of STAIRS P3 behind a pillar "STAI" is left, which is no "STA" and a 1.
    """
    if exactly:
        return read == expected
    is_cut = len(read) < len(expected) - MOST_LOST
    return not is_cut and SequenceMatcher(None, read, expected).ratio() >= ALIKE_LETTERS


def _spellings(part: str, parts: Sequence[str]) -> list[str]:
    """Return what differs, also with the letters that digits are taken for, but for what other levels have."""
    letters = [letter + TAKEN_FOR.get(letter, "") for letter in part]
    if np.prod([len(each) for each in letters]) > 16:
        return [part]
    return [spelling for spelling in map("".join, product(*letters)) if spelling == part or spelling not in parts]
