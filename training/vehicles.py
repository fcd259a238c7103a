"""Train the network that tells kinds and colours of vehicles.

    python -m training.vehicles PICTURES... --detector detector.onnx --minutes 60 --out vehicles.pt

The backbone starts from that of a detector, its weights or its export. Vehicles are those that the shipped detector
finds, and what it takes them for is told beside them: ``PICTURES`` must be of worlds that it was not trained on.
"""

import argparse
import copy
import itertools
import json
import math
import time
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from geometry import InputError
from perception.detection.making import make_detector
from perception.detection.onnx_detector import OnnxOptions
from perception.detection.protocol import Detector as AnyDetector
from perception.detection.vehicle_look import LookingDetector
from training.augmenting import disturbances
from training.averaging import follow
from training.backbone import parameters_of
from training.colours import COLOURS
from training.detector_network import KINDS, Detector
from training.labelled import Labelled, read_labelled
from training.restoring import load_weights
from training.vehicle_network import VehicleNetwork
from training.vehicle_samples import NO_COLOUR, Vehicles, crops_of, plain_crops_of, tensor_of, vehicles_of

BATCH = 64
RATE, BACKBONE_RATE, DECAY, WARM_UP = 2e-3, 1e-3, 0.03, 100
COLOUR_WEIGHT, SIZE_WEIGHT = 0.4, 0.5
SIZE_UNIT, SIZE_BETA = 0.1, 0.3
"""Of logarithms of lengths, widths and heights; and below how many units errors count by their squares."""
USUAL_SIZE_M = (4.5, 1.8, 1.5)
SMOOTHING = 0.998
REPORT, KEEP_S = 50, 120.0
RESTORED = 512
"""Vehicles by which the batch norms of an export get their statistics back."""
PATCH = (320, 256)
"""Width and height of pictures by which the batch norms of an export get their statistics back."""
WIDTHS_PX = (0, 25, 50, 100, np.inf)


