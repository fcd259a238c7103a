"""How long a detector's errors last: of a recording, by the autocorrelation of sides and feet of what moves.

Sides are those that tracking takes: of whole objects where a detector tells them, else of what is seen.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from perception.detection.protocol import Detector
from perception.detections import Detections
from perception.images import read_image
from scenes.captures.boxes import FrameBoxes, read_boxes
from training.habits import LEAST_VISIBLE
from training.labelled import LEAST_PX
from twin.evaluate_detection import TrueBoxes, match

Array = NDArray[np.float64]

MOVES_MPS = 1.0
LONGEST_S = 1.0
"""About as long as the track of what moves remembers a box. What lasts longer, as an object's own bias does, it can't
average out: noise that is widened for that too would claim more than the error is."""
SMALL_PX = 25.0
"""Errors are shares of a box's sides, of smaller ones of this: those are off by pixels, not by shares."""
MOST_ERROR = 0.5
"""Of a box's size: a larger error is another object's box, and one of them would be all there is."""
NEGLIGIBLE = 0.05
"""From where it is below this on, an autocorrelation is noise."""


def measure_persistence(detector: Detector, folder: Path) -> float:
    """Return for how many seconds a detector's errors last, in a rendered scene with fixed cameras."""
    frames, found, counts = list(read_boxes(folder)), [], dict[str, int]()
    for frame in frames:
        number = counts[frame.camera] = counts.get(frame.camera, -1) + 1
        picture = read_image(folder / "fixed" / frame.camera / f"{number:06d}.jpg").pixels
        found.append(detector.detect(picture, camera=frame.camera, time=frame.time))
    return persistence(found, frames)


def persistence(found: Sequence[Detections], frames: Sequence[FrameBoxes]) -> float:
    """Return the integral of the autocorrelation over lags up to ``LONGEST_S``, in seconds, of detections by frame.

    0 where nothing moves. Frames of a camera follow each other in time, at one rate.
    """
    matched = match(found, [_truth(frame) for frame in frames], lambda kind: True)
    series: dict[tuple[str, str], list[tuple[float, Array]]] = {}
    right = matched.hit >= 0
    for picture, row, hit in zip(matched.picture[right], matched.row[right], matched.hit[right], strict=True):
        frame, own = frames[picture], found[picture]
        true = [box for box in frame.boxes if box.bbox_visible][hit]
        edges = np.array(true.bbox_visible if own.whole is None else true.bbox)
        boxes = own.boxes if own.whole is None else own.whole.boxes
        size = np.maximum(np.tile(edges[2:] - edges[:2], 3), SMALL_PX)
        foot = np.array(true.contact or (np.nan, np.nan))
        error = np.concatenate([boxes[row] - edges, own.feet[row] - foot]) / size
        error[np.abs(error) > MOST_ERROR] = np.nan
        series.setdefault((frame.camera, true.object), []).append((frame.utc, np.append(error, true.position[:2])))
    rows = [sorted(each, key=lambda pair: pair[0]) for each in series.values()]
    return _integral([(np.array([t for t, _ in own]), np.array([values for _, values in own])) for own in rows])


def _integral(series: Sequence[tuple[Array, Array]]) -> float:
    """Return the integral over lags, of times (T,) with errors and, in the last two columns, positions (T, E + 2)."""
    steps = np.concatenate([np.diff(times) for times, _ in series]) if series else np.zeros(0)
    if len(steps) == 0:
        return 0.0
    step, total = float(np.median(steps)), 0.0
    for lag in range(1, round(LONGEST_S / step) + 1):
        products, squares = 0.0, 0.0
        for times, values in series:
            apart = times[lag:] - times[:-lag]
            path = np.linalg.norm(values[lag:, -2:] - values[:-lag, -2:], axis=1)
            moves = (np.abs(apart - lag * step) < 0.5 * step) & (path >= MOVES_MPS * apart)
            first, second = values[:-lag, :-2][moves], values[lag:, :-2][moves]
            products += float(np.nansum(first * second))
            squares += float(np.nansum(0.5 * (first**2 + second**2) * np.isfinite(first * second)))
        correlation = products / squares if squares > 0 else 0.0
        if correlation < NEGLIGIBLE:
            break
        total += correlation * step
    return total


def _truth(frame: FrameBoxes) -> TrueBoxes:
    shown = [box for box in frame.boxes if box.bbox_visible]
    boxes = np.array([box.bbox_visible for box in shown], dtype=np.float64).reshape(-1, 4)
    small = ((boxes[:, 2:] - boxes[:, :2]) < LEAST_PX).any(axis=1)
    hidden = np.array([box.visible_fraction < LEAST_VISIBLE for box in shown], dtype=np.bool_)
    kinds = tuple(box.kind for box in shown)
    return TrueBoxes(boxes=boxes, kinds=kinds, ignored=small | hidden, distances=np.full(len(kinds), np.nan))
