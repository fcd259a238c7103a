"""What detectors make of what there is to see: detections.jsonl from true boxes, perfect or with the usual mistakes."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geometry.errors import InputError
from scenes.captures.boxes import Bbox, Box, FrameBoxes

Array = NDArray[np.float64]

MIN_SIDE_PX = 1.0
FALSE_HEIGHT_SHARE = (0.06, 0.4)
"""Heights of false boxes, as shares of the picture's."""
FALSE_SCORES = (2.0, 4.0)
"""Parameters of the beta distribution that false boxes' scores come from: 0.33 in the mean, rarely above 0.7."""


@dataclass(frozen=True, kw_only=True)
class DetectionNoise:
    """How a detector fails; the defaults are those of a good one on a cheap camera.

    miss_rate: share of even the clearest objects that is missed in a frame
    visible, height_px: an object is missed below the first of the two visible fractions, or heights of the visible
        box, is as clear as can be above the second, and in proportion between
    jitter: standard deviation of each side of a box and of each coordinate of the foot, as a share of the box's size
    false_rate: false boxes a frame, Poisson
    merge_iou, merge_rate: boxes of one class that overlap by more (intersection over union) become one, this often
    score_sigma: standard deviation of scores, which are 1 less half of what clearness lacks
    latency_s: mean time from exposure to arrival of a frame, a fifth of it constant and the rest exponential, so that
        frames overtake each other; frames come in the order of arrival, which is under their ``meta``
    """

    miss_rate: float = 0.02
    visible: tuple[float, float] = (0.15, 0.6)
    height_px: tuple[float, float] = (10.0, 30.0)
    jitter: float = 0.02
    false_rate: float = 0.05
    merge_iou: float = 0.5
    merge_rate: float = 0.3
    score_sigma: float = 0.07
    latency_s: float = 0.15

    def __post_init__(self) -> None:
        shares = (self.miss_rate, self.merge_rate, self.merge_iou, *self.visible)
        amounts = (self.jitter, self.false_rate, self.score_sigma, self.latency_s, *self.height_px)
        if not all(0 <= share <= 1 for share in shares) or not all(0 <= amount < np.inf for amount in amounts):
            raise InputError(f"noise out of range: {self}", remedy="Shares are 0 to 1, amounts not negative.")
        if self.visible[0] > self.visible[1] or self.height_px[0] > self.height_px[1] or self.false_rate > 1000:
            raise InputError(f"noise out of range: {self}", remedy="Ranges go up; at most 1000 false boxes a frame.")


PERFECT = DetectionNoise(
    miss_rate=0.0, visible=(0.0, 0.0), height_px=(0.0, 0.0), jitter=0.0, false_rate=0.0, merge_rate=0.0,
    score_sigma=0.0, latency_s=0.0,
)  # fmt: skip
"""A detector that finds whatever shows a pixel, at once."""


def true_detections(frames: Iterable[FrameBoxes]) -> list[dict[str, Any]]:
    """Return the lines of detections.jsonl of a perfect detector, in the order of exposure.

    A box is around what is visible, its ``foot`` is the true contact point, and ``meta.objects`` names what it shows.
    """
    return noisy_detections(frames, PERFECT, np.random.default_rng(0))


def noisy_detections(
    frames: Iterable[FrameBoxes], options: DetectionNoise, rng: np.random.Generator
) -> list[dict[str, Any]]:
    """Return the lines of detections.jsonl of a detector with these faults, in the order of arrival.

    Frames without detections stay as lines. ``meta.objects`` of a detection names the objects it shows: none for a
    false one, two or more for a merged one; a tracker must not look there.
    """
    arrivals, lines = [], []
    for frame in sorted(frames, key=lambda frame: (frame.utc, frame.camera)):
        found = [_detection(box, options, rng) for box in frame.boxes if _is_found(box, options, rng)]
        found = _merged(found, options, rng)
        found += [_false_one(frame, options, rng) for _ in range(int(rng.poisson(options.false_rate)))]
        arrival = frame.utc + options.latency_s * (0.2 + 0.8 * float(rng.exponential()))
        line = {"camera": frame.camera, "time": frame.time, "detections": _inside(found, frame.image_size)}
        lines.append(line | ({"meta": {"arrival": arrival}} if options.latency_s else {}))
        arrivals.append(arrival)
    return [lines[i] for i in np.argsort(arrivals, kind="stable")]


