"""A look at each vehicle that was found, to tell its kind and colour."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from geometry.errors import InputError
from geometry.solids import size_prior
from perception.detection.crop_network import CropNetwork
from perception.detection.floor_below import FloorBelow
from perception.detection.habits import DetectorHabits
from perception.detection.heads.candidates import softmax
from perception.detection.onnx_detector import OnnxOptions
from perception.detection.protocol import Detector, Pixels
from perception.detection.vehicle_numbers import Known, count_numbers, numbers_of
from perception.detection.windows import Array, Shape, Windows, windows_of
from perception.detections import Detections
from perception.shares import MAX_NAME, Shares

OWN_KEY = "tiepoint_vehicles"
SHAPE = Shape(width=128, height=96, context=1.15)
ANY = "vehicle"
"""The class of a vehicle of which a detector says nothing more."""


class VehicleLook:
    """The network, loaded; ``kinds`` and ``colours`` are the names of what it tells apart."""

    def __init__(self, path: Path, options: OnnxOptions) -> None:
        """Load a network that ``training.export`` wrote; ``InputError`` for any other file."""
        self._network = CropNetwork(path, options, SHAPE)
        self.name, self.path = self._network.name, path
        self.kinds, self.colours = _names(self._network.metadata, str(path))
        self._network.expect(count_numbers(len(self.kinds)), len(self.kinds) + len(self.colours))

    def tell(self, picture: Pixels, found: Detections, floor: FloorBelow | None = None) -> tuple[Array, Array]:
        """Return the probabilities of kinds (N, K) and colours (N, C) of N vehicles that were found in a picture.

        What the detector takes them for counts, where it tells shares of the same kinds, in their order. The log-odds
        are means over what is seen and its mirror image.

        picture: (H, W, 3) uint8, RGB; floor: of the camera, None for one that is not calibrated
        """
        windows, numbers = self.asked_about(found, (picture.shape[1], picture.shape[0]), floor)
        told = self._network.ask(picture, windows, numbers, both_ways=True)
        return softmax(told[:, : len(self.kinds)]), softmax(told[:, len(self.kinds) :])

    def asked_about(
        self, found: Detections, size: tuple[int, int], floor: FloorBelow | None = None
    ) -> tuple[Windows, NDArray[np.float32]]:
        """Return where in a picture of a size (width, height) it looks for each vehicle, and the numbers beside it."""
        windows = windows_of(found.boxes, SHAPE)
        return windows, numbers_of(found.boxes, windows.scale, Known.of(found, size, self.kinds, floor))


def _names(metadata: Mapping[str, str], where: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the kinds and the colours that a file says it tells apart."""
    try:
        about = json.loads(metadata[OWN_KEY])
        lists = about["kinds"], about["colours"]
    except (KeyError, ValueError, TypeError) as error:
        raise InputError("it is no look at vehicles that training.export wrote", where=where) from error
    for each in lists:
        words = isinstance(each, list) and all(isinstance(name, str) and 0 < len(name) <= MAX_NAME for name in each)
        if not words or not each or len(set(each)) < len(each):
            raise InputError("kinds and colours are words, one at least, none twice", where=where)
    if any(size_prior(kind).family != "vehicle" for kind in lists[0]):
        raise InputError("one of its kinds is no vehicle", where=where)
    return tuple(lists[0]), tuple(lists[1])


class LookingDetector:
    """A detector whose vehicles are looked at once more, for kind and colour; as long as the other keeps no state, it
    keeps none."""

    def __init__(self, detector: Detector, look: VehicleLook, floors: Mapping[str, FloorBelow] | None = None) -> None:
        """Put a look behind a detector; ``floors`` are those of calibrated cameras, by their ids."""
        self.detector, self.look, self.floors = detector, look, floors or {}
        self.name = f"{detector.name}+{look.name}"

    @property
    def habits(self) -> DetectorHabits | None:
        """How the detector errs, where that is known; boxes and scores are its own."""
        habits: DetectorHabits | None = getattr(self.detector, "habits", None)
        return habits

    def detect(self, picture: Pixels, *, camera: str = "", time: float = 0.0) -> Detections:
        """Find what the detector finds in a picture (H, W, 3) uint8, RGB, and look at vehicles.

        Kinds are the look's where the detector's are among them, or none; what it does not know, as a bus, stays.
        """
        found = self.detector.detect(picture, camera=camera, time=time)
        vehicles = np.flatnonzero([size_prior(kind).family == "vehicle" for kind in found.kinds])
        kinds, colours = self.look.tell(picture, found.take(vehicles), self.floors.get(camera))
        sound = np.isfinite(kinds).all(axis=1) & np.isfinite(colours).all(axis=1)
        vehicles, kinds, colours = vehicles[sound], kinds[sound], colours[sound]
        known = np.array([found.kinds[i] in (*self.look.kinds, ANY) for i in vehicles.tolist()], dtype=np.bool_)
        named = list(found.kinds)
        for row, best in zip(vehicles[known].tolist(), kinds[known].argmax(axis=1).tolist(), strict=True):
            named[row] = self.look.kinds[best]
        return replace(
            found,
            kinds=tuple(named),
            kind_shares=_spread(self.look.kinds, len(found), vehicles[known], kinds[known]),
            colour_shares=_spread(self.look.colours, len(found), vehicles, colours),
        )


def _spread(names: tuple[str, ...], count: int, rows: NDArray[np.int64], values: Array) -> Shares:
    """Return shares of ``count`` things of which some ``rows`` are known."""
    every = np.full((count, len(names)), np.nan)
    every[rows] = values
    return Shares(names=names, values=every)