def main() -> None:
    """Train for some time and judge by worlds that were held out."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pictures", type=Path, nargs="+")
    parser.add_argument("--detector", type=Path, help="weights of training.detector to start from, or an export")
    parser.add_argument(
        "--resume", type=Path, help="weights of this one to go on with, or what was exported of them, without sizes"
    )
    parser.add_argument("--held-out", type=Path, nargs="*", default=[])
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    if not (arguments.detector or arguments.resume):
        raise InputError("there is nothing to start from", remedy="Give --detector, or --resume.")
    torch.manual_seed(arguments.seed)
    finder = _finder()
    vehicles = vehicles_of(read_labelled(arguments.pictures), finder)
    counts = np.bincount(vehicles.kind, minlength=len(KINDS)).tolist()
    sized = int(np.isfinite(vehicles.size).all(axis=1).sum())
    print(f"{len(vehicles)} vehicles, {sized} of known size: {dict(zip(KINDS, counts, strict=True))}", flush=True)
    network = VehicleNetwork()
    if arguments.resume:
        some = np.random.default_rng(arguments.seed).permutation(len(vehicles))[:RESTORED]
        load_weights(network, arguments.resume, *plain_crops_of(vehicles, some))
    else:
        start_from(network, arguments.detector, vehicles.pictures)
    print(f"{sum(p.numel() for p in network.parameters()) / 1e6:.2f} M parameters", flush=True)
    average = train(network, vehicles, arguments)
    torch.save(average.state_dict(), arguments.out)
    if arguments.held_out:
        held = vehicles_of(read_labelled(arguments.held_out), finder)
        for told in itertools.product((True, False), repeat=2):
            with_floor, with_shares = told
            print(json.dumps(judge(average, held, with_floor=with_floor, with_shares=with_shares)))


def _finder() -> AnyDetector:
    """Return the shipped detector without its look at vehicles."""
    finder = make_detector("tiepoint", OnnxOptions(threads=1))
    return finder.detector if isinstance(finder, LookingDetector) else finder


def start_from(network: VehicleNetwork, path: Path, pictures: Sequence[Labelled]) -> None:
    """Load the backbone of a detector."""
    detector = Detector()
    patches = np.stack([cv2.resize(picture.pixels, PATCH) for picture in pictures[:8]])
    load_weights(detector, path, tensor_of(patches))
    known = copy.deepcopy(detector.backbone).fold().state_dict()
    network.backbone.load_state_dict({name: known[name] for name in network.backbone.state_dict()})


def train(network: VehicleNetwork, vehicles: Vehicles, arguments: argparse.Namespace) -> VehicleNetwork:
    """Train until the time is up, the learning rate goes down with it; return the average of the last weights."""
    rng = np.random.default_rng(arguments.seed)
    network.train().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    average = copy.deepcopy(network).eval()
    optimizer = torch.optim.AdamW(parameters_of(network, RATE, BACKBONE_RATE), weight_decay=DECAY)
    augment = disturbances(shuffled=0.0)
    start, kept, step, sums = time.monotonic(), time.monotonic(), 0, np.zeros(5)
    while (share := (time.monotonic() - start) / (60 * arguments.minutes)) < 1:
        rate = min(1.0, (step + 1) / WARM_UP) * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * share)))
        for group in optimizer.param_groups:
            group["lr"] = rate * group["most"]
        chosen = rng.choice(len(vehicles), BATCH, replace=len(vehicles) < BATCH)
        crops, numbers = crops_of(vehicles, chosen, rng)
        with torch.no_grad():
            crops = augment(crops).clamp(0, 1).contiguous(memory_format=torch.channels_last)
        weighed = network.weighed(crops, numbers)
        told = network.tell(weighed).split([len(KINDS), len(COLOURS)], dim=1)
        true = [torch.from_numpy(each[chosen]) for each in (vehicles.kind, vehicles.colour)]
        lost = [
            functional.cross_entropy(*each, ignore_index=NO_COLOUR).nan_to_num()
            for each in zip(told, true, strict=True)
        ]
        lost.append(_lost_of_sizes(network.measure(weighed), torch.from_numpy(vehicles.size[chosen])))
        optimizer.zero_grad()
        (lost[0] + COLOUR_WEIGHT * lost[1] + SIZE_WEIGHT * lost[2]).backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 10.0)
        optimizer.step()
        follow(average, network, min(SMOOTHING, step / (step + 10)))
        right = [(rows.argmax(dim=1) == known).float().mean() for rows, known in zip(told, true, strict=True)]
        step, sums = step + 1, sums + np.array([each.item() for each in (*lost, *right)])
        if step % REPORT == 0:
            print(f"step {step} {time.monotonic() - start:.0f} s: lost, right {(sums / REPORT).round(3)}", flush=True)
            sums = np.zeros(5)
        if time.monotonic() - kept > KEEP_S:
            kept = time.monotonic()
            torch.save(average.state_dict(), arguments.out)
    print(f"{step} steps of {BATCH}", flush=True)
    return average


def _lost_of_sizes(told: Tensor, sizes: Tensor) -> Tensor:
    """Return how far off sizes (N, SIZES) are: who tells how long a vehicle is tells an estate from a hatchback."""
    wanted = ((sizes / torch.tensor(USUAL_SIZE_M)).log() / SIZE_UNIT).float()
    known = wanted.isfinite()
    return functional.smooth_l1_loss(told[known], wanted[known], beta=SIZE_BETA).nan_to_num()


def judge(
    network: VehicleNetwork, vehicles: Vehicles, *, with_floor: bool = True, with_shares: bool = True
) -> dict[str, object]:
    """Return how many kinds are told rightly, in all, by kind and by width, their cross entropy, and how many colours
    are; what the camera measures, or what the detector takes them for, may be kept back."""
    parts = []
    with torch.no_grad():
        for index in np.array_split(np.arange(len(vehicles)), max(len(vehicles) // 128, 1)):
            parts.append(network(*plain_crops_of(vehicles, index, with_floor=with_floor, with_shares=with_shares)))
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
        "with_floor": with_floor,
        "with_shares": with_shares,
        "right": float(right.mean()),
        "cross_entropy": float(-logs[np.arange(len(logs)), vehicles.kind].mean()),
        "colour_right": float((colours.argmax(axis=1) == vehicles.colour)[vehicles.colour != NO_COLOUR].mean()),
        "by_kind": {name: [float(each.mean()), len(each)] for name, each in by_kind.items() if len(each)},
        "by_width": {name: [float(each.mean()), len(each)] for name, each in by_width.items() if len(each)},
    }


if __name__ == "__main__":
    main()