def clearness(box: Box, options: DetectionNoise) -> float:
    """Return how well an object is seen, 0 to 1: by the share of it that is visible, and by its height."""
    if box.bbox_visible is None:
        return 0.0
    height = box.bbox_visible[3] - box.bbox_visible[1]
    return _ramp(box.visible_fraction, options.visible) * _ramp(height, options.height_px)


def _ramp(value: float, between: tuple[float, float]) -> float:
    low, high = between
    return float(value > low) if low == high else float(np.clip((value - low) / (high - low), 0, 1))


def _is_found(box: Box, options: DetectionNoise, rng: np.random.Generator) -> bool:
    return bool(rng.random() < (1 - options.miss_rate) * clearness(box, options))


def _detection(box: Box, options: DetectionNoise, rng: np.random.Generator) -> dict[str, Any]:
    assert box.bbox_visible is not None  # else its clearness is 0
    bbox = np.array(box.bbox_visible)
    sigma = options.jitter * np.tile(bbox[2:] - bbox[:2], 3)
    moved = np.concatenate([bbox, box.contact or (np.nan, np.nan)]) + sigma * rng.standard_normal(6)
    score = 0.5 + 0.5 * clearness(box, options) - options.score_sigma * abs(rng.standard_normal())
    return {
        "bbox": moved[:4],
        "score": float(np.clip(score, 0.01, 1.0)),
        "class": box.kind,
        "foot": moved[4:],
        "meta": {"objects": [box.object]},
    }


def _merged(found: list[dict[str, Any]], options: DetectionNoise, rng: np.random.Generator) -> list[dict[str, Any]]:
    """Join pairs of boxes that overlap much, each into the first of them, as suppression of non-maxima does."""
    kept: list[dict[str, Any]] = []
    for new in found:
        for old in kept:
            near = old["class"] == new["class"] and iou(old["bbox"], new["bbox"]) > options.merge_iou
            if near and rng.random() < options.merge_rate:
                _join(old, new)
                break
        else:
            kept.append(new)
    return kept


def _join(old: dict[str, Any], new: dict[str, Any]) -> None:
    low, high = np.minimum(old["bbox"], new["bbox"])[:2], np.maximum(old["bbox"], new["bbox"])[2:]
    old["bbox"], old["foot"] = np.concatenate([low, high]), np.array([(low[0] + high[0]) / 2, high[1]])
    old["score"] = max(old["score"], new["score"])
    old["meta"] = {"objects": old["meta"]["objects"] + new["meta"]["objects"]}


def iou(a: Array | Bbox, b: Array | Bbox) -> float:
    """Return the intersection over union of two boxes (x1, y1, x2, y2)."""
    first, second = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    overlap = np.maximum(np.minimum(first[2:], second[2:]) - np.maximum(first[:2], second[:2]), 0).prod()
    union = (first[2:] - first[:2]).prod() + (second[2:] - second[:2]).prod() - overlap
    return float(overlap / union) if union > 0 else 0.0


def _false_one(frame: FrameBoxes, options: DetectionNoise, rng: np.random.Generator) -> dict[str, Any]:
    width, height = frame.image_size
    tall = height * rng.uniform(*FALSE_HEIGHT_SHARE)
    wide = tall * rng.uniform(0.4, 2.0)
    x, y = rng.uniform(0, width), rng.uniform(0, height)
    kind = ("car", "person")[int(rng.integers(2))]
    return {
        "bbox": np.array([x - wide / 2, y - tall / 2, x + wide / 2, y + tall / 2]),
        "score": float(np.clip(rng.beta(*FALSE_SCORES), 0.01, 1.0)),
        "class": kind,
        "foot": np.array([x, y + tall / 2]),
        "meta": {"objects": []},
    }


def _inside(found: Sequence[dict[str, Any]], image_size: tuple[int, int]) -> list[dict[str, Any]]:
    """Clip boxes to the picture, drop what is left with no area, and turn numbers into those of JSON."""
    limits = np.tile(np.array(image_size, dtype=np.float64), 2)
    rows = []
    for detection in found:
        bbox, foot = np.clip(detection["bbox"], 0, limits), detection["foot"]
        if (bbox[2:] - bbox[:2]).min() < MIN_SIDE_PX:
            continue
        row = detection | {"bbox": bbox.round(2).tolist(), "score": round(detection["score"], 4)}
        row.pop("foot")
        rows.append(row | ({"foot": foot.round(2).tolist()} if np.isfinite(foot).all() else {}))
    return rows
