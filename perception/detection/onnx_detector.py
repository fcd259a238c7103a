"""Detection by any ONNX file of a known layout, through ONNX Runtime and whatever it can execute on."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from geometry.errors import InputError, nearest_known
from geometry.solids import size_prior
from perception.detection.classes import COCO, kinds_of, names_in
from perception.detection.habits import DetectorHabits
from perception.detection.heads import HEADS, Candidates, layouts
from perception.detection.heads.own import OwnHead
from perception.detection.preparing import Preparation, place
from perception.detection.protocol import Pixels, require_picture
from perception.detection.suppression import suppress
from perception.detections import Detections
from perception.onnx_network import CPU, OnnxNetwork, onnxruntime
from perception.shares import Shares

MAX_SIDE = 4096
OWN_KEY = "tiepoint_detector"
AT_LEAST_PX = 1.0
USUAL_IOU = 0.6


@dataclass(frozen=True, kw_only=True)
class OnnxOptions:
    """How an ONNX detector is run.

    score: boxes below are dropped
    iou: of boxes that overlap by more, one stays; None for what the network says of itself, else ``USUAL_IOU``
    among: those of one class, or of one family (vehicles, people), so that no object is a car and a truck
    most: boxes a picture
    providers: what ONNX Runtime may execute on, best first, see ``available_providers``
    threads: of ONNX Runtime, 0 for as many as there are cores
    size: (height, width) of the input, where the network leaves it open
    layout: one of ``HEADS``, None to tell it by the outputs' shapes; preparation: None for what the layout usually asks
    names: the network's classes in their order, None for those in the file, or COCO's where there are 80
    classes: of which class to make what kind, None for all whose name means a kind
    """

    score: float = 0.3
    iou: float | None = None
    among: Literal["class", "family"] = "family"
    most: int = 300
    providers: tuple[str, ...] = (CPU,)
    threads: int = 0
    size: tuple[int, int] | None = None
    layout: str | None = None
    preparation: Preparation | None = None
    names: tuple[str, ...] | None = None
    classes: Mapping[str, str] | None = None

    def __post_init__(self) -> None:
        iou = USUAL_IOU if self.iou is None else self.iou
        if not (0 < self.score < 1 and 0 < iou <= 1 and self.most >= 1 and 0 <= self.threads <= 1024):
            raise InputError(f"detector options out of range: {self}")
        if self.layout is not None and self.layout not in HEADS:
            raise InputError(f"there is no layout '{self.layout}'", remedy=nearest_known(self.layout, HEADS))
        if self.size is not None and not all(32 <= side <= MAX_SIDE for side in self.size):
            raise InputError(f"sides of an input are 32 to {MAX_SIDE} px, got {self.size}")


def available_providers() -> tuple[str, ...]:
    """Return what the installed ONNX Runtime can execute on, by its own names, best first."""
    return tuple(onnxruntime().get_available_providers())


class OnnxDetector:
    """A network, loaded. ``name`` is its file's name with a hash of its content."""

    def __init__(self, path: Path, options: OnnxOptions | None = None) -> None:
        """Load a network and try it once.

        Raises ``InputError`` for a file that is no detector of a known layout, and for providers that are not there or
        can't run it.
        """
        self.options = options = options or OnnxOptions()
        self.path = path
        network = load_network(path, options)
        self.name, self._session, self._told = network.name, network.session, network.metadata
        self._own = self._describe_own()
        self._input, self._sizes_input, self._size = self._inputs()
        outputs = self._run(np.zeros((1, 3, *self._size_for((480, 640))), dtype=np.float32))
        shapes, size = [tuple(output.shape) for output in outputs], self._size_for((480, 640))
        names = options.names or (self._own and tuple(self._own["kinds"])) or names_in(self._told)
        layout = options.layout or (OwnHead.name if self._own else _layout(shapes, size, names, str(path)))
        self._head = HEADS[layout]
        count = self._head.classes(shapes, size)
        if count is None:
            raise InputError(f"outputs {shapes} are not laid out as {layout}", where=str(path))
        if names is None and count in (0, len(COCO)):
            names = COCO
        if names is None or count not in (0, len(names)):
            told = "no names" if names is None else f"{len(names)} names"
            raise InputError(
                f"the network has {count} classes and there are {told} for them", where=str(path), remedy="Give names."
            )
        self.layout, self.names = layout, names
        self.kinds = kinds_of(names, options.classes)
        self.preparation = options.preparation or self._head.preparation
        own_iou = float((self._own or {}).get("iou", USUAL_IOU))
        self._iou = own_iou if options.iou is None else options.iou

    @property
    def habits(self) -> DetectorHabits | None:
        """How it errs, where the file says so."""
        return DetectorHabits.of(self._own["habits"]) if self._own and "habits" in self._own else None

    @property
    def providers(self) -> tuple[str, ...]:
        """What the network is executed on."""
        return tuple(self._session.get_providers())

    def detect(self, picture: Pixels, *, camera: str = "", time: float = 0.0) -> Detections:
        """Find vehicles and people in a picture (H, W, 3) uint8, RGB; best first."""
        require_picture(picture)
        height, width = picture.shape[:2]
        size = self._size_for((height, width))
        placed = place(picture, size, self.preparation)
        found = self._head.decode(self._run(placed.values), size, len(self.names))
        chosen = self._own_choice(found) if self._own else self._choice(found)
        boxes = placed.boxes_in_picture(found.boxes[chosen.rows])
        boxes = np.clip(boxes, 0, np.array([width, height, width, height], dtype=np.float64))
        good = (boxes[:, 2:] - boxes[:, :2] >= AT_LEAST_PX).all(axis=1) & np.isfinite(boxes).all(axis=1)
        boxes, scores, kinds = boxes[good], chosen.scores[good], [chosen.kinds[i] for i in np.flatnonzero(good)]
        by_family = self.options.among == "family"
        groups = [size_prior(kind).family for kind in kinds] if by_family else kinds
        kept = suppress(boxes, scores, groups, self._iou, self.options.most)
        shares = None if chosen.shares is None else Shares(names=self._vehicles, values=chosen.shares[good][kept])
        found_kinds = [kinds[i] for i in kept.tolist()]
        feet = None if found.feet is None else placed.points_in_picture(found.feet[chosen.rows])[good][kept]
        result = Detections.of(camera, time, boxes[kept], found_kinds, np.clip(scores[kept], 0, 1), feet)
        return replace(result, kind_shares=shares)

    @property
    def _vehicles(self) -> tuple[str, ...]:
        return tuple(self.names)

    def _choice(self, found: Candidates) -> "_Chosen":
        """Choose rows by the best of the classes that mean a kind."""
        mapped = [i for i, kind in enumerate(self.kinds) if kind]
        scores = found.scores[:, mapped]
        best = scores.argmax(axis=1)
        top = scores[np.arange(len(scores)), best]
        rows = np.flatnonzero(top >= self.options.score)
        return _Chosen(rows, top[rows], [str(self.kinds[mapped[i]]) for i in best[rows]], None)

    def _own_choice(self, found: Candidates) -> "_Chosen":
        """Choose rows by family, then a vehicle's kind."""
        assert found.kinds is not None
        best = found.scores.argmax(axis=1)
        top = found.scores[np.arange(len(best)), best]
        rows = np.flatnonzero(top >= self.options.score)
        shares = np.where(best[rows, None] == 0, found.kinds[rows], np.nan)
        likeliest = found.kinds[rows].argmax(axis=1)
        kinds = [
            self.names[k] if family == 0 else "person" for k, family in zip(likeliest, best[rows].tolist(), strict=True)
        ]
        return _Chosen(rows, top[rows], kinds, shares)

    def _run(self, values: NDArray[np.float32]) -> list[NDArray[np.generic]]:
        feed: dict[str, Any] = {self._input: values}
        if self._sizes_input:
            feed[self._sizes_input] = np.array([values.shape[:1:-1]], dtype=np.int64)
        try:
            return [np.asarray(each) for each in self._session.run(None, feed)]
        except Exception as error:  # onnxruntime raises its own kinds
            raise InputError(f"the network can't be run ({error})", where=str(self.path)) from error

    def _describe_own(self) -> dict[str, Any] | None:
        """Return what a network of ours says of itself."""
        text = self._told.get(OWN_KEY)
        if text is None:
            return None
        try:
            content = json.loads(text)
            kinds, longest, iou = content["kinds"], content["longest_px"], content.get("iou", USUAL_IOU)
            if not (all(isinstance(kind, str) for kind in kinds) and 64 <= longest <= MAX_SIDE and 0 < iou <= 1):
                raise ValueError("kinds are words, longest_px is a size, iou is above 0 and at most 1")
        except (ValueError, KeyError, TypeError) as error:
            raise InputError(f"its own description can't be read ({error})", where=str(self.path)) from error
        return dict(content)

    def _inputs(self) -> tuple[str, str | None, tuple[int, int] | None]:
        """Return the names of the picture's input and of one for its size, and the size, None where any will do."""
        inputs = self._session.get_inputs()
        pictures = [each for each in inputs if len(each.shape) == 4]
        sizes = [each.name for each in inputs if len(each.shape) == 2 and each.type == "tensor(int64)"]
        if len(pictures) != 1 or len(inputs) != 1 + len(sizes) or len(sizes) > 1 or pictures[0].type != "tensor(float)":
            told = [(each.name, each.shape, each.type) for each in inputs]
            raise InputError(f"takes {told}, not one float picture (1, 3, height, width)", where=str(self.path))
        height, width = pictures[0].shape[2:]
        fixed = (height, width) if isinstance(height, int) and isinstance(width, int) else None
        if fixed is not None and not all(1 <= side <= MAX_SIDE for side in fixed):
            raise InputError(f"takes pictures of {fixed} px, at most {MAX_SIDE}", where=str(self.path))
        if fixed and self.options.size and fixed != self.options.size:
            raise InputError(f"takes {fixed}, not {self.options.size} px", where=str(self.path))
        return pictures[0].name, sizes[0] if sizes else None, fixed

    def _size_for(self, picture: tuple[int, int]) -> tuple[int, int]:
        """Return the input's (height, width) for a picture's: ours takes its shape, others are square if left open."""
        if self._size or self.options.size:
            return self._size or self.options.size or (0, 0)
        if not self._own:
            return (640, 640)
        factor = self._own["longest_px"] / max(picture)
        height, width = (max(32, int(np.ceil(side * factor / 32 - 1e-6)) * 32) for side in picture)
        return height, width


