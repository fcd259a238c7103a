"""The detector that comes along with 8-bit integers: all three networks of it, beside the float ones.

    python -m training.integers perception/weights --pictures PICTURES --held-out OTHERS

Ranges of values come from some of the training pictures, as each network is asked about them. How the detectors err
with integers is measured on pictures that were held out and written into the files; how long their errors last is
taken over.
"""

import argparse
import json
import logging
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, replace
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnxruntime import quantization

from geometry.errors import InputError
from geometry.solids import size_prior
from perception.detection.close_crops import CLOSE
from perception.detection.crop_network import AT_ONCE, feed_of
from perception.detection.habits import DetectorHabits
from perception.detection.onnx_detector import OWN_KEY as DETECTOR_KEY
from perception.detection.onnx_detector import OnnxDetector, OnnxOptions
from perception.detection.preparing import Preparation, place
from perception.detection.protocol import Detector, Pixels
from perception.detection.refined import OWN_KEY as REFINER_KEY
from perception.detection.refined import RefinedDetector, asked_about
from perception.detection.vehicle_look import SHAPE, VehicleLook
from perception.detection.windows import cut
from perception.images import read_image
from training.export import LONGEST_PX, describe, describe_refiner
from training.habits import LEAST_SCORE, measure
from training.labelled import Labelled, read_labelled

PICTURES = 120
"""Of those given, which ranges of values come from."""
USUAL_SCORE = 0.15
"""Of boxes that are looked at for kinds, as ``tiepoint track`` asks where a network does not say."""
INTEGERS = ("Conv", "Add", "Relu", "Clip")
Feed = dict[str, NDArray[np.float32]]


def main() -> None:
    """Quantize all three, measure the two that find things."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("weights", type=Path, help="folder of the float networks, and of what is written")
    parser.add_argument("--pictures", type=Path, nargs="+", required=True)
    parser.add_argument("--held-out", type=Path, nargs="+", required=True)
    arguments = parser.parse_args()
    # It warns of every layer that stays as it is.
    logging.getLogger().setLevel(logging.ERROR)
    held_out = read_labelled(arguments.held_out)
    files = {name: arguments.weights / f"{name}.onnx" for name in ("detector", "refiner", "vehicles")}
    smaller = {name: file.with_name(f"{name}-int8.onnx") for name, file in files.items()}
    options = OnnxOptions(threads=1, score=USUAL_SCORE)
    both = RefinedDetector(files["detector"], files["refiner"], options)
    look = VehicleLook(files["vehicles"], options)
    chosen = _chosen(arguments.pictures)
    quantize(files["detector"], smaller["detector"], (detector_feed(pixels) for pixels in _read(chosen)))
    quantize(files["refiner"], smaller["refiner"], (refiner_feed(both, pixels) for pixels in _read(chosen)))
    quantize(files["vehicles"], smaller["vehicles"], (vehicle_feed(both, look, pixels) for pixels in _read(chosen)))
    describe_detector(files["detector"], smaller["detector"], held_out)
    lasting = persistence(both.habits)

    def habits(detector: Detector) -> DetectorHabits:
        return replace(measure(detector, held_out), **lasting)

    describe_refiner(smaller["detector"], smaller["refiner"], said(files["refiner"], REFINER_KEY), held_out, habits)
    for file in smaller.values():
        print(f"{file}: {file.stat().st_size / 1e6:.2f} MB")


def describe_detector(path: Path, smaller: Path, held_out: Sequence[Labelled]) -> None:
    """Write into the first stage's file what the float one says, with habits of its own."""
    detector = OnnxDetector(smaller, OnnxOptions(threads=1, score=LEAST_SCORE))
    lasting = persistence(OnnxDetector(path, OnnxOptions(threads=1)).habits)
    about = said(path, DETECTOR_KEY) | {"habits": asdict(replace(measure(detector, held_out), **lasting))}
    describe(smaller, {DETECTOR_KEY: json.dumps(about)})


def said(path: Path, key: str) -> dict[str, Any]:
    """Return what a network's file says of it."""
    told = {entry.key: entry.value for entry in onnx.load(str(path)).metadata_props}
    return dict(json.loads(told[key]))


def persistence(habits: DetectorHabits | None) -> dict[str, float]:
    """Return how long errors last as a field of habits, nothing where it isn't told."""
    return {} if habits is None else {"persist_s": habits.persist_s}


def quantize(path: Path, out: Path, feeds: Iterable[Feed]) -> None:
    """Write a network with weights and activations as 8-bit integers, what answers as it is.

    Raises ``InputError`` where there is nothing that it is asked about.
    """
    asked = (feed for feed in feeds if all(len(values) for values in feed.values()))
    first = next(asked, None)
    if first is None:
        raise InputError("no picture shows anything", where=str(path), remedy="Give --pictures with vehicles.")
    every = chain([first], asked)

    class Reader(quantization.CalibrationDataReader):
        def get_next(self) -> Feed | None:
            return next(every, None)

    with tempfile.TemporaryDirectory() as temporary:
        prepared, integers = Path(temporary) / path.name, Path(temporary) / out.name
        quantization.shape_inference.quant_pre_process(str(path), str(prepared), skip_symbolic_shape=True)
        graph = onnx.load(str(prepared)).graph
        kept = [node.name for node in graph.node if node.op_type == "Conv"][-1:]
        kept += [node.name for node in graph.node if node.op_type == "Conv" and "/out" in node.name]
        quantization.quantize_static(
            str(prepared), str(integers), Reader(), quant_format=quantization.QuantFormat.QDQ, per_channel=True,
            activation_type=quantization.QuantType.QUInt8, weight_type=quantization.QuantType.QInt8,
            nodes_to_exclude=sorted(set(kept)), op_types_to_quantize=list(INTEGERS),
        )  # fmt: skip
        describe(integers, {entry.key: entry.value for entry in onnx.load(str(path)).metadata_props})
        shutil.copyfile(integers, out)


def detector_feed(pixels: Pixels) -> Feed:
    """Return what the first stage is given of a picture (H, W, 3)."""
    height = int(np.ceil(pixels.shape[0] * LONGEST_PX / max(pixels.shape[:2]) / 32) * 32)
    return {"pictures": place(pixels, (height, LONGEST_PX), Preparation(fit="corner")).values}


def refiner_feed(both: RefinedDetector, pixels: Pixels) -> Feed:
    """Return what the second stage is given of a picture: the best boxes of the first."""
    windows, numbers = asked_about(both.detector.detect(pixels))
    some = slice(0, AT_ONCE)
    return feed_of(cut(pixels, windows.take(some), CLOSE), numbers[some])


def vehicle_feed(both: RefinedDetector, look: VehicleLook, pixels: Pixels) -> Feed:
    """Return what the look at vehicles is given of a picture."""
    found = both.detect(pixels)
    found = found.take(np.flatnonzero([size_prior(kind).family == "vehicle" for kind in found.kinds])[:AT_ONCE])
    windows, numbers = look.asked_about(found, (pixels.shape[1], pixels.shape[0]))
    return feed_of(cut(pixels, windows, SHAPE), numbers)


def _chosen(folders: Sequence[Path]) -> list[Path]:
    files = sorted(file for folder in folders for file in folder.glob("*.jpg"))
    picks = np.random.default_rng(0).permutation(len(files))[:PICTURES]
    return [files[i] for i in picks.tolist()]


def _read(files: Sequence[Path]) -> Iterator[Pixels]:
    return (read_image(file).pixels for file in files)


if __name__ == "__main__":
    main()
