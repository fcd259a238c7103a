"""Which hypotheses become candidates: the same ones on many threads as one after the other."""

import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import pycolmap
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geometry import DegenerateError, pose_from_position
from twin.candidates import CandidateFinder
from twin.localizer_options import LocalizerOptions

UPRIGHT = (0.0, 0.0, 0.0, 1.0)


@dataclass(frozen=True)
class Posed:
    """As much of a hypothesis, of an estimate and of a candidate as the choice looks at."""

    x: float

    @property
    def cam_from_site(self) -> pycolmap.Rigid3d:
        return pose_from_position((self.x, 0.0, 0.0), UPRIGHT)

    @property
    def estimate(self) -> "Posed":
        return self


class Finder(CandidateFinder):
    """A finder whose hypotheses are on a line, and are refined to where ``settles`` says; None is degenerate."""

    def __init__(self, threads: int, settles: dict[float, float | None]) -> None:
        self._options = LocalizerOptions(threads=threads)
        self.settles, self.tried = settles, list[float]()

    def _settled(self, query: Any, hypothesis: Any) -> Any:
        self.tried.append(hypothesis.x)
        time.sleep(1e-3 * (hypothesis.x % 1.0))
        if (settled := self.settles[hypothesis.x]) is None:
            raise DegenerateError("it determines no pose")
        return Posed(settled)


def added(threads: int, begin: list[float], asked: dict[float, float | None], limit: int | None) -> Finder:
    finder = Finder(threads, asked)
    finder.candidates = [Posed(x) for x in begin]  # type: ignore[attr-defined]
    finder._add(finder.candidates, None, [Posed(x) for x in asked], limit)  # type: ignore
    return finder


def one_after_the_other(begin: list[float], asked: dict[float, float | None], limit: int | None) -> list[float]:
    """The rule itself: whoever is new, before and after it was refined, comes in until the places are taken."""
    kept = list(begin)
    for x, settled in asked.items():
        if limit is not None and len(kept) >= limit:
            break
        if settled is not None and all(abs(y - each) > 1.0 for y in (x, settled) for each in kept):
            kept.append(settled)
    return kept


positions = st.floats(0.0, 6.0).map(lambda x: round(x, 2))


@given(
    begin=st.lists(positions, max_size=1),
    asked=st.dictionaries(positions, st.one_of(st.none(), positions), max_size=8),
    limit=st.sampled_from([None, 0, 1, 2, 4]),
    threads=st.integers(1, 4),
)
@settings(max_examples=150)
def test_as_one_after_the_other(
    begin: list[float], asked: dict[float, float | None], limit: int | None, threads: int
) -> None:
    found = added(threads, begin, asked, limit).candidates  # type: ignore[attr-defined]
    assert [each.x for each in found] == one_after_the_other(begin, asked, limit)


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_when_the_places_are_taken_little_is_refined_for_nothing(threads: int) -> None:
    apart = {float(x): float(x) for x in np.arange(0, 40, 2)}
    finder = added(threads, [], apart, 4)
    assert [each.x for each in finder.candidates] == [0, 2, 4, 6]  # type: ignore[attr-defined]
    assert len(finder.tried) < 4 + threads
