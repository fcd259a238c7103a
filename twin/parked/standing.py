"""Boxes that keep their place: what stands shows nearly the same box again and again.

Whoever walks by makes pixels in that box change, and the box still shows what stands there. So a box belongs to what
stands where boxes were at rest both before and after it.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from geometry.solids import size_prior
from geometry.track_records import FrameRecord
from perception.detection.suppression import overlaps
from perception.tracking.instant import STILL_SHARE

Array = NDArray[np.float64]
Indices = NDArray[np.int64]

ALIKE = 0.7
"""Overlap from which two boxes are in one place."""
LOST_S = 10.0
"""What shows no box at rest for longer is gone; another one in its place is another thing."""
LEAST_BOXES = 10
FOLLOWS = 0.1
"""Of the way to a new box: how far the mean of a thing's boxes follows it."""


class Standing(NamedTuple):
    """What stands before one camera: boxes (K, 4) px, and when each was at rest there for the first and last time."""

    boxes: Array
    begin: Array
    end: Array

    def of(self, time: float, boxes: Array) -> Indices:
        """Return which of them boxes (N, 4) of a frame show, -1 for none."""
        there = np.flatnonzero((self.begin <= time) & (time <= self.end))
        if len(there) == 0 or len(boxes) == 0:
            return np.full(len(boxes), -1, dtype=np.int64)
        alike = overlaps(boxes, self.boxes[there])
        return np.where(alike.max(axis=1) >= ALIKE, there[alike.argmax(axis=1)], -1)


def standing_of(frames: Sequence[tuple[float, FrameRecord]]) -> Standing:
    """Return what stands before one camera, of its frames in the order of time."""
    means, begin, end, count = np.zeros((0, 4)), np.zeros(0), np.zeros(0), np.zeros(0, dtype=np.int64)
    alive = np.zeros(0, dtype=np.int64)
    for time, frame in frames:
        alive = alive[time - end[alive] <= LOST_S]
        still = [
            each.bbox
            for each in frame.detections
            if each.changed is not None and each.changed < STILL_SHARE and size_prior(each.kind).family == "vehicle"
        ]
        if not still:
            continue
        boxes = np.array(still)
        alike = overlaps(boxes, means[alive])
        best = alike.argmax(axis=1) if len(alive) else np.zeros(len(boxes), dtype=np.int64)
        known = alike.max(axis=1, initial=0.0) >= ALIKE
        own = alive[best[known]]
        means[own] += FOLLOWS * (boxes[known] - means[own])
        end[own] = time
        count[own] += 1
        new = boxes[~known]
        if len(new) == 0:
            continue
        alive = np.concatenate([alive, len(means) + np.arange(len(new))])
        means = np.concatenate([means, new])
        begin, end = (np.concatenate([times, np.full(len(new), time)]) for times in (begin, end))
        count = np.concatenate([count, np.ones(len(new), dtype=np.int64)])
    often = count >= LEAST_BOXES
    return Standing(means[often], begin[often], end[often])
