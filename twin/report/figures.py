"""What the page says in numbers: one row for each photo, and the headline figures of all."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pycolmap
from numpy.typing import NDArray
from scipy import stats

from geometry import pose_error, position_of, squared_mahalanobis
from twin.evaluate import CONFIDENCE_BOUND
from twin.localization import Localization
from twin.report import units

Array = NDArray[np.float64]

PROBABILITIES = (0.5, 0.9, 0.99)
DOUBT = 0.05
"""Coverage is called bad where an honest claim would do worse with a smaller probability than this."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """One photo's answer beside its truth, if known.

    number: from 1, in the order of the answers; foreign: whether the photo is of another place and must be refused
    """

    number: int
    answer: Localization
    truth: pycolmap.Rigid3d | None
    foreign: bool

    @property
    def localized(self) -> bool:
        """Whether there is a pose."""
        return self.answer.status == "ok"

    @property
    def judged(self) -> bool:
        """Whether there are both a pose and a truth."""
        return self.localized and self.truth is not None

    @cached_property
    def error(self) -> tuple[float, float] | None:
        """Errors in metres and degrees, where judged."""
        return pose_error(self.answer.cam_from_site, self.truth) if self.judged else None

    @property
    def wrong(self) -> bool:
        """Whether the answer is further off than what confidence is about."""
        return self.error is not None and any(e > bound for e, bound in zip(self.error, CONFIDENCE_BOUND, strict=True))

    @cached_property
    def offset(self) -> Array | None:
        """True minus claimed position (3,) in site metres, where judged."""
        return position_of(self.truth) - np.array(self.answer.position) if self.truth and self.localized else None

    @cached_property
    def ellipsoid(self) -> float | None:
        """Probability of the smallest claimed ellipsoid of position that holds the truth, where judged."""
        if self.offset is None or self.answer.position_covariance is None:
            return None
        squared = squared_mahalanobis(self.offset, np.array(self.answer.position_covariance))
        return float(stats.chi2.cdf(squared, 3))

    @property
    def verdict(self) -> str:
        """Where the truth lies among the claimed ellipsoids, in words."""
        if self.ellipsoid is None:
            return ""
        holding = [p for p in PROBABILITIES if self.ellipsoid <= p]
        return f"inside {units.share(holding[0])}" if holding else f"outside {units.share(PROBABILITIES[-1])}"


@dataclass(frozen=True, kw_only=True)
class Headline:
    """A figure that stands large on the page; ``tone`` is "good", "bad" or "" for neither."""

    value: str
    label: str
    tone: str = ""


def rows_of(
    answers: Sequence[Localization], truth: Mapping[str, pycolmap.Rigid3d] | None, foreign: Collection[str]
) -> list[Row]:
    """Join answers with their true ``cam_from_site``, by image name."""
    known = truth or {}
    return [
        Row(number=k, answer=answer, truth=known.get(answer.image), foreign=answer.image in foreign)
        for k, answer in enumerate(answers, start=1)
    ]


def headlines(rows: Sequence[Row]) -> list[Headline]:
    """Return the figures to show first: what was localized, how well, how honestly, and what was refused."""
    own, others = [row for row in rows if not row.foreign], [row for row in rows if row.foreign]
    found = [row for row in own if row.localized]
    wrong = sum(row.wrong for row in found)
    remark = f", {wrong} of them wrong: off by more than 25 cm or 2°" if wrong else ""
    tone = "bad" if wrong else ""
    figures = [Headline(value=f"{len(found)} of {len(own)}", label=f"photos localized{remark}", tone=tone)]
    judged = [row for row in found if row.judged]
    figures += _accuracy(judged) if judged else _claims(found)
    if others:
        refused = sum(not row.localized for row in others)
        tone = "good" if refused == len(others) else "bad"
        figures.append(Headline(value=f"{refused} of {len(others)}", label="photos of other places refused", tone=tone))
    else:
        figures.append(Headline(value=str(len(own) - len(found)), label="photos refused"))
    return figures


def ellipsoids(rows: Sequence[Row]) -> Array:
    """Return ``Row.ellipsoid`` (N,) of all judged rows, ascending."""
    return np.sort([row.ellipsoid for row in rows if row.ellipsoid is not None]).astype(np.float64)


def _accuracy(judged: Sequence[Row]) -> list[Headline]:
    metres, degrees = np.median([row.error for row in judged if row.error], axis=0)
    inside = ellipsoids(judged) <= 0.9
    tone = "good" if stats.binom.cdf(inside.sum(), len(inside), 0.9) > DOUBT else "bad"
    return [
        Headline(value=units.length(metres), label=f"median position error, {units.angle(degrees)} in direction"),
        Headline(
            value=units.share(inside.mean()), label="of true positions inside the claimed 90 % ellipsoid", tone=tone
        ),
    ]


def _claims(found: Sequence[Row]) -> list[Headline]:
    if not found:
        return []
    sigma = float(np.median([row.answer.position_sigma_m or np.nan for row in found]))
    taken = float(np.median([row.answer.seconds for row in found]))
    return [
        Headline(value=units.length(sigma), label="median claimed sigma of position"),
        Headline(value=units.seconds(taken), label="median time a photo"),
    ]
