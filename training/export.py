"""Trained weights to ONNX, and to 8-bit integers.

    python -m training.export detector detector.pt --pictures PICTURES --out perception/weights

Statistics for the integers come from some of the training pictures, prepared as ``OnnxDetector`` prepares them.
"""

import argparse
import json
import logging
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnxruntime import quantization
from torch import nn

from geometry.errors import InputError
from perception.appearance.network import OWN_KEY as APPEARANCE_KEY
from perception.appearance.network import SIZE as CROP_SIZE
from perception.appearance.network import prepare_crop
from perception.detection.close_crops import CLOSE, NUMBERS
from perception.detection.habits import DetectorHabits
from perception.detection.onnx_detector import OWN_KEY as DETECTOR_KEY
from perception.detection.onnx_detector import OnnxDetector, OnnxOptions
from perception.detection.preparing import Preparation, place
from perception.detection.protocol import Detector as AnyDetector
from perception.detection.refined import OWN_KEY as REFINER_KEY
from perception.detection.refined import RefinedDetector
from perception.detection.vehicle_look import OWN_KEY as VEHICLES_KEY
from perception.detection.vehicle_look import SHAPE as VEHICLE_SHAPE
from perception.detection.vehicle_numbers import count_numbers
from perception.occupancy.network import OWN_KEY as STALLS_KEY
from perception.occupancy.stall_crops import CHANNELS, HEIGHT_PX, WIDTH_PX
from training.appearance_network import Appearance
from training.colours import COLOURS
from training.detector_network import KINDS, Detector
from training.habits import LEAST_SCORE, measure, sigmas
from training.labelled import read_labelled
from training.persistence import measure_persistence
from training.refiner_network import RefinerNetwork
from training.stall_network import StallNetwork
from training.stalls import judge, read_looks
from training.vehicle_network import VehicleNetwork

LONGEST_PX = 640
IOU = 0.5
"""Above which boxes are one object: of 0.45 to 0.75 about the best on a world that was held out, see docs/models.md."""
PROPOSALS, PROPOSALS_IOU, FINAL_IOU = 0.2, 0.6, 0.5
"""Of a refiner: see ``perception.detection.refined.About``."""
OPSET = 17
CALIBRATION = 120

Feed = dict[str, NDArray[np.float32]]


