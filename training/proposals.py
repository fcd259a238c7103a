"""What the detector proposes on labelled pictures, and what is there: samples that its second stage learns from."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from geometry.errors import InputError
from perception.detection.close_crops import CLOSE, ENDS, bases_of, numbers_of, to_crop
from perception.detection.onnx_detector import OnnxDetector, OnnxOptions
from perception.detection.suppression import overlaps
from perception.detection.windows import cut, windows_of
from training.detector_network import KINDS
from training.labelled import FOOT_WITHIN, LEAST_PX, LEAST_VISIBLE, Labelled

Array = NDArray[np.float64]

SCORE, IOU = 0.1, 0.75
"""Boxes of the detector that are learned from, more and looser ones than it is asked for later."""
IGNORED_IOU = 0.3
"""A box that lies so far on something hardly visible, and on nothing clear, counts neither way."""
NEAR_IOU = 0.3
"""From here on a box has something to be moved to."""
JITTER = 0.12
"""Of true boxes, which are proposed too, as a share of their sizes; proposals are moved by a third of it."""

MIRRORED = [2, 1, 0, 3, 6, 5, 4, 7, 8, 9]
"""Which of the ends becomes which in a mirrored picture."""


@dataclass(frozen=True, eq=False)
class Proposed:
    """A picture with N boxes to look at again.

    boxes: (N, 4); scores, is_person: (N,); true: (N,) the label each is nearest to, -1 for none; wanted: (N,) whether
    it counts; ends: (T, ENDS) of labels, NaN where unknown; family, kind: (T,) of labels, kind -1 for a person
    """

    picture: Labelled
    boxes: Array
    scores: Array
    is_person: NDArray[np.bool_]
    true: NDArray[np.int64]
    wanted: NDArray[np.bool_]
    ends: Array
    family: NDArray[np.int64]
    kind: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Samples:
    """A batch: crops (N, 3, H, W) in [0, 1], numbers (N, NUMBERS), bases and true ends (N, ENDS), NaN for unknown;
    family (N,), -1 where nothing is there; kind (N,), -1 for unknown."""

    crops: Tensor
    numbers: Tensor
    bases: Tensor
    ends: Tensor
    family: Tensor
    kind: Tensor


def propose(path: Path, pictures: Sequence[Labelled], rng: np.random.Generator) -> list[Proposed]:
    """Let a detector's file propose boxes on pictures, and add their true ones, moved a little."""
    detector = OnnxDetector(path, OnnxOptions(score=SCORE, iou=IOU))
    return [_proposed(detector, picture, rng) for picture in pictures]


def _proposed(detector: OnnxDetector, picture: Labelled, rng: np.random.Generator) -> Proposed:
    found = detector.detect(picture.pixels)
    labels = picture.boxes
    true = np.array([label["bbox"] for label in labels], dtype=np.float64).reshape(-1, 4)
    whole = np.array([label["whole"] for label in labels], dtype=np.float64).reshape(-1, 4)
    sides = true[:, 2:] - true[:, :2]
    visible = np.array([label["visible"] for label in labels], dtype=np.float64)
    clear = (visible >= LEAST_VISIBLE) & (sides >= LEAST_PX).all(axis=1)
    feet = np.array([label.get("contact") or (np.nan, np.nan) for label in labels], dtype=np.float64).reshape(-1, 2)
    far = np.abs(feet - (true[:, :2] + true[:, 2:]) / 2).max(axis=1, initial=0) >= FOOT_WITHIN * sides.max(1, initial=0)
    feet[far] = np.nan
    person = np.array([label["kind"] == "person" for label in labels], dtype=np.bool_)
    moved = true[clear] + JITTER * rng.standard_normal((int(clear.sum()), 4)) * np.tile(sides[clear], 2)
    boxes = np.concatenate([found.boxes, moved])
    scores = np.concatenate(
        [found.scores, rng.choice(found.scores, len(moved)) if len(found) else np.full(len(moved), 0.5)]
    )
    shared = overlaps(boxes, true)
    with_clear = np.where(clear, shared, 0.0)
    best = with_clear.max(axis=1, initial=0.0)
    hidden = np.where(clear, 0.0, shared).max(axis=1, initial=0.0)
    nearest = with_clear.argmax(axis=1) if len(labels) else np.zeros(len(boxes), dtype=np.int64)
    return Proposed(
        picture=picture,
        boxes=boxes,
        scores=scores,
        is_person=np.concatenate([[kind == "person" for kind in found.kinds], person[clear]]).astype(np.bool_),
        true=np.where(best >= NEAR_IOU, nearest, -1),
        wanted=(best >= NEAR_IOU) | (hidden < IGNORED_IOU),
        ends=np.concatenate([true, whole, feet], axis=1),
        family=person.astype(np.int64),
        kind=np.array(
            [KINDS.index(label["kind"]) if label["kind"] in KINDS else -1 for label in labels], dtype=np.int64
        ),
    )


