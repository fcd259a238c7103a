"""Train the network that tells kinds and colours of vehicles.

    python -m training.vehicles PICTURES... --detector detector.onnx --minutes 60 --out vehicles.pt

The backbone starts from that of a detector, its weights or its export.
"""

import argparse
import copy
import itertools
import json
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from geometry import InputError
from perception.detection.vehicle_look import SHAPE, shape_numbers
from perception.detection.windows import cut, windows_of
from training.augmenting import disturbances
from training.averaging import follow
from training.backbone import parameters_of
from training.colours import COLOURS
from training.detector_network import KINDS, Detector
from training.labelled import LEAST_PX, LEAST_VISIBLE, Labelled, read_labelled
from training.restoring import load_weights
from training.vehicle_network import VehicleNetwork

Array = NDArray[np.float64]

BATCH = 64
RATE, BACKBONE_RATE, DECAY, WARM_UP = 2e-3, 1e-3, 0.03, 100
JITTER = 0.05
"""Of a box's sides, as a share of its size: about what a detector's are off by."""
COARSER, COARSEST = 0.3, 0.35
"""Share of crops that are made coarser, and by how much at most: most vehicles stand far away."""
COLOUR_WEIGHT, NO_COLOUR = 0.4, -1
SMOOTHING = 0.998
REPORT, KEEP_S = 50, 120.0
RESTORED = 512
"""Vehicles by which the batch norms of an export get their statistics back."""
PATCH = (320, 256)
"""Width and height of pictures by which the batch norms of an export get their statistics back."""
WIDTHS_PX = (0, 25, 50, 100, np.inf)


@dataclass(frozen=True, eq=False)
class Vehicles:
    """N vehicles: which picture each is in, its box (N, 4) px, and of which kind and colour it is (N,), the latter
    ``NO_COLOUR`` where that is not known."""

    pictures: Sequence[Labelled]
    picture: NDArray[np.int64]
    boxes: Array
    kind: NDArray[np.int64]
    colour: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.kind)