def main() -> None:
    """Export one network."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("network", choices=("detector", "refiner", "vehicles", "appearance", "stalls"))
    parser.add_argument("weights", type=Path)
    parser.add_argument("--pictures", type=Path, nargs="*", default=[], help="without them there are no integers")
    parser.add_argument(
        "--held-out", type=Path, nargs="*", default=[], help="pictures by which its habits are measured"
    )
    parser.add_argument("--detector", type=Path, help="of a refiner: the first stage's file")
    parser.add_argument("--recording", type=Path, help="rendered scene with fixed cameras: how long its errors last")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    if arguments.recording and not arguments.held_out:
        raise InputError("how long errors last is one of the habits", remedy="Give --held-out too.")
    state = torch.load(arguments.weights, weights_only=True)
    if arguments.network == "detector":
        about: dict[str, Any] = {"kinds": list(KINDS), "longest_px": LONGEST_PX, "iou": IOU}
        path = arguments.out / "detector.onnx"
        network: nn.Module = Detector()
        network.load_state_dict(state)
        example = torch.zeros(1, 3, 480, LONGEST_PX)
        export(network, example, path, {DETECTOR_KEY: json.dumps(about)}, ["rows"], sizes_vary=True)
        feeds = (_detector_feed(file) for file in _chosen(arguments.pictures))
    elif arguments.network == "refiner":
        export_refiner(state, arguments)
        return
    elif arguments.network == "vehicles":
        export_vehicles(state, arguments.out / "vehicles.onnx")
        return
    elif arguments.network == "stalls":
        path = arguments.out / "stalls.onnx"
        network = StallNetwork()
        network.load_state_dict(state)
        if not arguments.held_out:
            raise InputError("its log-odds are calibrated on pictures that were held out", remedy="Give --held-out.")
        slope = judge(network.eval(), read_looks(arguments.held_out))["slope"]
        example = torch.zeros(1, CHANNELS, HEIGHT_PX, WIDTH_PX)
        export(network, example, path, {STALLS_KEY: json.dumps({"slope": slope})}, ["log_odds"])
        feeds = (_crop_feed(file) for file in list[Path]())
    else:
        about = {"kinds": [*KINDS, "person"], "colours": list(COLOURS)}
        path = arguments.out / "appearance.onnx"
        network = Appearance()
        network.load_state_dict(state)
        outputs = ["embedding", "kinds", "colours"]
        export(network, torch.zeros(1, 3, *CROP_SIZE), path, {APPEARANCE_KEY: json.dumps(about)}, outputs)
        feeds = (_crop_feed(file) for file in _chosen(arguments.pictures))
    print(f"{path}: {path.stat().st_size / 1e6:.2f} MB")
    if arguments.held_out and arguments.network == "detector":
        habits = measured_habits(OnnxDetector(path, OnnxOptions(threads=1, score=LEAST_SCORE)), arguments)
        describe(path, {DETECTOR_KEY: json.dumps(about | {"habits": asdict(habits)})})
    if arguments.pictures and arguments.network == "detector":
        smaller = path.with_name(path.stem + "-int8.onnx")
        quantize(path, smaller, feeds)
        print(f"{smaller}: {smaller.stat().st_size / 1e6:.2f} MB")


def export_refiner(state: dict[str, torch.Tensor], arguments: argparse.Namespace) -> None:
    """Write a detector's second stage, and how both together err on pictures that were held out."""
    if not (arguments.detector and arguments.held_out):
        raise InputError("how sure its sides are is measured", remedy="Give --detector and --held-out.")
    network = RefinerNetwork()
    network.load_state_dict(state)
    path = arguments.out / "refiner.onnx"
    about: dict[str, Any] = {"kinds": list(KINDS), "proposals": PROPOSALS, "iou": PROPOSALS_IOU, "final_iou": FINAL_IOU}
    example = torch.zeros(1, 3, CLOSE.height, CLOSE.width), torch.zeros(1, NUMBERS)
    export(network, example, path, {REFINER_KEY: json.dumps(about)}, ["rows"], inputs=["pictures", "numbers"])

    def both() -> RefinedDetector:
        return RefinedDetector(arguments.detector, path, OnnxOptions(threads=1, score=LEAST_SCORE))

    pictures = read_labelled(arguments.held_out)
    detector = both()
    about |= sigmas([detector.detect(picture.pixels) for picture in pictures], pictures)
    describe(path, {REFINER_KEY: json.dumps(about)})
    about["habits"] = asdict(measured_habits(both(), arguments))
    describe(path, {REFINER_KEY: json.dumps(about)})
    print(f"{path}: {path.stat().st_size / 1e6:.2f} MB")
    print(json.dumps(about))


def export_vehicles(state: dict[str, torch.Tensor], path: Path) -> None:
    """Write the network that looks at vehicles."""
    network = VehicleNetwork()
    network.load_state_dict(state)
    example = torch.zeros(1, 3, VEHICLE_SHAPE.height, VEHICLE_SHAPE.width), torch.zeros(1, count_numbers(len(KINDS)))
    about = {VEHICLES_KEY: json.dumps({"kinds": list(KINDS), "colours": list(COLOURS)})}
    export(network, example, path, about, ["rows"], inputs=["pictures", "numbers"])
    print(f"{path}: {path.stat().st_size / 1e6:.2f} MB")


