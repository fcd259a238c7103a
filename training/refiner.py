"""Train the detector's second stage.

    python -m training.refiner PICTURES... --detector detector.onnx --start detector.pt --minutes 80 --out refiner.pt

The detector proposes boxes on labelled pictures, at best ones that it was not trained on, as it errs less on those.
The backbone starts from that of a detector's weights.
"""

import argparse
import copy
import math
import time
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from geometry import InputError
from perception.detection.close_crops import ENDS, LOG_ERRORS
from training.augmenting import disturbances
from training.averaging import follow, kind_weights
from training.backbone import parameters_of
from training.detector_network import FAMILIES, KINDS
from training.labelled import read_labelled
from training.proposals import Proposed, Samples, draw, propose
from training.refiner_network import RefinerNetwork

BATCH = 64
RATE, BACKBONE_RATE, DECAY, WARM_UP = 2e-3, 4e-4, 0.02, 100
WEIGHTS = (1.0, 0.5, 0.5)
"""Of the losses of scores, kinds and ends."""
RIGHT_IOU = 0.5
"""A box is right that overlaps what is there by so much, after it was moved."""
SMOOTHING = 0.998
REPORT, KEEP_S = 50, 120.0


def main() -> None:
    """Train for some time."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pictures", type=Path, nargs="+")
    parser.add_argument("--detector", type=Path, required=True, help="whose boxes are looked at again")
    parser.add_argument("--start", type=Path, required=True, help="weights of training.detector to start from")
    parser.add_argument("--minutes", type=float, default=80.0)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    torch.manual_seed(arguments.seed)
    rng = np.random.default_rng(arguments.seed)
    pictures = read_labelled(arguments.pictures)
    if not pictures:
        raise InputError("there are no labelled pictures", where=str(arguments.pictures[0]))
    proposed = propose(arguments.detector, pictures, rng)
    near = sum(int((each.true >= 0).sum()) for each in proposed)
    print(
        f"{len(pictures)} pictures, {sum(len(each.boxes) for each in proposed)} boxes, {near} near something",
        flush=True,
    )
    network = RefinerNetwork()
    known = torch.load(arguments.start, weights_only=True)
    backbone = {name: known[f"backbone.{name}"] for name in network.backbone.state_dict()}
    network.backbone.load_state_dict(backbone)
    print(f"{sum(p.numel() for p in network.parameters()) / 1e6:.2f} M parameters", flush=True)
    train(network, proposed, arguments)


def train(network: RefinerNetwork, proposed: list[Proposed], arguments: argparse.Namespace) -> None:
    """Train until the time is up; the learning rate goes down with it."""
    rng = np.random.default_rng(arguments.seed)
    network.train().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    average = copy.deepcopy(network).eval()
    optimizer = torch.optim.AdamW(parameters_of(network, RATE, BACKBONE_RATE), weight_decay=DECAY)
    augment = disturbances()
    weights = _kind_weights(proposed)
    start, kept, step, sums = time.monotonic(), time.monotonic(), 0, torch.zeros(3)
    while (share := (time.monotonic() - start) / (60 * arguments.minutes)) < 1:
        rate = min(1.0, (step + 1) / WARM_UP) * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * share)))
        for group in optimizer.param_groups:
            group["lr"] = rate * group["most"]
        batch = draw(proposed, BATCH, rng)
        with torch.no_grad():
            crops = augment(batch.crops).clamp(0, 1).contiguous(memory_format=torch.channels_last)
        parts = losses(network(crops, batch.numbers), batch, weights)
        optimizer.zero_grad()
        (parts * torch.tensor(WEIGHTS)).sum().backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 10.0)
        optimizer.step()
        follow(average, network, min(SMOOTHING, step / (step + 10)))
        step, sums = step + 1, sums + parts.detach()
        if step % REPORT == 0:
            score, kind, end = (sums / REPORT).tolist()
            print(
                f"step {step} {time.monotonic() - start:.0f} s: score {score:.3f} kind {kind:.3f} ends {end:.3f}",
                flush=True,
            )
            sums = torch.zeros(3)
        if time.monotonic() - kept > KEEP_S:
            kept = time.monotonic()
            torch.save(average.state_dict(), arguments.out)
    torch.save(average.state_dict(), arguments.out)
    print(f"{step} steps of {BATCH}", flush=True)


def losses(rows: Tensor, batch: Samples, weights: Tensor) -> Tensor:
    """Return the losses (3,) of scores, kinds and ends.

    Ends are by Laplace's likelihood, of which the network says the scale. A score is asked to tell whether the box is
    right as the network moved it.
    """
    told, kinds, offsets, spreads = rows.split([FAMILIES, len(KINDS), ENDS, ENDS], dim=1)
    ends = batch.bases + offsets
    known = torch.isfinite(batch.ends)
    log_spread = spreads.clamp(*LOG_ERRORS)
    error = (ends - torch.where(known, batch.ends, ends)).abs()
    end = ((error * (-log_spread).exp() + log_spread) * known).sum() / known.sum().clamp(min=1)
    right = (_overlaps(ends[:, :4].detach(), batch.ends[:, :4]) >= RIGHT_IOU) & (batch.family >= 0)
    target = functional.one_hot(batch.family.clamp(min=0), FAMILIES) * right[:, None]
    score = functional.binary_cross_entropy_with_logits(told, target.float())
    is_kind = batch.kind >= 0
    kind = functional.cross_entropy(kinds[is_kind], batch.kind[is_kind], weights) if is_kind.any() else 0 * score
    return torch.stack([score, kind, end])


def _overlaps(first: Tensor, second: Tensor) -> Tensor:
    """Return the intersections over unions (N,) of boxes (N, 4) by pairs; 0 for NaN."""
    extent = torch.minimum(first[:, 2:], second[:, 2:]) - torch.maximum(first[:, :2], second[:, :2])
    common = extent.clamp(min=0).prod(dim=1)
    areas = [(boxes[:, 2:] - boxes[:, :2]).clamp(min=0).prod(dim=1) for boxes in (first, second)]
    return torch.nan_to_num(common / (areas[0] + areas[1] - common).clamp(min=1e-9), nan=0.0)


def _kind_weights(proposed: list[Proposed]) -> Tensor:
    """Return what a kind counts (K,), by how many there are of each."""
    kinds = np.concatenate([each.kind for each in proposed])
    return kind_weights(np.bincount(kinds[kinds >= 0], minlength=len(KINDS)))


if __name__ == "__main__":
    main()