@dataclass(frozen=True, eq=False)
class _Chosen:
    rows: NDArray[np.int64]
    scores: NDArray[np.float64]
    kinds: list[str]
    shares: NDArray[np.float64] | None


def load_network(path: Path, options: OnnxOptions) -> OnnxNetwork:
    """Load a network for the providers that options name; ``InputError`` for any that is not there or refuses it."""
    there = available_providers()
    for provider in options.providers:
        if provider not in there:
            raise InputError(
                f"ONNX Runtime here can't execute on '{provider}'",
                remedy=f"It can on {', '.join(there)}; others need another build of onnxruntime.",
            )
    network = OnnxNetwork(path, providers=options.providers, threads=options.threads)
    missing = [provider for provider in options.providers if provider not in network.session.get_providers()]
    if missing:
        raise InputError(f"{', '.join(missing)} refused the network", where=str(path), remedy="Leave it out.")
    return network


def _layout(shapes: Sequence[tuple[int, ...]], size: tuple[int, int], names: Sequence[str] | None, where: str) -> str:
    """Return the one layout that fits; an error that tells what was seen where none or several do."""
    fitting = layouts(shapes, size, len(names) if names else None)
    if len(fitting) > 1 and names is None:
        fitting = layouts(shapes, size, len(COCO)) or fitting
    if len(fitting) != 1:
        known = ", ".join(fitting or HEADS)
        told = "may be several layouts" if fitting else "are of no known layout"
        raise InputError(f"outputs of shapes {list(shapes)} {told}", where=where, remedy=f"Name one of: {known}.")
    return fitting[0]
