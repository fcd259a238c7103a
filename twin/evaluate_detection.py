"""How good a detector is: average precision by class and distance, kinds, recall and precision."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geometry.errors import InputError
from geometry.jsonl import read_jsonl
from geometry.solids import size_prior
from geometry.track_records import read_detections
from perception.detection.suppression import overlaps
from perception.detections import Detections
from scenes.captures.boxes import Box

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

DISTANCES_M = (0.0, 8.0, 15.0, 25.0, 1000.0)
FAMILIES = ("vehicle", "person")


@dataclass(frozen=True, kw_only=True, eq=False)
class TrueBoxes:
    """What is in a picture: boxes (N, 4) px, their kinds, and their distances (N,) in metres, NaN where not known.

    ignored: (N,) those that count neither way, too small or too hidden to be asked for
    """

    boxes: Array
    kinds: tuple[str, ...]
    ignored: Mask
    distances: Array

    def __post_init__(self) -> None:
        n = len(self.kinds)
        if self.boxes.shape != (n, 4) or self.ignored.shape != (n,) or self.distances.shape != (n,):
            raise InputError(f"true boxes of {n} kinds have shapes {self.boxes.shape}, {self.ignored.shape}")


@dataclass(frozen=True, eq=False)
class Matched:
    """Which true box (-1 for none) each detection found, and which of both count.

    scores: (D,); hit: (D,) index into the truth of its picture; picture: (D,); counted: (D,)
    missed: (T,) of all true boxes that count; picture_of: (T,); row_of: (T,) in their picture
    """

    scores: Array
    hit: NDArray[np.int64]
    picture: NDArray[np.int64]
    row: NDArray[np.int64]
    counted: Mask
    missed: Mask
    picture_of: NDArray[np.int64]
    row_of: NDArray[np.int64]

    def average_precision(self) -> float | None:
        """Return the area under precision over recall, each precision the best at that recall or beyond."""
        total = len(self.missed)
        if total == 0:
            return None
        order = np.argsort(-self.scores[self.counted], kind="stable")
        right = (self.hit[self.counted] >= 0)[order]
        found = np.cumsum(right)
        precision = found / np.arange(1, len(right) + 1)
        best = np.maximum.accumulate(precision[::-1])[::-1]
        return float((best * right).sum() / total)

    def at(self, score: float) -> tuple[float | None, float | None]:
        """Return recall and precision of detections of at least a score, None where there is nothing to divide by."""
        chosen = self.counted & (self.scores >= score)
        right = int((self.hit[chosen] >= 0).sum())
        recall = right / len(self.missed) if len(self.missed) else None
        return recall, right / int(chosen.sum()) if chosen.any() else None


def match(
    found: Sequence[Detections],
    truth: Sequence[TrueBoxes],
    asked: Callable[[str], bool],
    iou: float = 0.5,
    counted: Sequence[Mask] | None = None,
    told: Callable[[str], bool] | None = None,
) -> Matched:
    """Match detections of classes that are ``told`` with true boxes of kinds that are ``asked``, best scores first.

    counted: of each picture, which true boxes count; the others are as ignored ones are: finding them is no fault
    """
    if len(found) != len(truth):
        raise InputError(f"{len(found)} pictures were looked at and {len(truth)} have a truth")
    told = told or asked
    rows: list[tuple[float, int, int, int, bool]] = []
    missed, picture_of, row_of = [], [], []
    for picture, (seen, true) in enumerate(zip(found, truth, strict=True)):
        own = np.array([asked(kind) for kind in true.kinds], dtype=np.bool_)
        counts = own & ~true.ignored & (counted[picture] if counted is not None else True)
        rest = own & ~counts
        free, at = counts.copy(), np.flatnonzero([told(kind) for kind in seen.kinds])
        matrix = overlaps(seen.boxes, true.boxes)
        for i in at[np.argsort(-seen.scores[at], kind="stable")].tolist():
            fit = np.where(free, matrix[i], 0.0)
            best = int(fit.argmax()) if len(fit) else -1
            if best >= 0 and fit[best] >= iou:
                free[best] = False
                rows.append((seen.scores[i], best, picture, i, True))
            else:
                excused = bool((np.where(rest, matrix[i], 0.0) >= iou).any()) or _covered(seen.boxes[i], true, rest)
                rows.append((seen.scores[i], -1, picture, i, not excused))
        index = np.flatnonzero(counts)
        missed.append(free[index])
        picture_of.append(np.full(len(index), picture))
        row_of.append(index)
    columns = list(zip(*rows, strict=True)) if rows else [()] * 5
    return Matched(
        scores=np.array(columns[0], dtype=np.float64),
        hit=np.array(columns[1], dtype=np.int64),
        picture=np.array(columns[2], dtype=np.int64),
        row=np.array(columns[3], dtype=np.int64),
        counted=np.array(columns[4], dtype=np.bool_),
        missed=np.concatenate([*missed, np.zeros(0, dtype=np.bool_)]),
        picture_of=np.concatenate([*picture_of, np.zeros(0, dtype=np.int64)]),
        row_of=np.concatenate([*row_of, np.zeros(0, dtype=np.int64)]),
    )


def _covered(box: Array, true: TrueBoxes, rest: Mask) -> bool:
    """Tell whether a box lies mostly in one that does not count."""
    if not rest.any():
        return False
    low, high = np.maximum(box[:2], true.boxes[rest, :2]), np.minimum(box[2:], true.boxes[rest, 2:])
    common = np.clip(high - low, 0, None).prod(axis=1)
    return bool((common / max(float((box[2:] - box[:2]).prod()), 1e-9)).max() >= 0.5)


def judge_detections(found: Sequence[Detections], truth: Sequence[TrueBoxes], score: float = 0.3) -> dict[str, Any]:
    """Return figures at IoU 0.5: AP by family, kind and distance, kinds right, recall and precision at a score."""
    figures: dict[str, Any] = {"pictures": len(found)}
    for family in FAMILIES:

        def asked(kind: str, family: str = family) -> bool:
            return size_prior(kind).family == family

        matched = match(found, truth, asked)
        if not len(matched.missed) and not len(matched.scores):
            continue
        recall, precision = matched.at(score)
        own: dict[str, Any] = {
            "boxes": len(matched.missed),
            "AP50": matched.average_precision(),
            "recall": recall,
            "precision": precision,
            "AP50_by_distance_m": {
                f"{low:g}-{high:g}": _within(found, truth, asked, low, high) for low, high in pairwise(DISTANCES_M)
            },
        }
        if family == "vehicle":
            own |= _kinds(found, truth, matched, score)
        figures[family] = own
    return figures


def evaluate_detections(
    result: Path, truth: Path, *, score: float = 0.3, least_visible: float = 0.3, least_px: float = 12.0
) -> dict[str, Any]:
    """Judge a detections.jsonl by the boxes.jsonl of a rendered scene, at the frames that both have.

    Objects that show less of themselves, or are less high, count neither way. ``InputError`` where no frame is common.
    """
    true: dict[tuple[str, float], list[Box]] = {}
    for box in read_jsonl(truth, Box):
        true.setdefault((box.camera, round(box.time, 3)), []).append(box)
    seen, asked = [], []
    for frame in read_detections(result):
        boxes = true.get((frame.camera, round(frame.time, 3)))
        if boxes is None:
            continue
        found = frame.detections
        seen.append(
            Detections.of(
                frame.camera, frame.time, [d.bbox for d in found], [d.kind for d in found], [d.score for d in found]
            )
        )
        asked.append(_true_boxes([box for box in boxes if box.bbox_visible], least_visible, least_px))
    if not seen:
        raise InputError("no frame has both detections and true boxes", where=f"{result}, {truth}")
    return judge_detections(seen, asked, score)


def _true_boxes(boxes: Sequence[Box], least_visible: float, least_px: float) -> TrueBoxes:
    edges = np.array([box.bbox_visible for box in boxes], dtype=np.float64).reshape(-1, 4)
    hidden = np.array([box.visible_fraction < least_visible for box in boxes], dtype=np.bool_)
    return TrueBoxes(
        boxes=edges,
        kinds=tuple(box.kind for box in boxes),
        ignored=hidden | (edges[:, 3] - edges[:, 1] < least_px),
        distances=np.full(len(boxes), np.nan),
    )


def _within(
    found: Sequence[Detections], truth: Sequence[TrueBoxes], asked: Callable[[str], bool], low: float, high: float
) -> dict[str, Any] | None:
    """Return the AP of what is between two distances, None where nothing is."""
    counted = [(true.distances >= low) & (true.distances < high) for true in truth]
    matched = match(found, truth, asked, counted=counted)
    total = len(matched.missed)
    return {"boxes": total, "AP50": matched.average_precision()} if total else None


def _kinds(found: Sequence[Detections], truth: Sequence[TrueBoxes], matched: Matched, score: float) -> dict[str, Any]:
    """Return how often a found vehicle's kind is right, in all and by kind, and what AP each kind has by itself."""
    right: dict[str, list[bool]] = {}
    confused: dict[str, int] = {}
    for i in np.flatnonzero((matched.hit >= 0) & (matched.scores >= score)).tolist():
        true = truth[matched.picture[i]].kinds[matched.hit[i]]
        told = found[matched.picture[i]].kinds[matched.row[i]]
        right.setdefault(true, []).append(told == true)
        if told != true:
            confused[f"{true} taken for {told}"] = confused.get(f"{true} taken for {told}", 0) + 1
    every = [each for values in right.values() for each in values]
    kinds = sorted({kind for true in truth for kind in true.kinds if size_prior(kind).family == "vehicle"})
    return {
        "kind_accuracy": float(np.mean(every)) if every else None,
        "kind_accuracy_by_kind": {kind: [float(np.mean(v)), len(v)] for kind, v in sorted(right.items())},
        "confused_most": dict(sorted(confused.items(), key=lambda item: -item[1])[:8]),
        "AP50_by_kind": {
            kind: match(found, truth, lambda each, kind=kind: each == kind).average_precision()  # type: ignore[misc]
            for kind in kinds
        },
    }
