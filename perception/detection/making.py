"""Detectors by name: those that come with Tiepoint, background subtraction, or a network's file."""

from importlib.resources import files
from pathlib import Path

from geometry.errors import InputError, nearest_known
from perception.detection.background import BackgroundDetector
from perception.detection.habits import DetectorHabits
from perception.detection.onnx_detector import OnnxDetector, OnnxOptions
from perception.detection.protocol import Detector
from perception.detection.refined import RefinedDetector
from perception.detection.vehicle_look import LookingDetector, VehicleLook

SHIPPED = {
    "tiepoint": ("detector.onnx", "refiner.onnx", "vehicles.onnx"),
    "tiepoint-int8": ("detector-int8.onnx", "refiner-int8.onnx", "vehicles-int8.onnx"),
    "tiepoint-fast": ("detector.onnx",),
    "tiepoint-fast-int8": ("detector-int8.onnx",),
}
"""Files in ``perception/weights`` of the detectors that come along: a first stage and, where there are, a second and a
look at vehicles; float, and with 8-bit integers."""
BACKGROUND = "background"
DETECTORS = (*SHIPPED, BACKGROUND)


def habits_of(name: str) -> DetectorHabits | None:
    """Return how a detector errs, None where that was not measured. Raises as ``make_detector``."""
    options = OnnxOptions(threads=1)
    # The look at vehicles says nothing of that: it need not be loaded.
    first, *others = (_weights(file) for file in SHIPPED[name]) if name in SHIPPED else (None,)
    own = RefinedDetector(first, others[0], options) if first and others else make_detector(name, options)
    habits: DetectorHabits | None = getattr(own, "habits", None)
    return habits


def make_detector(name: str, options: OnnxOptions | None = None) -> Detector:
    """Return a detector by its name, or by the path of an ONNX file; ``options`` are those of networks.

    Raises ``InputError`` for a name that is neither.
    """
    if name == BACKGROUND:
        return BackgroundDetector()
    if name in SHIPPED:
        first, *others = (_weights(file) for file in SHIPPED[name])
        if not others:
            return OnnxDetector(first, options)
        refiner, vehicles = others
        refined = RefinedDetector(first, refiner, options)
        return LookingDetector(refined, VehicleLook(vehicles, refined.options))
    path = Path(name)
    if path.suffix.lower() == ".onnx":
        return OnnxDetector(path, options)
    remedy = f"{nearest_known(name, DETECTORS)} Or give the path of an .onnx file."
    raise InputError(f"there is no detector '{name}'", remedy=remedy)


def _weights(file: str) -> Path:
    return Path(str(files("perception.weights") / file))
