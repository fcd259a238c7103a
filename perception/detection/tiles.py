"""Wide views in tiles, so that what is small in them is large enough for a network."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from geometry.errors import InputError
from geometry.solids import size_prior
from perception.detection.protocol import Detector, Pixels, require_picture
from perception.detection.suppression import suppress
from perception.detections import Detections
from perception.shares import Shares
from perception.whole_boxes import WholeBoxes

Array = NDArray[np.float64]

CUT_PX = 2.0
"""A box this near to a tile's inner edge was cut off by it."""


@dataclass(frozen=True, kw_only=True)
class TileOptions:
    """How a picture is cut.

    columns, rows: of tiles; overlap: of neighbours, as a share of a tile, which should be what a large object takes
    whole: also look at the whole picture, for what no tile holds; iou: see ``OnnxOptions``
    """

    columns: int = 2
    rows: int = 1
    overlap: float = 0.25
    whole: bool = True
    iou: float = 0.6

    def __post_init__(self) -> None:
        if not (1 <= self.columns <= 32 and 1 <= self.rows <= 32 and 0 <= self.overlap < 0.9 and 0 < self.iou <= 1):
            raise InputError(f"tile options out of range: {self}")


class TiledDetector:
    """A detector asked for each tile; boxes that an inner edge cuts give way to those that hold the whole object."""

    def __init__(self, detector: Detector, options: TileOptions | None = None) -> None:
        """Take a detector that keeps no state."""
        self.detector, self.options = detector, options or TileOptions()
        self.name = f"{detector.name} in {self.options.columns}x{self.options.rows} tiles"

    def detect(self, picture: Pixels, *, camera: str = "", time: float = 0.0) -> Detections:
        """Find objects in a picture (H, W, 3) uint8, RGB, tile by tile."""
        require_picture(picture)
        height, width = picture.shape[:2]
        parts, cut = [], []
        for x1, y1, x2, y2 in tiles((width, height), self.options):
            found = self.detector.detect(np.ascontiguousarray(picture[y1:y2, x1:x2]), camera=camera, time=time)
            edges = np.array([x1 > 0, y1 > 0, x2 < width, y2 < height])
            gap = np.concatenate([found.boxes[:, :2], np.array([x2 - x1, y2 - y1]) - found.boxes[:, 2:]], axis=1)
            cut.append(((gap < CUT_PX) & edges).any(axis=1))
            corner = np.array([x1, y1], dtype=np.float64)
            whole = None if found.whole is None else _within(found.whole, (x2 - x1, y2 - y1), edges).moved(corner)
            parts.append(replace(found, boxes=found.boxes + np.tile(corner, 2), feet=found.feet + corner, whole=whole))
        joined, is_cut = _joined(parts), np.concatenate(cut)
        if self.options.whole:
            # What is cut is in the neighbour, or, where it is too large for that, in the whole picture.
            joined = joined.take(~is_cut)
        groups = [size_prior(kind).family for kind in joined.kinds]
        return joined.take(suppress(joined.boxes, joined.scores, groups, self.options.iou))


def _within(whole: WholeBoxes, size: tuple[int, int], edges: NDArray[np.bool_]) -> WholeBoxes:
    """Return whole boxes of a tile, NaN for those that may go on beyond an inner edge."""
    gap = np.concatenate([whole.boxes[:, :2], np.array(size) - whole.boxes[:, 2:]], axis=1)
    with np.errstate(invalid="ignore"):
        cut = np.asarray((gap < CUT_PX) & edges).any(axis=1, keepdims=True)
    return WholeBoxes(boxes=np.where(cut, np.nan, whole.boxes), sigma=np.where(cut, np.nan, whole.sigma))


def tiles(size: tuple[int, int], options: TileOptions) -> list[tuple[int, int, int, int]]:
    """Return the tiles (x1, y1, x2, y2) px of a picture (width, height), the whole one last if asked for."""

    def spans(length: int, count: int) -> list[tuple[int, int]]:
        tile = min(length, int(np.ceil(length / (count - (count - 1) * options.overlap))))
        starts = np.linspace(0, length - tile, count).round().astype(int).tolist()
        return [(start, start + tile) for start in starts]

    across, down = spans(size[0], options.columns), spans(size[1], options.rows)
    found = [(x1, y1, x2, y2) for y1, y2 in down for x1, x2 in across]
    whole = (0, 0, *size)
    return [*found, whole] if options.whole and whole not in found else found


def _joined(parts: list[Detections]) -> Detections:
    """Return the detections of several pictures of one frame as one."""

    def shares(name: str) -> Shares | None:
        given = [getattr(part, name) for part in parts]
        if any(each is None for each in given):
            return None
        return Shares(names=given[0].names, values=np.concatenate([each.values for each in given]))

    whole = [part.whole for part in parts if part.whole is not None]
    return Detections(
        camera=parts[0].camera,
        time=parts[0].time,
        boxes=np.concatenate([part.boxes for part in parts]),
        scores=np.concatenate([part.scores for part in parts]),
        kinds=tuple(kind for part in parts for kind in part.kinds),
        feet=np.concatenate([part.feet for part in parts]),
        kind_shares=shares("kind_shares"),
        colour_shares=shares("colour_shares"),
        whole=WholeBoxes.joined(whole) if len(whole) == len(parts) else None,
    )
