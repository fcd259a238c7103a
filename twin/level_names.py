"""Texts that name a level, wherever they are read in a photo: on which level it was taken.

Where levels look alike, a sign that says "P2" tells more than landmarks do, also one that the map does not have.
"""

import re
from collections import Counter
from collections.abc import Sequence
from itertools import takewhile

import numpy as np
from numpy.typing import NDArray

from geometry.floorplan import Level
from perception import TextReading, fold_text
from perception.reading import text_log_likelihoods
from twin.signs import SignLandmark

Array = NDArray[np.float64]

ANOTHERS = 0.05
"""How often a sign that names a level hangs on another one, as those that show the way do."""


class LevelNames:
    """The texts that name just one level each: its id, its name, and what signs with one of these in them say."""

    def __init__(self, levels: Sequence[Level], signs: Sequence[SignLandmark]) -> None:
        """Take the levels of a plan, in the order that ``likelihood`` answers, and the signs of the map."""
        self._count = len(levels)
        both = [[name for name in (level.id, level.name) if fold_text(name)] for level in levels]
        # A reader tells letters and digits alone: names such as -1 and 1 are none.
        of_level = [{fold_text(name) for name in names} for names in both]
        count = Counter(folded for names in of_level for folded in names)
        self._names = [[name for name in names if count[fold_text(name)] == 1] for names in both]
        texts = {name for names in self._names for name in names} | {sign.text for sign in signs if sign.permanent}
        self._level: dict[str, int] = {}
        for text in sorted(texts):
            named = self._named_in(text)
            if len(named) == 1:
                self._level[fold_text(text)] = named[0]

    def __bool__(self) -> bool:
        """Whether there is a choice between levels, and something that names them."""
        return self._count > 1 and bool(self._level)

    def names_one(self, text: str) -> bool:
        """Tell whether a text names just one level."""
        return len(self._named_in(text)) == 1

    def on_each_level(self, text: str) -> tuple[str, ...] | None:
        """Return what a sign that names one level says on each (K,), None for other texts."""
        named = self._named_in(text)
        if len(named) != 1:
            return None
        for number, name in enumerate(self._names[named[0]]):
            if not _has_word(text, name) or any(len(names) <= number for names in self._names):
                continue
            texts = tuple(_word(name).sub(lambda _, own=names[number]: own, text) for names in self._names)  # type: ignore[misc]
            if len({fold_text(each) for each in texts}) == len(texts):
                return texts
        return None

    def telling_letters(self, text: str) -> tuple[float, float]:
        """Return where along a line of text, 0 to 1, the letters are by which it differs from other levels' signs."""
        texts = self.on_each_level(text) or ("", text)
        first = letters_shared(texts)
        last = min(letters_shared([each[::-1] for each in texts]), min(map(len, texts)) - first)
        return first / len(text), (len(text) - last) / len(text)

    def likelihood(self, readings: Sequence[TextReading]) -> Array:
        """Return P(readings | the photo was taken on the level), (K,), against the mean over all levels.

        The surest reading of each level counts, once: readings of one photo err together.
        """
        if not readings or not self:
            return np.ones(self._count)
        shares = np.exp(text_log_likelihoods([reading.log_frames for reading in readings], list(self._level)))
        level = np.array(list(self._level.values()))
        told = np.array([shares[:, level == k].sum(axis=1).max() for k in range(self._count)])
        for reading in readings:
            named = self._named_in(reading.text)
            if len(named) == 1:  # a line of several words, as of two signs side by side
                told[named] = np.maximum(told[named], reading.confidence)
        told /= max(1.0, float(told.sum()))
        others = (told.sum() - told) / (self._count - 1)
        return np.asarray(1.0 - told.sum() + self._count * ((1.0 - ANOTHERS) * told + ANOTHERS * others))

    def _named_in(self, text: str) -> list[int]:
        """Return the levels that a text names."""
        return [k for k, names in enumerate(self._names) if any(_has_word(text, name) for name in names)]


def letters_shared(texts: Sequence[str]) -> int:
    """Return with how many letters all texts begin alike."""
    return sum(1 for _ in takewhile(lambda letters: len(set(letters)) == 1, zip(*texts, strict=False)))


def _has_word(text: str, name: str) -> bool:
    return _word(name).search(text) is not None


def _word(name: str) -> re.Pattern[str]:
    return re.compile(rf"(?<!\w){re.escape(name)}(?!\w)", re.IGNORECASE)
