"""Trained weights to ONNX; ``training.integers`` makes 8-bit integers of that.

python -m training.export detector detector.pt --held-out PICTURES --out perception/weights
"""

import argparse
import json
import warnings
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import onnx
import torch
from torch import nn

from geometry.errors import InputError
from perception.appearance.network import OWN_KEY as APPEARANCE_KEY
from perception.appearance.network import SIZE as CROP_SIZE
from perception.detection.close_crops import CLOSE, NUMBERS
from perception.detection.habits import DetectorHabits
from perception.detection.onnx_detector import OWN_KEY as DETECTOR_KEY
from perception.detection.onnx_detector import OnnxDetector, OnnxOptions
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
from training.labelled import Labelled, read_labelled
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
MEASURED = ("sigma_sides", "sigma_feet", "habits")
"""Of what a refiner's file says: by how much it is off for each error that it expects, and how both stages err."""
OPSET = 17


def main() -> None:
    """Export one network."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("network", choices=("detector", "refiner", "vehicles", "appearance", "stalls"))
    parser.add_argument("weights", type=Path)
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
    else:
        about = {"kinds": [*KINDS, "person"], "colours": list(COLOURS)}
        path = arguments.out / "appearance.onnx"
        network = Appearance()
        network.load_state_dict(state)
        outputs = ["embedding", "kinds", "colours"]
        export(network, torch.zeros(1, 3, *CROP_SIZE), path, {APPEARANCE_KEY: json.dumps(about)}, outputs)
    print(f"{path}: {path.stat().st_size / 1e6:.2f} MB")
    if arguments.held_out and arguments.network == "detector":
        habits = measured_habits(OnnxDetector(path, OnnxOptions(threads=1, score=LEAST_SCORE)), arguments)
        describe(path, {DETECTOR_KEY: json.dumps(about | {"habits": asdict(habits)})})


def export_refiner(state: dict[str, torch.Tensor], arguments: argparse.Namespace) -> None:
    """Write a detector's second stage, and how both together err on pictures that were held out."""
    if not (arguments.detector and arguments.held_out):
        raise InputError("how sure its sides are is measured", remedy="Give --detector and --held-out.")
    network = RefinerNetwork()
    network.load_state_dict(state)
    path = arguments.out / "refiner.onnx"
    about: dict[str, Any] = {"kinds": list(KINDS), "proposals": PROPOSALS, "iou": PROPOSALS_IOU, "final_iou": FINAL_IOU}
    example = torch.zeros(1, 3, CLOSE.height, CLOSE.width), torch.zeros(1, NUMBERS)
    export(network, example, path, {}, ["rows"], inputs=["pictures", "numbers"])
    pictures = read_labelled(arguments.held_out)
    about = describe_refiner(
        arguments.detector, path, about, pictures, lambda detector: measured_habits(detector, arguments)
    )
    print(f"{path}: {path.stat().st_size / 1e6:.2f} MB")
    print(json.dumps(about))


def describe_refiner(
    detector: Path,
    refiner: Path,
    about: dict[str, Any],
    pictures: Sequence[Labelled],
    habits: Callable[[AnyDetector], DetectorHabits],
) -> dict[str, Any]:
    """Write into a second stage's file what is said of it, and how both stages err on pictures that were held out."""

    def both() -> RefinedDetector:
        return RefinedDetector(detector, refiner, OnnxOptions(threads=1, score=LEAST_SCORE))

    about = {key: value for key, value in about.items() if key not in MEASURED}
    describe(refiner, {REFINER_KEY: json.dumps(about)})
    looking = both()
    about |= sigmas([looking.detect(picture.pixels) for picture in pictures], pictures)
    describe(refiner, {REFINER_KEY: json.dumps(about)})
    about["habits"] = asdict(habits(both()))
    describe(refiner, {REFINER_KEY: json.dumps(about)})
    return about


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


if __name__ == "__main__":
    main()
