"""From pixels to events: detectors, occupancy, identities and events, on real and on rendered pictures.

Each part runs alone (``--people --stalls ...``) and keeps the others' figures. Recordings are rendered into ``--work``,
and kept there; pictures of the worst misses go there too. Networks were not trained on the seeds that are used here.
"""

import argparse
import json
import os
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2

from benchmarks import pixels_gates, pixels_real, pixels_rendered
from benchmarks.protocol import ROOT, describe_machine, run, write_results
from perception.detection.background import BackgroundDetector
from perception.detection.making import make_detector
from perception.detection.onnx_detector import OnnxDetector, OnnxOptions
from perception.detection.protocol import Detector
from perception.detection.tiles import TiledDetector

PARTS = (
    "people", "identities", "stalls", "multiviewx", "meva", "detector", "integers", "garage", "gates", "appearance",
    "speed",
)  # fmt: skip
DETECTORS = ("tiepoint", "tiepoint-fast", "background", "yolox-nano")
LOW_SCORE = 0.05
"""From which detections are asked for: average precision wants unsure ones too; recall and precision are at 0.3."""


def detectors(data: Path, chosen: Sequence[str], *, score: float = LOW_SCORE) -> dict[str, Detector]:
    """Return what is compared: the shipped network, background subtraction, and a network by file."""
    options = OnnxOptions(threads=1, score=score)
    make: dict[str, Callable[[], Detector]] = {
        "tiepoint": lambda: make_detector("tiepoint", options),
        "tiepoint-fast": lambda: make_detector("tiepoint-fast", options),
        "background": BackgroundDetector,
        "yolox-nano": lambda: OnnxDetector(data / "weights" / "yolox_nano.onnx", options),
    }
    return {name: make[name]() for name in DETECTORS if name in chosen}


def main() -> None:
    """Measure what is asked for, or everything; write the results after each part."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data", help="folder of the data sets")
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results" / "pixels.json")
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()) / "tiepoint-pixels")
    parser.add_argument("--seconds", type=float, default=60.0, help="of a recording of the garage")
    parser.add_argument("--fps", type=float, default=5.0, help="of a recording of the garage")
    parser.add_argument("--seeds", type=int, nargs="+", default=[101, 102, 103])
    parser.add_argument("--only", nargs="+", default=list(DETECTORS), help="of the detectors; the others' figures stay")
    for name in PARTS:
        parser.add_argument(f"--{name}", action="store_true")
    arguments, machine = parser.parse_args(), describe_machine()
    machine["command"] = _command(arguments)
    cv2.setNumThreads(1)
    data, work = arguments.data, arguments.work
    networks = [name for name in arguments.only if name != "background"]

    def sure() -> dict[str, Detector]:
        return detectors(data, networks, score=0.3)

    def tiled() -> dict[str, Detector]:
        """Return the network by file in tiles at the score that ``tiepoint track`` asks for: stalls are small there."""
        if "yolox-nano" not in networks:
            return {}
        return {
            "yolox-nano in 2x1 tiles, score 0.15": TiledDetector(detectors(data, networks, score=0.15)["yolox-nano"])
        }

    parts: dict[str, Callable[[], Any]] = {
        "people": lambda: pixels_real.people(data / "pets09_s2l1", detectors(data, arguments.only)),
        "identities": lambda: pixels_real.identities(
            data / "pets09_s2l1", OnnxDetector(data / "weights" / "yolox_nano.onnx", OnnxOptions(threads=1, score=0.1))
        ),
        "stalls": lambda: pixels_real.stalls(data / "pklot30", sure() | tiled()),
        "multiviewx": lambda: pixels_real.multiviewx(data / "multiviewx", sure(), work / "pictures"),
        "meva": lambda: pixels_real.meva(data / "meva", sure(), work / "pictures"),
        "detector": lambda: pixels_rendered.detector(work, arguments.seeds, detectors(data, networks)),
        "integers": lambda: pixels_rendered.integers(work, arguments.seeds, LOW_SCORE),
        "garage": lambda: pixels_rendered.garage(work, arguments.seeds, arguments.seconds, arguments.fps),
        "gates": lambda: pixels_gates.gates(work, arguments.seeds, arguments.seconds, arguments.fps),
        "appearance": lambda: pixels_rendered.appearance(work, arguments.seeds, arguments.seconds, arguments.fps),
        "speed": lambda: pixels_rendered.speed(work, arguments.seeds[0], data),
    }
    asked = [name for name in PARTS if getattr(arguments, name)] or list(PARTS)
    figures: dict[str, Any] = {}
    if arguments.out.is_file():
        figures = {
            name: part for name, part in json.loads(arguments.out.read_text("utf-8")).items() if name != "machine"
        }
    measured = figures.setdefault("measured", {})
    for name in asked:
        by_detector = name in ("people", "stalls", "multiviewx", "meva", "detector")
        before = figures.get(name, {}) if by_detector else {}
        figures[name] = before | parts[name]()
        measured[name] = {key: machine[key] for key in ("date", "commit", "command")} | {"load": os.getloadavg()[0]}
        write_results(arguments.out, figures, machine)


def _command(arguments: argparse.Namespace) -> str:
    """Return what to run again, without folders of this machine."""
    words = [f"--{name}" for name in PARTS if getattr(arguments, name)]
    words += [
        "--seeds",
        *map(str, arguments.seeds),
        "--seconds",
        f"{arguments.seconds:g}",
        "--fps",
        f"{arguments.fps:g}",
    ]
    return " ".join(["python -m benchmarks.pixels", *words])


if __name__ == "__main__":
    run(main)
