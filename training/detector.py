"""Train the shipped detector.

    python -m training.detector PICTURES... --minutes 35 --out detector.pt

A checkpoint is written every few minutes; ``--resume`` goes on with it, or with what ``training.export`` makes of it.
"""

import argparse
import copy
import math
import time
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from geometry import InputError
from training.assignment import Truth, losses
from training.augmenting import disturbances
from training.averaging import follow, kind_weights
from training.backbone import parameters_of
from training.detector_network import KINDS, Detector, cells
from training.labelled import Labelled, crop, read_labelled
from training.restoring import load_weights

SIZE = (256, 320)
SCALE = (0.55, 1.05)
"""Of the pictures: 0.8 of 640 px is what the network gets to see later."""
BATCH = 16
RATE, BACKBONE_RATE, DECAY, WARM_UP = 2e-3, 4e-4, 0.02, 60
WEIGHTS = (2.0, 1.0, 1.0, 1.0)
"""Of the losses of boxes, scores, kinds and feet."""
SMOOTHING = 0.998
"""Of the averaged weights, which are the ones that are kept."""
REPORT, KEEP_S = 25, 120.0
RESTORED = 48
"""Crops by which the batch norms of an export get their statistics back."""


def main() -> None:
    """Train for some time."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pictures", type=Path, nargs="+")
    parser.add_argument("--minutes", type=float, default=35.0)
    parser.add_argument("--steps", type=int, help="instead of minutes")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--resume", type=Path, help="weights to go on with: a checkpoint, or an export")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    torch.manual_seed(arguments.seed)
    pictures = read_labelled(arguments.pictures)
    if not pictures:
        raise InputError("there are no labelled pictures", where=str(arguments.pictures[0]))
    print(f"{len(pictures)} pictures, {sum(len(each.boxes) for each in pictures)} boxes", flush=True)
    network = Detector(pretrained=True)
    if arguments.resume:
        some, _ = _batch(pictures, min(RESTORED, len(pictures)), np.random.default_rng(arguments.seed))
        load_weights(network, arguments.resume, some)
    print(f"{sum(p.numel() for p in network.parameters()) / 1e6:.2f} M parameters", flush=True)
    train(network, pictures, arguments)


def train(network: Detector, pictures: list[Labelled], arguments: argparse.Namespace) -> None:
    """Train until the time, or the number of steps, is up; the learning rate goes down with it."""
    rng = np.random.default_rng(arguments.seed)
    network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    average = copy.deepcopy(network).eval()
    optimizer = torch.optim.AdamW(parameters_of(network, RATE, BACKBONE_RATE), weight_decay=DECAY)
    augment = disturbances()
    middles, strides = cells(*SIZE)
    weights = _kind_weights(pictures)
    start, kept, step = time.monotonic(), time.monotonic(), 0
    sums = torch.zeros(len(WEIGHTS))
    while True:
        passed = (time.monotonic() - start) / (60 * arguments.minutes)
        share = step / arguments.steps if arguments.steps else passed
        if share >= 1:
            break
        rate = min(1.0, (step + 1) / WARM_UP) * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * share)))
        for group in optimizer.param_groups:
            group["lr"] = rate * group["most"]
        batch, truths = _batch(pictures, BATCH, rng)
        with torch.no_grad():
            batch = augment(batch).clamp(0, 1).contiguous(memory_format=torch.channels_last)
        parts = losses(network(batch), truths, middles, strides, weights)
        loss = (parts * torch.tensor(WEIGHTS)).sum()
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 10.0)
        optimizer.step()
        follow(average, network, min(SMOOTHING, step / (step + 10)))
        step += 1
        sums += parts.detach()
        if step % REPORT == 0:
            box, score, kind, foot = (sums / REPORT).tolist()
            seconds = time.monotonic() - start
            print(
                f"step {step} {seconds:.0f} s: box {box:.3f} score {score:.3f} kind {kind:.3f} foot {foot:.3f}",
                flush=True,
            )
            sums.zero_()
        if time.monotonic() - kept > KEEP_S:
            kept = time.monotonic()
            torch.save(average.state_dict(), arguments.out)
    torch.save(average.state_dict(), arguments.out)
    print(f"{step} steps of {BATCH}", flush=True)


def _kind_weights(pictures: list[Labelled]) -> Tensor:
    """Return what a kind counts (K,), by how many there are of each."""
    return kind_weights(
        np.array([sum(box["kind"] == kind for each in pictures for box in each.boxes) for kind in KINDS])
    )


def _batch(pictures: list[Labelled], size: int, rng: np.random.Generator) -> tuple[Tensor, list[Truth]]:
    """Draw crops (N, 3, H, W) of pictures, and what is in them."""
    chosen = rng.choice(len(pictures), size, replace=len(pictures) < size)
    crops, truths = zip(*(crop(pictures[i], SIZE, SCALE, rng) for i in chosen), strict=True)
    return torch.from_numpy(np.stack(crops)).permute(0, 3, 1, 2).float() / 255, list(truths)


if __name__ == "__main__":
    main()
