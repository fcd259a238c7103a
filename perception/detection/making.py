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

REFINED = "tiepoint"
"""The detector that comes along, both of its stages and a look at vehicles."""
REFINER, VEHICLES = "refiner.onnx", "vehicles.onnx"
SHIPPED = {REFINED: "detector.onnx", "tiepoint-fast": "detector.onnx", "tiepoint-int8": "detector-int8.onnx"}
"""First stages in ``perception/weights``, by the names of the detectors: float, and with 8-bit integers."""
BACKGROUND = "background"
DETECTORS = (*SHIPPED, BACKGROUND)


def habits_of(name: str) -> DetectorHabits | None:
    """Return how a detector errs, None where that was not measured. Raises as ``make_detector``."""
    options = OnnxOptions(threads=1)
    # How both stages err is in the file of the second: the look at vehicles says nothing of that.
    own = _refined(options) if name == REFINED else make_detector(name, options)
    habits: DetectorHabits | None = getattr(own, "habits", None)
    return habits


def make_detector(name: str, options: OnnxOptions | None = None) -> Detector:
    """Return a detector by its name, or by the path of an ONNX file; ``options`` are those of networks.

    Raises ``InputError`` for a name that is neither.
    """
    if name == BACKGROUND:
        return BackgroundDetector()
    if name in SHIPPED:
        if name != REFINED:
            return OnnxDetector(_weights(SHIPPED[name]), options)
        refined = _refined(options)
        return LookingDetector(refined, VehicleLook(_weights(VEHICLES), refined.options))
    path = Path(name)
    if path.suffix.lower() == ".onnx":
        return OnnxDetector(path, options)
    remedy = f"{nearest_known(name, DETECTORS)} Or give the path of an .onnx file."
    raise InputError(f"there is no detector '{name}'", remedy=remedy)


def _refined(options: OnnxOptions | None) -> RefinedDetector:
    return RefinedDetector(_weights(SHIPPED[REFINED]), _weights(REFINER), options)


def _weights(file: str) -> Path:
    return Path(str(files("perception.weights") / file))
