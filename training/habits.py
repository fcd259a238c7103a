"""How a detector errs on labelled pictures that it was not trained on; ``training.export`` writes it into the file."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit, logit

from perception.detection.habits import DetectorHabits
from perception.detection.protocol import Detector
from perception.detection.refined import RefinedDetector
from perception.detections import Detections
from training.labelled import LEAST_PX, Labelled, read_labelled
from twin.evaluate_detection import TrueBoxes, match

Array = NDArray[np.float64]

LEAST_SCORE = 0.05
LEAST_CLEAR = 0.3
"""Score of a detection whose sides are judged."""
LEAST_VISIBLE = 0.3
LOW_PRECISION, HIGH_PRECISION = 0.1, 0.5
"""Of detections of just the low and the high score."""


def measure(detector: Detector, folders: Sequence[Path]) -> DetectorHabits:
    """Look at the pictures of folders with a detector that tells all above ``LEAST_SCORE``."""
    pictures = read_labelled(folders)
    found = [detector.detect(picture.pixels) for picture in pictures]
    return habits_of(found, pictures)


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


def spreads(detector: RefinedDetector, folders: Sequence[Path]) -> dict[str, float]:
    """Return by how much sides and feet are off, in the spreads that a second stage tells, as standard deviations."""
    pictures = read_labelled(folders)
    found = [detector.detect(picture.pixels) for picture in pictures]
    matched = match(found, [_truth(picture) for picture in pictures], lambda kind: True)
    right = matched.hit >= 0
    sides, feet = [], []
    for picture, row, hit in zip(matched.picture[right], matched.row[right], matched.hit[right], strict=True):
        own, whole = pictures[picture].boxes[hit], found[picture].whole
        if whole is None or found[picture].scores[row] < LEAST_CLEAR:
            continue
        sides.append((whole.boxes[row] - np.array(own["whole"])) / whole.sigma[row, :4])
        if own.get("contact") is not None:
            feet.append((found[picture].feet[row] - np.array(own["contact"])) / whole.sigma[row, 4:])
    return {"spread_sides": _spread(np.array(sides)), "spread_feet": _spread(np.array(feet))}


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
