"""Detectors by name: the one that comes with Tiepoint, background subtraction, or a network's file."""

from importlib.resources import as_file, files
from pathlib import Path

from geometry.errors import InputError, nearest_known
from perception.detection.background import BackgroundDetector
from perception.detection.habits import DetectorHabits
from perception.detection.onnx_detector import OnnxDetector, OnnxOptions
from perception.detection.protocol import Detector

SHIPPED = {"tiepoint": "detector.onnx", "tiepoint-int8": "detector-int8.onnx"}
"""Names of the networks in ``perception/weights``, float and with 8-bit integers."""
BACKGROUND = "background"
DETECTORS = (*SHIPPED, BACKGROUND)


def habits_of(name: str) -> DetectorHabits | None:
    """Return how a detector errs, None where that was not measured. Raises as ``make_detector``."""
    detector = make_detector(name, OnnxOptions(threads=1))
    return detector.habits if isinstance(detector, OnnxDetector) else None


def make_detector(name: str, options: OnnxOptions | None = None) -> Detector:
    """Return a detector by its name, or by the path of an ONNX file; ``options`` are those of networks.

    Raises ``InputError`` for a name that is neither.
    """
    if name == BACKGROUND:
        return BackgroundDetector()
    if name in SHIPPED:
        with as_file(files("perception.weights") / SHIPPED[name]) as path:
            return OnnxDetector(path, options)
    path = Path(name)
    if path.suffix.lower() == ".onnx":
        return OnnxDetector(path, options)
    remedy = f"{nearest_known(name, DETECTORS)} Or give the path of an .onnx file."
    raise InputError(f"there is no detector '{name}'", remedy=remedy)