def measured_habits(detector: AnyDetector, arguments: argparse.Namespace) -> DetectorHabits:
    """Return how a detector errs on pictures that were held out and, where one is given, on a recording."""
    habits = measure(detector, read_labelled(arguments.held_out))
    if arguments.recording:
        habits = replace(habits, persist_s=measure_persistence(detector, arguments.recording))
    return habits


def export(
    network: nn.Module,
    example: torch.Tensor | tuple[torch.Tensor, ...],
    path: Path,
    about: dict[str, str],
    outputs: Sequence[str],
    sizes_vary: bool = False,
    inputs: Sequence[str] = ("pictures",),
) -> None:
    """Write a network as ONNX with what it says of itself, batch norms folded into convolutions."""
    varying = {name: {0: "batch"} for name in (*inputs, *outputs)}
    varying["pictures"] |= {2: "height", 3: "width"} if sizes_vary else {}
    examples = example if isinstance(example, tuple) else (example,)
    with warnings.catch_warnings():
        # The newer exporter needs onnxscript, and says so of this one; both write the same operators here.
        warnings.simplefilter("ignore", DeprecationWarning)
        # Pads of strided layers are computed when the file is loaded instead.
        warnings.filterwarnings("ignore", "Constant folding", UserWarning)
        torch.onnx.export(
            network.eval(), examples, str(path), input_names=list(inputs), output_names=list(outputs),
            dynamic_axes=varying, opset_version=OPSET, dynamo=False,
        )  # fmt: skip
    describe(path, about)


def describe(path: Path, about: dict[str, str]) -> None:
    """Write what a network says of itself into its file, instead of what it said before."""
    model = onnx.load(str(path))
    del model.metadata_props[:]
    for key, value in about.items():
        entry = model.metadata_props.add()
        entry.key, entry.value = key, value
    onnx.save(model, str(path))


def quantize(path: Path, out: Path, feeds: Iterator[Feed]) -> None:
    """Write a network with weights and activations as 8-bit integers, the last layers, which regress, as they are."""

    class Reader(quantization.CalibrationDataReader):
        def get_next(self) -> Feed | None:
            return next(feeds, None)

    logging.getLogger().setLevel(logging.ERROR)
    prepared = out.with_suffix(".prepared.onnx")
    quantization.shape_inference.quant_pre_process(str(path), str(prepared), skip_symbolic_shape=True)
    graph = onnx.load(str(prepared)).graph
    kept = [node.name for node in graph.node if node.op_type == "Conv"][-1:]
    kept += [node.name for node in graph.node if node.op_type == "Conv" and "/out" in node.name]
    quantization.quantize_static(
        str(prepared), str(out), Reader(), quant_format=quantization.QuantFormat.QDQ, per_channel=True,
        activation_type=quantization.QuantType.QUInt8, weight_type=quantization.QuantType.QInt8,
        nodes_to_exclude=sorted(set(kept)), op_types_to_quantize=["Conv", "Add", "Relu", "Clip"],
    )  # fmt: skip
    prepared.unlink()
    describe(out, {entry.key: entry.value for entry in onnx.load(str(path)).metadata_props})


def _chosen(folders: Sequence[Path]) -> list[Path]:
    files = sorted(file for folder in folders for file in folder.glob("*.jpg"))
    picks = np.random.default_rng(0).permutation(len(files))[:CALIBRATION]
    return [files[i] for i in picks.tolist()]


def _read(file: Path) -> NDArray[np.uint8]:
    return np.asarray(cv2.cvtColor(cv2.imread(str(file)), cv2.COLOR_BGR2RGB), dtype=np.uint8)


def _detector_feed(file: Path) -> Feed:
    pixels = _read(file)
    height = int(np.ceil(pixels.shape[0] * LONGEST_PX / max(pixels.shape[:2]) / 32) * 32)
    return {"pictures": place(pixels, (height, LONGEST_PX), Preparation(fit="corner")).values}


def _crop_feed(file: Path) -> Feed:
    return {"pictures": prepare_crop(_read(file))[None]}


if __name__ == "__main__":
    main()