def draw(proposed: Sequence[Proposed], size: int, rng: np.random.Generator) -> Samples:
    """Draw a batch, half of it near something; a few of one picture, as pictures are larger than their crops.

    Raises ``InputError`` where there is nothing to draw.
    """
    if not any(one.wanted.any() for one in proposed):
        raise InputError("no picture has a box to learn from")
    parts, left = [], size
    while left > 0:
        one = proposed[int(rng.integers(len(proposed)))]
        near, bare = np.flatnonzero(one.wanted & (one.true >= 0)), np.flatnonzero(one.wanted & (one.true < 0))
        odds = one.scores[bare] / one.scores[bare].sum() if len(bare) else None
        likely = rng.choice(bare, min(3, len(bare)), replace=False, p=odds)
        chosen = np.concatenate([rng.permutation(near)[:3], likely])[:left]
        if len(chosen):
            parts.append(_samples(one, chosen, rng))
            left -= len(chosen)
    return Samples(*(torch.cat(each) for each in zip(*(vars(part).values() for part in parts), strict=True)))


def _samples(one: Proposed, chosen: NDArray[np.int64], rng: np.random.Generator) -> Samples:
    boxes = one.boxes[chosen]
    boxes = boxes + JITTER / 3 * rng.standard_normal(boxes.shape) * np.tile(boxes[:, 2:] - boxes[:, :2], 2)
    boxes[:, 2:] = np.maximum(boxes[:, 2:], boxes[:, :2] + 2.0)
    is_person = one.is_person[chosen] ^ (rng.random(len(chosen)) < 0.05)
    ends = np.full((len(chosen), ENDS), np.nan)
    near = one.true[chosen] >= 0
    ends[near] = one.ends[one.true[chosen][near]]
    pixels, width = one.picture.pixels, one.picture.pixels.shape[1]
    if rng.random() < 0.5:
        pixels = np.ascontiguousarray(pixels[:, ::-1])
        boxes = np.stack([width - boxes[:, 2], boxes[:, 1], width - boxes[:, 0], boxes[:, 3]], axis=1)
        ends = ends[:, MIRRORED]
        ends[:, ::2] = width - ends[:, ::2]
    windows = windows_of(boxes, CLOSE)
    crops = cut(pixels, windows, CLOSE)
    family = np.full(len(chosen), -1)
    kind = np.full(len(chosen), -1)
    family[near], kind[near] = one.family[one.true[chosen][near]], one.kind[one.true[chosen][near]]
    return Samples(
        torch.from_numpy(crops).permute(0, 3, 1, 2).float() / 255,
        torch.from_numpy(numbers_of(boxes, one.scores[chosen], is_person, windows)),
        torch.from_numpy(bases_of(boxes, windows)).float(),
        torch.from_numpy(to_crop(ends, windows)).float(),
        torch.from_numpy(family),
        torch.from_numpy(kind),
    )
