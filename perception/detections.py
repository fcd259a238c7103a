"""What a detector found in one frame, as arrays."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from geometry.errors import InputError, MissingExtraError
from perception.shares import Shares
from perception.whole_boxes import WholeBoxes

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True, eq=False)
class Detections:
    """N boxes of one frame of one camera.

    camera: its id; time: of the exposure, seconds by the common clock; shown: by the camera's own, None for the same
    boxes: (N, 4) float64 px, x1 y1 x2 y2, the first pixel's corner at (0, 0)
    scores: (N,) float64 in [0, 1]; kinds: N class names
    feet: (N, 2) float64 px, where the object's middle meets the ground, NaN where the detector does not tell
    embeddings: (N, D) float32 rows of unit length, NaN where there is none; None for a detector without
    kind_shares, colour_shares: how likely each kind and each colour is, None for a detector that does not tell
    changed: (N,) share of the pixels of each box that changed since a moment before, NaN for unknown; None for all
    whole: boxes around whole objects and how far off they may be, None for a detector that does not tell
    stalls: the probability of being taken of each stall that was looked at in this frame; None for a camera that looks
    at none
    """

    camera: str
    time: float
    boxes: Array
    scores: Array
    kinds: tuple[str, ...]
    feet: Array
    embeddings: NDArray[np.float32] | None = None
    shown: float | None = None
    kind_shares: Shares | None = None
    colour_shares: Shares | None = None
    changed: Array | None = None
    whole: WholeBoxes | None = None
    stalls: Mapping[str, float] | None = None

    def __post_init__(self) -> None:
        n = len(self.kinds)
        for name, shape in (("boxes", (n, 4)), ("scores", (n,)), ("feet", (n, 2))):
            value = getattr(self, name)
            if value.shape != shape or value.dtype != np.float64:
                raise InputError(
                    f"{name}: expected {shape} float64, got {value.shape} {value.dtype}", where=self.camera
                )
        if self.embeddings is not None and (self.embeddings.ndim != 2 or len(self.embeddings) != n):
            raise InputError(f"embeddings: expected ({n}, D), got {self.embeddings.shape}", where=self.camera)
        for name in ("kind_shares", "colour_shares"):
            shares = getattr(self, name)
            if shares is not None and len(shares) != n:
                raise InputError(f"{name}: expected {n} rows, got {len(shares)}", where=self.camera)
        if self.whole is not None and len(self.whole) != n:
            raise InputError(f"whole: expected {n} rows, got {len(self.whole)}", where=self.camera)
        if self.changed is not None and self.changed.shape != (n,):
            raise InputError(f"changed: expected ({n},), got {self.changed.shape}", where=self.camera)
        if not np.isfinite(self.time):
            raise InputError(f"the time {self.time} is not finite", where=self.camera)

    def __len__(self) -> int:
        return len(self.kinds)

    @classmethod
    def of(
        cls,
        camera: str,
        time: float,
        boxes: ArrayLike,
        kinds: Sequence[str] | str,
        scores: ArrayLike = 1.0,
        feet: ArrayLike | None = None,
        embeddings: ArrayLike | None = None,
    ) -> "Detections":
        """Build from lists: one class or score may stand for all."""
        array = np.asarray(boxes, dtype=np.float64).reshape(-1, 4)
        n = len(array)
        return cls(
            camera=camera,
            time=float(time),
            boxes=array,
            scores=np.broadcast_to(np.asarray(scores, dtype=np.float64), (n,)).copy(),
            kinds=(kinds,) * n if isinstance(kinds, str) else tuple(kinds),
            feet=np.full((n, 2), np.nan) if feet is None else np.asarray(feet, dtype=np.float64).reshape(-1, 2),
            embeddings=None if embeddings is None else np.asarray(embeddings, dtype=np.float32),
        )

    @classmethod
    def from_supervision(cls, camera: str, time: float, detections: Any) -> "Detections":
        """Take over a ``supervision.Detections``, whose class names are under ``data["class_name"]``."""
        n = len(detections.xyxy)
        names = detections.data.get("class_name")
        kinds = ["object"] * n if names is None else [str(name) for name in names]
        scores = np.ones(n) if detections.confidence is None else detections.confidence
        return cls.of(camera, time, detections.xyxy, kinds, scores)

    def to_supervision(self) -> Any:
        """Return a ``supervision.Detections``, names of kinds under ``data["class_name"]``; they count from 0 as they
        first come up."""
        try:
            import supervision
        except ImportError as error:
            raise MissingExtraError("supervision", "pip install supervision") from error
        numbers = {kind: number for number, kind in enumerate(dict.fromkeys(self.kinds))}
        return supervision.Detections(
            xyxy=self.boxes.astype(np.float32),
            confidence=self.scores.astype(np.float32),
            class_id=np.array([numbers[kind] for kind in self.kinds], dtype=int),
            data={"class_name": np.array(self.kinds, dtype=object)},
        )

    def take(self, index: NDArray[np.int64] | Mask) -> "Detections":
        """Return some of the detections."""
        rows = np.arange(len(self))[index]
        return Detections(
            camera=self.camera,
            time=self.time,
            boxes=self.boxes[rows],
            scores=self.scores[rows],
            kinds=tuple(self.kinds[i] for i in rows.tolist()),
            feet=self.feet[rows],
            embeddings=None if self.embeddings is None else self.embeddings[rows],
            shown=self.shown,
            kind_shares=None if self.kind_shares is None else self.kind_shares.take(rows),
            colour_shares=None if self.colour_shares is None else self.colour_shares.take(rows),
            changed=None if self.changed is None else self.changed[rows],
            whole=None if self.whole is None else self.whole.take(rows),
            stalls=self.stalls,
        )


def usable(detections: Detections, image_size: ArrayLike) -> Mask:
    """Tell which (N,) boxes are finite, have an area and lie at least partly in a picture of (width, height) px."""
    width, height = np.asarray(image_size, dtype=np.float64)
    x1, y1, x2, y2 = detections.boxes.T
    finite = np.isfinite(detections.boxes).all(axis=1) & np.isfinite(detections.scores)
    with np.errstate(invalid="ignore"):
        inside = (x2 - x1 >= 1) & (y2 - y1 >= 1) & (x1 < width) & (y1 < height) & (x2 > 0) & (y2 > 0)
        sane = (np.abs(detections.boxes) < 1e6).all(axis=1)
    return np.asarray(finite & inside & sane)
