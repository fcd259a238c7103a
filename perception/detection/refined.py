"""A detector of two stages: what the first finds is looked at again, enlarged (``close_crops``)."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from geometry.box_views import UNKNOWN_PX
from geometry.errors import InputError
from geometry.solids import size_prior
from perception.detection.close_crops import (
    CLOSE,
    ENDS,
    LOG_ERRORS,
    NUMBERS,
    UNIT_PX,
    bases_of,
    numbers_of,
    to_picture,
)
from perception.detection.crop_network import CropNetwork
from perception.detection.habits import DetectorHabits
from perception.detection.heads.candidates import sigmoid, softmax
from perception.detection.heads.own import FAMILIES
from perception.detection.onnx_detector import AT_LEAST_PX, OnnxDetector, OnnxOptions
from perception.detection.protocol import Pixels
from perception.detection.suppression import suppress
from perception.detection.windows import Windows, windows_of
from perception.detections import Detections
from perception.shares import Shares
from perception.whole_boxes import WholeBoxes

Array = NDArray[np.float64]

OWN_KEY = "tiepoint_refiner"
MOST_PROPOSALS = 300
"""Boxes a picture that are looked at again."""


@dataclass(frozen=True, eq=False)
class Refined:
    """What the second stage says of N boxes.

    scores: (N, 2) of a vehicle and of a person; kinds: (N, K) shares; boxes: (N, 4), whole: (N, 4), feet: (N, 2) px
    errors: (N, 6) px, of the whole box's sides and of the foot: how far off they are on average
    """

    scores: Array
    kinds: Array
    boxes: Array
    whole: Array
    feet: Array
    errors: Array


@dataclass(frozen=True, kw_only=True)
class About:
    """What a file says of the network in it.

    kinds: K names; proposals, iou: lowest score of a box that is looked at again, and above which overlap of those one
    stays; final_iou: the same of what comes out
    sigma_sides, sigma_feet: standard deviations for each average error that the network expects
    habits: how both stages together err, None if that was not measured
    """

    kinds: tuple[str, ...]
    proposals: float
    iou: float
    final_iou: float
    sigma_sides: float = 1.0
    sigma_feet: float = 1.0
    habits: DetectorHabits | None = None

    def __post_init__(self) -> None:
        shares = (self.proposals, self.iou, self.final_iou)
        if not all(isinstance(each, int | float) for each in (*shares, self.sigma_sides, self.sigma_feet)):
            raise InputError("scores, overlaps and standard deviations are numbers")
        if not (
            all(0 < each <= 1 for each in shares)
            and all(0 < each < 100 for each in (self.sigma_sides, self.sigma_feet))
        ):
            raise InputError("scores and overlaps are above 0 and at most 1, standard deviations positive")
        if not self.kinds or not all(isinstance(kind, str) for kind in self.kinds):
            raise InputError("kinds are words, one at least")

    @classmethod
    def of(cls, metadata: Mapping[str, str], where: str) -> Self:
        """Read a file's metadata; ``InputError`` where it is not a second stage's."""
        if OWN_KEY not in metadata:
            raise InputError("is no second stage of a detector", where=where, remedy="Export one by training.export.")
        try:
            content: dict[str, Any] = dict(json.loads(metadata[OWN_KEY]))
            kinds, habits = content.pop("kinds"), content.pop("habits", None)
            if not isinstance(kinds, list):
                raise ValueError("kinds are a list")
            return cls(kinds=tuple(kinds), habits=None if habits is None else DetectorHabits.of(habits), **content)
        except (ValueError, KeyError, TypeError, OverflowError, InputError) as error:
            raise InputError(f"its own description can't be read ({error})", where=where) from error


class RefinedDetector:
    """Both stages. ``name`` has those of both files; it keeps no state.

    What it finds says how sure each side is (``Detections.whole``), which a detector of one stage does not.
    """

    def __init__(self, detector: Path, refiner: Path, options: OnnxOptions | None = None) -> None:
        """Load both files; ``InputError`` for others, and for providers that are not there or can't run them.

        ``options`` are for what comes out; what is looked at again is asked of the first stage as the second says.
        """
        self.options = options or OnnxOptions()
        self._network = CropNetwork(refiner, self.options, CLOSE)
        self.path, self.about = refiner, About.of(self._network.metadata, str(refiner))
        self._network.expect(NUMBERS, FAMILIES + len(self.about.kinds) + 2 * ENDS)
        proposing = replace(self.options, score=self.about.proposals, iou=self.about.iou, most=MOST_PROPOSALS)
        self.detector = OnnxDetector(detector, proposing)
        self.name = f"{self.detector.name}+{self._network.name}"

    @property
    def habits(self) -> DetectorHabits | None:
        """How it errs, where the file says so."""
        return self.about.habits

    def detect(self, picture: Pixels, *, camera: str = "", time: float = 0.0) -> Detections:
        """Find vehicles and people in a picture (H, W, 3) uint8, RGB; best first."""
        proposed = self.detector.detect(picture, camera=camera, time=time)
        refined = self.refine(picture, proposed)
        limit = np.tile(picture.shape[1::-1], 2).astype(np.float64)
        best = refined.scores.argmax(axis=1)
        scores = refined.scores[np.arange(len(best)), best]
        boxes = np.clip(refined.boxes, 0, limit)
        rows = np.flatnonzero((scores >= self.options.score) & _has_area(boxes))
        likeliest = refined.kinds.argmax(axis=1).tolist()
        kinds = [self.about.kinds[likeliest[i]] if best[i] == 0 else "person" for i in rows.tolist()]
        groups = kinds if self.options.among == "class" else [size_prior(kind).family for kind in kinds]
        iou = self.about.final_iou if self.options.iou is None else self.options.iou
        kept = suppress(boxes[rows], scores[rows], groups, iou, self.options.most)
        rows, kinds = rows[kept], [kinds[i] for i in kept.tolist()]
        shares = np.where(best[rows, None] == 0, refined.kinds[rows], np.nan)
        return replace(
            Detections.of(camera, time, boxes[rows], kinds, scores[rows], refined.feet[rows]),
            kind_shares=Shares(names=self.about.kinds, values=shares),
            whole=self._whole(np.clip(refined.whole[rows], 0, limit), refined.errors[rows]),
        )

    def refine(self, picture: Pixels, proposed: Detections) -> Refined:
        """Look at boxes of a picture again."""
        windows, numbers = asked_about(proposed)
        rows = self._network.ask(picture, windows, numbers)
        return decode(rows, proposed.boxes, windows, len(self.about.kinds))

    def _whole(self, boxes: Array, errors: Array) -> WholeBoxes:
        """Return whole boxes (N, 4) and how sure they are, NaN for what is none."""
        sigma = np.minimum(errors * np.repeat([self.about.sigma_sides, self.about.sigma_feet], [4, 2]), UNKNOWN_PX)
        sound = (_has_area(boxes) & np.isfinite(sigma).all(axis=1))[:, None]
        return WholeBoxes(boxes=np.where(sound, boxes, np.nan), sigma=np.where(sound, sigma, np.nan))


def asked_about(proposed: Detections) -> tuple[Windows, NDArray[np.float32]]:
    """Return where in a picture the second stage looks for each of N boxes, and the numbers (N, NUMBERS) beside it."""
    windows = windows_of(proposed.boxes, CLOSE)
    is_person = np.array([size_prior(kind).family == "person" for kind in proposed.kinds], dtype=np.bool_)
    return windows, numbers_of(proposed.boxes, proposed.scores, is_person, windows)


def decode(rows: Array, boxes: Array, windows: Windows, kinds: int) -> Refined:
    """Read answers (N, 2 + K + ENDS + ENDS) about boxes (N, 4)."""
    told, shares, offsets, logs = np.split(rows, np.cumsum([FAMILIES, kinds, ENDS]), axis=1)
    ends = to_picture(bases_of(boxes, windows) + offsets, windows)
    errors = np.exp(np.clip(logs, *LOG_ERRORS)) * UNIT_PX / windows.scale[:, None]
    return Refined(
        scores=sigmoid(told),
        kinds=softmax(shares),
        boxes=ends[:, :4],
        whole=ends[:, 4:8],
        feet=ends[:, 8:],
        errors=errors[:, 4:],
    )


def _has_area(boxes: Array) -> NDArray[np.bool_]:
    """Tell which boxes (N, 4) are finite and at least ``AT_LEAST_PX`` wide and high."""
    with np.errstate(invalid="ignore"):
        return np.asarray((boxes[:, 2:] - boxes[:, :2] >= AT_LEAST_PX).all(axis=1) & np.isfinite(boxes).all(axis=1))
