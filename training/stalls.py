"""Train the network that tells taken stalls from free ones.

    python -m training.stalls PICTURES... --detector detector.pt --minutes 40 --out stalls.pt

Learns from labels with ``camera`` and ``stalls``, which ``training.pictures`` writes; one world of six is held out.
The backbone starts from that of the detector, which knows vehicles: from nothing a network needs far longer.
"""

import argparse
import json
import math
import time
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from kornia import augmentation
from numpy.typing import NDArray
from scipy.optimize import minimize
from torch import Tensor, nn

from geometry import InputError
from geometry.records import FixedCamera
from perception.images import read_image
from perception.occupancy.stall_crops import MIRRORED, StallCrops, mirrored, network_input
from training.backbone import parameters_of
from training.restoring import load_weights
from training.stall_network import StallNetwork

BATCH = 64
RATE, BACKBONE_RATE, DECAY, WARM_UP = 2e-3, 4e-4, 0.02, 100
SHIFT_PX = 3
"""How far a camera's pose may be off, in pixels of the crop."""
HELD_OUT = 6
"""One world of so many is not trained on: the same ones, by their names, however many there are."""
REPORT = 50
RESTORED = 512
"""Looks by which the batch norms of an export get their statistics back."""
SLOPES = (0.2, 2.0)
"""Where few looks are judged, all of them right, any slope would fit."""
CLEAR = 0.9
"""A probability from which a look says something."""


@dataclass(frozen=True, eq=False)
class Looks:
    """Stalls (N) as cameras see them: crops (N, H, W, 3) uint8, places (N, 4, H, W) float16, taken (N,), worlds."""

    crops: NDArray[np.uint8]
    places: NDArray[np.float16]
    taken: NDArray[np.bool_]
    world: NDArray[Any]

    def __len__(self) -> int:
        return len(self.taken)

    def take(self, index: NDArray[Any]) -> "Looks":
        """Return some."""
        return Looks(self.crops[index], self.places[index], self.taken[index], self.world[index])


