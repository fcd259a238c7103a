"""A detector of two stages: what the first finds is looked at again, enlarged (``close_crops``)."""

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geometry.errors import InputError
from geometry.solids import size_prior
from perception.detection.close_crops import (
    ENDS,
    HEIGHT_PX,
    NUMBERS,
    UNIT_PX,
    WIDTH_PX,
    Windows,
    bases_of,
    cut,
    numbers_of,
    to_picture,
    windows_of,
)
from perception.detection.habits import DetectorHabits
from perception.detection.heads.candidates import sigmoid, softmax
from perception.detection.heads.own import FAMILIES
from perception.detection.onnx_detector import AT_LEAST_PX, OnnxDetector, OnnxOptions
from perception.detection.protocol import Pixels
from perception.detection.suppression import suppress
from perception.detections import Detections
from perception.onnx_network import OnnxNetwork
from perception.shares import Shares
from perception.whole_boxes import WholeBoxes

Array = NDArray[np.float64]

OWN_KEY = "tiepoint_refiner"
AT_ONCE = 32
LOG_SPREADS = (-5.0, 3.0)
"""Bounds of the logarithm of how far off an end is, in ``UNIT_PX``."""


@dataclass(frozen=True, eq=False)
class Refined:
    """What the second stage says of N boxes.

    scores: (N, 2) of a vehicle and of a person; kinds: (N, K) shares; boxes: (N, 4), whole: (N, 4), feet: (N, 2) px
    spreads: (N, 6) px, mean absolute errors of the whole box's sides and of the foot, as the network expects them
    """

    scores: Array
    kinds: Array
    boxes: Array
    whole: Array
    feet: Array
    spreads: Array


@dataclass(frozen=True, kw_only=True)
class About:
    """What a file says of the network in it.

    kinds: K names; proposals, iou: lowest score of a box that is looked at again, and above which overlap of those one
    stays; final_iou: the same of what comes out
    spread_sides, spread_feet: standard deviations for each mean absolute error that the network expects
    habits: how both stages together err, None if that was not measured
    """

    kinds: tuple[str, ...]
    proposals: float
    iou: float
    final_iou: float
    spread_sides: float = 1.0
    spread_feet: float = 1.0
    habits: DetectorHabits | None = None

    @classmethod
    def of(cls, metadata: dict[str, str], where: str) -> "About":
        """Read a file's metadata; ``InputError`` where it is not a second stage's."""
        if OWN_KEY not in metadata:
            raise InputError("is no second stage of a detector", where=where, remedy="Export one by training.export.")
        try:
            content: dict[str, Any] = dict(json.loads(metadata[OWN_KEY]))
            habits = content.pop("habits", None)
            about = cls(**content | {"kinds": tuple(content["kinds"])}, habits=habits and DetectorHabits.of(habits))
            numbers = (about.proposals, about.iou, about.final_iou, about.spread_sides, about.spread_feet)
            if not (all(isinstance(kind, str) for kind in about.kinds) and all(0 < float(n) < 100 for n in numbers)):
                raise ValueError("kinds are words, scores, overlaps and spreads are positive")
        except (ValueError, KeyError, TypeError) as error:
            raise InputError(f"its own description can't be read ({error})", where=where) from error
        return about


