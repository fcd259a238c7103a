"""How a detector errs on labelled pictures that it was not trained on; ``training.export`` writes it into the file."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit, logit

from geometry.box_views import SIDES
from geometry.errors import InputError
from perception.detection.habits import DetectorHabits
from perception.detection.protocol import Detector
from perception.detections import Detections
from training.labelled import LEAST_PX, Labelled
from twin.evaluate_detection import TrueBoxes, match

Array = NDArray[np.float64]

LEAST_SCORE = 0.05
BORDER_PX = 1.0
TWO_THIRDS = 0.6827
"""Of a normal distribution within a standard deviation."""
LEAST_CLEAR = 0.3
"""Score of a detection whose sides are judged."""
LEAST_VISIBLE = 0.3
LOW_PRECISION, HIGH_PRECISION = 0.1, 0.5
"""Of detections of just the low and the high score."""


def measure(detector: Detector, pictures: Sequence[Labelled]) -> DetectorHabits:
    """Look at pictures with a detector that tells all above ``LEAST_SCORE``."""
    return habits_of([detector.detect(picture.pixels) for picture in pictures], pictures)


def habits_of(found: Sequence[Detections], pictures: Sequence[Labelled]) -> DetectorHabits:
    """Return the habits of detections, of vehicles and people alike, against labels."""
    truth = [_truth(picture) for picture in pictures]
    matched = match(found, truth, lambda kind: True)
    right = matched.hit >= 0
    counted = right | matched.counted
    slope, middle = _calibrated(matched.scores[counted], right[counted])
    low, high = (float(expit(middle + logit(share) / slope)) for share in (LOW_PRECISION, HIGH_PRECISION))
    sides, feet = [], []
    for picture, row, hit in zip(matched.picture[right], matched.row[right], matched.hit[right], strict=True):
        box, true = found[picture].boxes[row], truth[picture].boxes[hit]
        size = np.tile(true[2:] - true[:2], 2)
        sides.append((box - true) / size)
        foot = pictures[picture].boxes[hit].get("contact")
        if foot is not None:
            feet.append((found[picture].feet[row] - np.array(foot)) / size[:2])
    strong = right & (matched.scores >= low)
    asked = sum(int((~each.ignored).sum()) for each in truth)
    return DetectorHabits(
        box_share=_spread(np.array(sides)),
        foot_share=_spread(np.array(feet)),
        detected=float(np.clip(strong.sum() / max(asked, 1), 0.05, 0.98)),
        score_slope=slope,
        score_middle=middle,
        objects=max(asked / max(len(pictures), 1), 0.1),
        low_score=low,
        high_score=high,
    )


def sigmas(found: Sequence[Detections], pictures: Sequence[Labelled]) -> dict[str, float]:
    """Return by how much sides and feet are off, in the standard deviations that are told, of whole boxes.

    Two thirds lie within, as of a normal distribution. Sides at the picture's border, which can't be off, don't count.
    Raises ``InputError`` where none of the detections shows anything.
    """
    matched = match(found, [_truth(picture) for picture in pictures], lambda kind: True)
    right = (matched.hit >= 0) & (matched.scores >= LEAST_CLEAR)
    sides, feet = [np.zeros(0)], [np.zeros(0)]
    for picture, row, hit in zip(matched.picture[right], matched.row[right], matched.hit[right], strict=True):
        own, whole = pictures[picture].boxes[hit], found[picture].whole
        if whole is None or not whole.told[row]:
            continue
        true, limit = np.array(own["whole"]), np.tile(pictures[picture].pixels.shape[1::-1], 2)
        inner = (true > BORDER_PX) & (true < limit - BORDER_PX)
        sides.append(((whole.boxes[row] - true) / whole.sigma[row, :SIDES])[inner])
        if own.get("contact") is not None:
            feet.append((found[picture].feet[row] - np.array(own["contact"])) / whole.sigma[row, SIDES:])
    if max(map(len, sides)) == 0 or max(map(len, feet)) == 0:
        raise InputError("nothing that was held out is found", remedy="Give more pictures.")
    return {"sigma_sides": _within(np.concatenate(sides)), "sigma_feet": _within(np.concatenate(feet))}


def _within(errors: Array) -> float:
    """Return below what two thirds of errors (N,) are."""
    return float(np.quantile(np.abs(errors), TWO_THIRDS))


def _truth(picture: Labelled) -> TrueBoxes:
    boxes = np.array([box["bbox"] for box in picture.boxes], dtype=np.float64).reshape(-1, 4)
    small = ((boxes[:, 2:] - boxes[:, :2]) < LEAST_PX).any(axis=1)
    hidden = np.array([box["visible"] < LEAST_VISIBLE for box in picture.boxes], dtype=np.bool_)
    kinds = tuple(str(box["kind"]) for box in picture.boxes)
    return TrueBoxes(boxes=boxes, kinds=kinds, ignored=small | hidden, distances=np.full(len(kinds), np.nan))


def _calibrated(scores: Array, right: NDArray[np.bool_]) -> tuple[float, float]:
    """Return slope and middle of the logistic regression of being right on the logit of the score."""
    x = logit(np.clip(scores, 1e-4, 1 - 1e-4))

    def loss(parameters: Array) -> float:
        odds = parameters[0] * (x - parameters[1])
        return float(np.logaddexp(0, np.where(right, -odds, odds)).sum())

    slope, middle = minimize(loss, np.array([1.0, 0.0]), method="Nelder-Mead").x.tolist()
    return max(slope, 0.05), middle


def _spread(errors: Array) -> float:
    """Return a standard deviation that strays do not widen, of errors (N, D) around 0."""
    return 0.01 if errors.size == 0 else max(1.4826 * float(np.median(np.abs(errors))), 0.005)