def main() -> None:
    """Train for some time and judge by worlds that were held out."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pictures", type=Path, nargs="+")
    parser.add_argument("--detector", type=Path, help="weights of training.detector to start from, or an export")
    parser.add_argument("--resume", type=Path, help="weights of this one to go on with, or what was exported of them")
    parser.add_argument("--held-out", type=Path, nargs="*", default=[])
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    if not (arguments.detector or arguments.resume):
        raise InputError("there is nothing to start from", remedy="Give --detector, or --resume.")
    torch.manual_seed(arguments.seed)
    vehicles = vehicles_of(read_labelled(arguments.pictures))
    counts = np.bincount(vehicles.kind, minlength=len(KINDS)).tolist()
    print(f"{len(vehicles)} vehicles: {dict(zip(KINDS, counts, strict=True))}", flush=True)
    network = VehicleNetwork()
    if arguments.resume:
        some = np.random.default_rng(arguments.seed).permutation(len(vehicles))[:RESTORED]
        load_weights(network, arguments.resume, *crops_of(vehicles, some, np.random.default_rng(arguments.seed)))
    else:
        start_from(network, arguments.detector, vehicles.pictures)
    print(f"{sum(p.numel() for p in network.parameters()) / 1e6:.2f} M parameters", flush=True)
    average = train(network, vehicles, arguments)
    torch.save(average.state_dict(), arguments.out)
    if arguments.held_out:
        print(json.dumps(judge(average, vehicles_of(read_labelled(arguments.held_out)))))


def vehicles_of(pictures: Sequence[Labelled]) -> Vehicles:
    """Return all vehicles that can be seen. Raises ``InputError`` where there are none."""
    rows = [
        (number, box["bbox"], KINDS.index(box["kind"]), COLOURS.index(box["colour"]) if box["colour"] else NO_COLOUR)
        for number, picture in enumerate(pictures)
        for box in picture.boxes
        if box["kind"] in KINDS and box["visible"] >= LEAST_VISIBLE and _is_large(box["bbox"])
    ]
    if not rows:
        raise InputError("no vehicle is to be seen in these pictures")
    numbers, boxes, kinds, colours = (np.array(each) for each in zip(*rows, strict=True))
    return Vehicles(pictures, numbers, boxes.astype(np.float64), kinds, colours)


def _is_large(box: Sequence[float]) -> bool:
    return box[2] - box[0] >= LEAST_PX[0] and box[3] - box[1] >= LEAST_PX[1]


def start_from(network: VehicleNetwork, path: Path, pictures: Sequence[Labelled]) -> None:
    """Load the backbone of a detector."""
    detector = Detector()
    patches = np.stack([cv2.resize(picture.pixels, PATCH) for picture in pictures[:8]])
    load_weights(detector, path, _tensor(patches))
    known = detector.backbone.state_dict()
    network.backbone.load_state_dict({name: known[name] for name in network.backbone.state_dict()})


def train(network: VehicleNetwork, vehicles: Vehicles, arguments: argparse.Namespace) -> VehicleNetwork:
    """Train until the time is up, the learning rate goes down with it; return the average of the last weights."""
    rng = np.random.default_rng(arguments.seed)
    network.train().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    average = copy.deepcopy(network).eval()
    optimizer = torch.optim.AdamW(parameters_of(network, RATE, BACKBONE_RATE), weight_decay=DECAY)
    augment = disturbances(shuffled=0.0)
    start, kept, step, sums = time.monotonic(), time.monotonic(), 0, np.zeros(4)
    while (share := (time.monotonic() - start) / (60 * arguments.minutes)) < 1:
        rate = min(1.0, (step + 1) / WARM_UP) * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * share)))
        for group in optimizer.param_groups:
            group["lr"] = rate * group["most"]
        chosen = rng.choice(len(vehicles), BATCH, replace=len(vehicles) < BATCH)
        crops, numbers = crops_of(vehicles, chosen, rng)
        with torch.no_grad():
            crops = augment(crops).clamp(0, 1).contiguous(memory_format=torch.channels_last)
        told = network(crops, numbers).split([len(KINDS), len(COLOURS)], dim=1)
        true = [torch.from_numpy(each[chosen]) for each in (vehicles.kind, vehicles.colour)]
        lost = [
            functional.cross_entropy(*each, ignore_index=NO_COLOUR).nan_to_num()
            for each in zip(told, true, strict=True)
        ]
        optimizer.zero_grad()
        (lost[0] + COLOUR_WEIGHT * lost[1]).backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 10.0)
        optimizer.step()
        follow(average, network, min(SMOOTHING, step / (step + 10)))
        right = [(rows.argmax(dim=1) == known).float().mean() for rows, known in zip(told, true, strict=True)]
        step, sums = step + 1, sums + np.array([each.item() for each in (*lost, *right)])
        if step % REPORT == 0:
            print(f"step {step} {time.monotonic() - start:.0f} s: lost, right {(sums / REPORT).round(3)}", flush=True)
            sums = np.zeros(4)
        if time.monotonic() - kept > KEEP_S:
            kept = time.monotonic()
            torch.save(average.state_dict(), arguments.out)
    print(f"{step} steps of {BATCH}", flush=True)
    return average


def crops_of(vehicles: Vehicles, chosen: NDArray[np.int64], rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Cut vehicles out, their boxes moved a little, some mirrored, some made coarser: crops (N, 3, H, W), numbers."""
    boxes = vehicles.boxes[chosen]
    boxes = boxes + JITTER * rng.standard_normal(boxes.shape) * np.tile(boxes[:, 2:] - boxes[:, :2], 2)
    boxes[:, 2:] = np.maximum(boxes[:, 2:], boxes[:, :2] + 2.0)
    crops, numbers = _cut(vehicles, chosen, boxes)
    for i in np.flatnonzero(rng.random(len(crops)) < COARSER).tolist():
        factor = float(rng.uniform(COARSEST, 1.0))
        small = cv2.resize(crops[i], None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
        crops[i] = cv2.resize(small, (SHAPE.width, SHAPE.height), interpolation=cv2.INTER_LINEAR)
        numbers[i, 0] -= np.log(factor)
    mirrored = rng.random(len(crops)) < 0.5
    crops[mirrored] = crops[mirrored, :, ::-1]
    return _tensor(crops), torch.from_numpy(numbers)


def _cut(vehicles: Vehicles, chosen: NDArray[np.int64], boxes: Array) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Return crops (N, H, W, 3) of boxes (N, 4) around chosen vehicles, and the numbers beside them."""
    windows = windows_of(boxes, SHAPE)
    crops = np.empty((len(chosen), SHAPE.height, SHAPE.width, 3), dtype=np.uint8)
    for number in np.unique(vehicles.picture[chosen]).tolist():
        own = vehicles.picture[chosen] == number
        crops[own] = cut(vehicles.pictures[number].pixels, windows.take(own), SHAPE)
    return crops, shape_numbers(boxes, windows)


def _tensor(crops: NDArray[np.uint8]) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(crops)).permute(0, 3, 1, 2).float() / 255


def judge(network: VehicleNetwork, vehicles: Vehicles) -> dict[str, object]:
    """Return how many kinds of true boxes are told rightly, in all, by kind and by width, their cross entropy, and how
    many colours are."""
    parts = []
    with torch.no_grad():
        for index in np.array_split(np.arange(len(vehicles)), max(len(vehicles) // 128, 1)):
            crops, numbers = _cut(vehicles, index, vehicles.boxes[index])
            parts.append(network(_tensor(crops), torch.from_numpy(numbers)))
    told = torch.cat(parts).split([len(KINDS), len(COLOURS)], dim=1)
    logs, colours = (rows.log_softmax(dim=1).numpy().astype(np.float64) for rows in told)
    right = logs.argmax(axis=1) == vehicles.kind
    widths = vehicles.boxes[:, 2] - vehicles.boxes[:, 0]
    by_kind = {name: right[vehicles.kind == number] for number, name in enumerate(KINDS)}
    by_width = {
        f"{low:g} to {high:g} px": right[(widths >= low) & (widths < high)]
        for low, high in itertools.pairwise(WIDTHS_PX)
    }
    return {
        "vehicles": len(vehicles),
        "right": float(right.mean()),
        "cross_entropy": float(-logs[np.arange(len(logs)), vehicles.kind].mean()),
        "colour_right": float((colours.argmax(axis=1) == vehicles.colour)[vehicles.colour != NO_COLOUR].mean()),
        "by_kind": {name: [float(each.mean()), len(each)] for name, each in by_kind.items() if len(each)},
        "by_width": {name: [float(each.mean()), len(each)] for name, each in by_width.items() if len(each)},
    }


if __name__ == "__main__":
    main()
