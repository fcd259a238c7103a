"""A look at each vehicle that was found, to tell its kind and colour."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from geometry.errors import InputError
from geometry.solids import size_prior
from perception.detection.habits import DetectorHabits
from perception.detection.heads.candidates import softmax
from perception.detection.onnx_detector import OnnxOptions, load_network
from perception.detection.protocol import Detector, Pixels
from perception.detection.windows import Array, Shape, Windows, cut, windows_of
from perception.detections import Detections
from perception.shares import Shares

OWN_KEY = "tiepoint_vehicles"
SHAPE = Shape(width=128, height=96, context=1.15)
NUMBERS = 2
AT_ONCE = 32


def numbers_of(boxes: Array, windows: Windows) -> NDArray[np.float32]:
    """Return what the pixels of crops of boxes (N, 4) don't tell, (N, NUMBERS): their scales, and the boxes' shapes."""
    sides = np.maximum(boxes[:, 2:] - boxes[:, :2], 1.0)
    return np.column_stack([np.log(windows.scale), np.log(sides[:, 0] / sides[:, 1])]).astype(np.float32)


class VehicleLook:
    """The network, loaded; ``kinds`` and ``colours`` are the names of what it tells apart."""

    def __init__(self, path: Path, options: OnnxOptions) -> None:
        """Load a network that ``training.export`` wrote; ``InputError`` for any other file."""
        network = load_network(path, options)
        self.name, self.path, self._session = network.name, path, network.session
        self.kinds, self.colours = _names(network.metadata, str(path))
        asked = {each.name: each.shape[1:] for each in self._session.get_inputs()}
        if asked != {"pictures": [3, SHAPE.height, SHAPE.width], "numbers": [NUMBERS]}:
            raise InputError(f"takes {asked}, not crops and {NUMBERS} numbers", where=str(path))
        told = self._ask(np.zeros((2, SHAPE.height, SHAPE.width, 3), np.uint8), np.zeros((2, NUMBERS), np.float32))
        if told.shape != (2, width := len(self.kinds) + len(self.colours)):
            raise InputError(f"answers {told.shape} to two crops, not {width} numbers each", where=str(path))

    def tell(self, picture: Pixels, boxes: Array) -> tuple[Array, Array]:
        """Return the probabilities of kinds (N, K) and colours (N, C) of vehicles in boxes (N, 4) of a picture.

        picture: (H, W, 3) uint8, RGB
        """
        windows = windows_of(boxes, SHAPE)
        numbers, parts = numbers_of(boxes, windows), [np.zeros((0, len(self.kinds) + len(self.colours)))]
        for start in range(0, len(boxes), AT_ONCE):
            some = slice(start, start + AT_ONCE)
            own = Windows(windows.middle[some], windows.scale[some])
            parts.append(self._ask(cut(picture, own, SHAPE), numbers[some]))
        told = np.concatenate(parts)
        return softmax(told[:, : len(self.kinds)]), softmax(told[:, len(self.kinds) :])

    def _ask(self, crops: NDArray[np.uint8], numbers: NDArray[np.float32]) -> Array:
        """Return the network's log-odds (N, K + C) about crops (N, H, W, 3)."""
        pictures = np.ascontiguousarray(crops.transpose(0, 3, 1, 2), dtype=np.float32) / 255
        try:
            told = self._session.run(None, {"pictures": pictures, "numbers": numbers})[0]
        except Exception as error:  # onnxruntime raises its own kinds
            raise InputError(f"the network can't be run ({error})", where=str(self.path)) from error
        return np.asarray(told, dtype=np.float64)


def _names(metadata: Mapping[str, str], where: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the kinds and the colours that a file says it tells apart."""
    try:
        about = json.loads(metadata[OWN_KEY])
        lists = about["kinds"], about["colours"]
    except (KeyError, ValueError, TypeError) as error:
        raise InputError("it is no look at vehicles that training.export wrote", where=where) from error
    for each in lists:
        if not (isinstance(each, list) and each and all(isinstance(name, str) for name in each)):
            raise InputError("kinds and colours are words, one at least", where=where)
    return tuple(lists[0]), tuple(lists[1])


class LookingDetector:
    """A detector whose vehicles are looked at once more, for kind and colour; as long as the other keeps no state, it
    keeps none."""

    def __init__(self, detector: Detector, look: VehicleLook) -> None:
        """Put a look behind a detector."""
        self.detector, self.look = detector, look
        self.name = f"{detector.name}+{look.name}"

    @property
    def habits(self) -> DetectorHabits | None:
        """How the detector errs, where that is known; boxes and scores are its own."""
        habits: DetectorHabits | None = getattr(self.detector, "habits", None)
        return habits

    def detect(self, picture: Pixels, *, camera: str = "", time: float = 0.0) -> Detections:
        """Find what the detector finds in a picture (H, W, 3) uint8, RGB; kinds of vehicles are the look's."""
        found = self.detector.detect(picture, camera=camera, time=time)
        vehicles = np.flatnonzero([size_prior(kind).family == "vehicle" for kind in found.kinds])
        told = self.look.tell(picture, found.boxes[vehicles])
        shares = []
        for names, values in zip((self.look.kinds, self.look.colours), told, strict=True):
            every = np.full((len(found), len(names)), np.nan)
            every[vehicles] = values
            shares.append(Shares(names=names, values=every))
        kinds = list(found.kinds)
        for row, best in zip(vehicles.tolist(), told[0].argmax(axis=1).tolist(), strict=True):
            kinds[row] = self.look.kinds[best]
        return replace(found, kinds=tuple(kinds), kind_shares=shares[0], colour_shares=shares[1])