def main() -> None:
    """Train for some time and judge by worlds that were held out."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pictures", type=Path, nargs="+")
    parser.add_argument("--detector", type=Path, help="weights of training.detector to start from")
    parser.add_argument("--resume", type=Path, help="weights of this one to go on with, or what was exported of them")
    parser.add_argument("--minutes", type=float, default=40.0)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    torch.manual_seed(arguments.seed)
    if not (arguments.detector or arguments.resume):
        raise InputError("there is nothing to start from", remedy="Give --detector, or --resume.")
    looks = read_looks(arguments.pictures)
    held = np.array([zlib.crc32(world.encode()) % HELD_OUT == 0 for world in looks.world.tolist()])
    own, judged = looks.take(~held), looks.take(held)
    del looks  # gigabytes, and all of it is in the two now
    print(f"{len(own)} looks, {own.taken.mean():.2f} of them at taken stalls; held out {len(judged)}", flush=True)
    network = StallNetwork()
    if arguments.resume:
        some = own.take(np.random.default_rng(arguments.seed).permutation(len(own))[:RESTORED])
        load_weights(
            network, arguments.resume, torch.from_numpy(network_input(some.crops, some.places.astype(np.float32)))
        )
    else:
        known = torch.load(arguments.detector, weights_only=True)
        backbone = {name: known[f"backbone.{name}"] for name in network.backbone.state_dict()}
        network.backbone.load_state_dict(backbone)
    print(f"{sum(p.numel() for p in network.parameters()) / 1e6:.2f} M parameters", flush=True)
    train(network, own, arguments)
    torch.save(network.state_dict(), arguments.out)
    print(json.dumps(judge(network, judged)))


def read_looks(folders: list[Path]) -> Looks:
    """Cut the stalls out of labelled pictures. Raises ``InputError`` where no label tells of stalls."""
    crops, places, taken, world = [], [], [], []
    for folder in folders:
        for file in sorted(folder.glob("*.jsonl")):
            for line in file.read_text("utf-8").splitlines():
                content = json.loads(line)
                known = [stall for stall in content.get("stalls", []) if stall["taken"] is not None]
                if not known:
                    continue
                camera = FixedCamera.model_validate_json(json.dumps(content["camera"]))
                cutter = StallCrops.of(camera.camera(), camera.pose(), [stall["corners"] for stall in known])
                crops.append(cutter.cut(read_image(folder / content["image"]).pixels))
                places.append(cutter.places.astype(np.float16))
                taken += [stall["taken"] for stall in known]
                world += [content["world"]] * len(known)
    if not taken:
        raise InputError("no label tells of stalls", where=str(folders[0]))
    return Looks(np.concatenate(crops), np.concatenate(places), np.array(taken), np.array(world))


def train(network: StallNetwork, looks: Looks, arguments: argparse.Namespace) -> None:
    """Train until the time is up; the learning rate goes down with it."""
    rng = np.random.default_rng(arguments.seed)
    optimizer = torch.optim.AdamW(parameters_of(network, RATE, BACKBONE_RATE), weight_decay=DECAY)
    augment = augmentation.AugmentationSequential(
        augmentation.RandomBrightness((0.6, 1.5), p=0.6),
        augmentation.RandomContrast((0.65, 1.4), p=0.6),
        augmentation.RandomSaturation((0.3, 1.5), p=0.3),
        augmentation.RandomChannelShuffle(p=0.1),
        augmentation.RandomGaussianBlur((5, 5), (0.3, 1.5), p=0.25),
        augmentation.RandomGaussianNoise(std=0.04, p=0.4),
        augmentation.RandomErasing((0.02, 0.12), p=0.2),
        data_keys=["input"],
    )
    network.train().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    start, step, total = time.monotonic(), 0, 0.0
    while (share := (time.monotonic() - start) / (60 * arguments.minutes)) < 1:
        rate = min(1.0, (step + 1) / WARM_UP) * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * share)))
        for group in optimizer.param_groups:
            group["lr"] = rate * group["most"]
        chosen = looks.take(rng.choice(len(looks), BATCH, replace=len(looks) < BATCH))
        batch = torch.from_numpy(network_input(chosen.crops, chosen.places.astype(np.float32)))
        with torch.no_grad():
            batch = _shaken(batch, rng)
            batch[:, :3] = augment(batch[:, :3]).clamp(0, 1)
        odds = network(batch.contiguous(memory_format=torch.channels_last))[:, 0]
        loss = nn.functional.binary_cross_entropy_with_logits(odds, torch.from_numpy(chosen.taken).float())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        step, total = step + 1, total + float(loss.detach())
        if step % REPORT == 0:
            print(f"step {step} {time.monotonic() - start:.0f} s: {total / REPORT:.4f}", flush=True)
            total = 0.0
    network.eval()


def _shaken(batch: Tensor, rng: np.random.Generator) -> Tensor:
    """Return looks with colours a little beside their places, and some mirrored or named from the other end."""
    shift = rng.integers(-SHIFT_PX, SHIFT_PX + 1, 2).tolist()
    colours, places = torch.roll(batch[:, :3], shift, dims=(2, 3)), batch[:, 3:].clone()
    turned = torch.from_numpy(rng.random(len(batch)) < 0.5)
    places[turned] = -places[turned]
    flipped = torch.from_numpy(rng.random(len(batch)) < 0.5)
    places[flipped] = places[flipped].flip(3) * torch.from_numpy(MIRRORED)
    colours[flipped] = colours[flipped].flip(3)
    return torch.cat([colours, places], dim=1)


def judge(network: StallNetwork, looks: Looks) -> dict[str, float]:
    """Return figures on worlds that were not trained on; ``slope`` of its log-odds that fits there."""
    parts = []
    with torch.no_grad():
        for index in np.array_split(np.arange(len(looks)), max(len(looks) // 256, 1)):
            own = looks.take(index)
            given = network_input(own.crops, own.places.astype(np.float32))
            both = [network(torch.from_numpy(each))[:, 0] for each in (given, mirrored(given))]
            parts.append(torch.stack(both).mean(dim=0))
    odds, taken = torch.cat(parts).numpy().astype(np.float64), looks.taken

    def cost(slope: NDArray[np.float64]) -> float:
        return float(np.logaddexp(0, np.where(taken, -1, 1) * odds * slope[0]).mean())

    slope = float(np.clip(minimize(cost, np.array([1.0]), method="Nelder-Mead").x[0], *SLOPES))
    sure = np.abs(slope * odds) > np.log(CLEAR / (1 - CLEAR))
    right = (odds > 0) == taken
    return {
        "looks": len(looks),
        "loss": cost(np.array([slope])),
        "right": _share(right),
        "balanced": (_share(right[taken]) + _share(right[~taken])) / 2,
        "clear": _share(sure),
        "right_where_clear": _share(right[sure]),
        "slope": slope,
    }


def _share(right: NDArray[np.bool_]) -> float:
    """Return the share of what is right; 1 where nothing was asked."""
    return float(right.mean()) if len(right) else 1.0


if __name__ == "__main__":
    main()