class RefinedDetector:
    """Both stages. ``name`` has those of both files; it keeps no state.

    What it finds says how sure each side is (``Detections.whole``), which a detector of one stage does not.
    """

    def __init__(self, detector: Path, refiner: Path, options: OnnxOptions | None = None) -> None:
        """Load both files; ``InputError`` for others, and where the first tells no feet or kinds that the second does.

        ``options`` are for what comes out; what is looked at again is asked of the first stage as the second says.
        """
        self.options = options or OnnxOptions()
        network = OnnxNetwork(refiner, providers=self.options.providers, threads=self.options.threads)
        self.about, self._session = About.of(network.metadata, str(refiner)), network.session
        asked = {each.name: each.shape[1:] for each in self._session.get_inputs()}
        if asked != {"pictures": [3, HEIGHT_PX, WIDTH_PX], "numbers": [NUMBERS]}:
            raise InputError(f"takes {asked}, not crops and {NUMBERS} numbers", where=str(refiner))
        self._width = FAMILIES + len(self.about.kinds) + 2 * ENDS
        told = self._ask(
            np.zeros((1, HEIGHT_PX, WIDTH_PX, 3), dtype=np.uint8), np.zeros((1, NUMBERS), dtype=np.float32)
        )
        if told.shape != (1, self._width):
            raise InputError(f"answers {told.shape} a crop, not {self._width} numbers", where=str(refiner))
        proposing = replace(self.options, score=self.about.proposals, iou=self.about.iou)
        self.detector = OnnxDetector(detector, proposing)
        self.name = f"{self.detector.name}+{network.name}"

    @property
    def habits(self) -> DetectorHabits | None:
        """How it errs, where the file says so."""
        return self.about.habits

    def detect(self, picture: Pixels, *, camera: str = "", time: float = 0.0) -> Detections:
        """Find vehicles and people in a picture (H, W, 3) uint8, RGB; best first."""
        proposed = self.detector.detect(picture, camera=camera, time=time)
        refined = self.refine(picture, proposed)
        limit = np.array([*picture.shape[1::-1]] * 2, dtype=np.float64)
        best = refined.scores.argmax(axis=1)
        scores = refined.scores[np.arange(len(best)), best]
        boxes, whole = np.clip(refined.boxes, 0, limit), np.clip(refined.whole, 0, limit)
        good = (scores >= self.options.score) & (boxes[:, 2:] - boxes[:, :2] >= AT_LEAST_PX).all(axis=1)
        rows = np.flatnonzero(good)
        likeliest = [self.about.kinds[k] for k in refined.kinds.argmax(axis=1).tolist()]
        kinds = [likeliest[i] if best[i] == 0 else "person" for i in rows.tolist()]
        groups = kinds if self.options.among == "class" else [size_prior(kind).family for kind in kinds]
        iou = self.about.final_iou if self.options.iou is None else self.options.iou
        kept = suppress(boxes[rows], scores[rows], groups, iou, self.options.most)
        rows = rows[kept]
        shares = np.where(best[rows, None] == 0, refined.kinds[rows], np.nan)
        found = Detections.of(
            camera, time, boxes[rows], [kinds[i] for i in kept.tolist()], scores[rows], refined.feet[rows]
        )
        return replace(
            found,
            kind_shares=Shares(names=self.about.kinds, values=shares),
            whole=WholeBoxes(boxes=whole[rows], sigma=self._sigma(refined.spreads[rows])),
        )

    def refine(self, picture: Pixels, proposed: Detections) -> Refined:
        """Look at boxes of a picture again."""
        windows = windows_of(proposed.boxes)
        is_person = np.array([size_prior(kind).family == "person" for kind in proposed.kinds], dtype=np.bool_)
        numbers = numbers_of(proposed.boxes, proposed.scores, is_person, windows)
        parts = []
        for start in range(0, len(proposed), AT_ONCE):
            some = slice(start, start + AT_ONCE)
            parts.append(self._ask(cut(picture, Windows(windows.middle[some], windows.scale[some])), numbers[some]))
        rows = np.concatenate([np.zeros((0, self._width)), *parts])
        return decode(rows, proposed.boxes, windows, len(self.about.kinds))

    def _ask(self, crops: NDArray[np.uint8], numbers: NDArray[np.float32]) -> Array:
        """Return the network's answers about crops (N, H, W, 3)."""
        pictures = np.ascontiguousarray(crops.transpose(0, 3, 1, 2), dtype=np.float32) / 255
        return np.asarray(self._session.run(None, {"pictures": pictures, "numbers": numbers})[0], dtype=np.float64)

    def _sigma(self, spreads: Array) -> Array:
        return spreads * np.repeat([self.about.spread_sides, self.about.spread_feet], [4, 2])


def decode(rows: Array, boxes: Array, windows: Windows, kinds: int) -> Refined:
    """Read answers (N, 2 + K + ENDS + ENDS) about boxes (N, 4)."""
    told, shares, offsets, logs = np.split(rows, np.cumsum([FAMILIES, kinds, ENDS]), axis=1)
    ends = to_picture(bases_of(boxes, windows) + offsets, windows)
    spreads = np.exp(np.clip(logs, *LOG_SPREADS)) * UNIT_PX / windows.scale[:, None]
    return Refined(
        scores=sigmoid(told),
        kinds=softmax(shares),
        boxes=ends[:, :4],
        whole=ends[:, 4:8],
        feet=ends[:, 8:],
        spreads=spreads[:, 4:],
    )
