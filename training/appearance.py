"""Train the shipped network for appearance.

    python -m training.appearance PICTURES... --minutes 15 --out appearance.pt

Identities are those of the rendered worlds; exact look-alikes are one identity. Half of a batch are vehicles of one
kind and colour, which have to be told apart by what is left. Some worlds are held out; at the end the log-odds of
"same" for a cosine are fitted on them and printed, for ``LinkOptions``.
"""

import argparse
import json
import math
import time
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from kornia import augmentation
from numpy.typing import NDArray
from scipy.optimize import minimize
from torch import Tensor, nn

from perception.appearance.network import LEAST_PX, cut_out, prepare_crop
from training.appearance_network import Appearance
from training.backbone import parameters_of
from training.colours import COLOURS
from training.detector_network import KINDS
from training.restoring import load_weights

LEAST_VISIBLE = 0.45
GROUPS, EACH = 16, 4
TEMPERATURE = 0.1
RATE, BACKBONE_RATE, DECAY = 2e-3, 4e-4, 0.02
HELD_OUT = 6
"""One world of so many is not trained on."""
REPORT = 50
RESTORED = 64
"""Crops by which the batch norms of an export get their statistics back."""


@dataclass(frozen=True, eq=False)
class Crops:
    """Crops (N, 3, 96, 96) uint8 with their identity, kind and colour (-1 for none), and the world they are from."""

    pixels: NDArray[np.uint8]
    identity: NDArray[np.int64]
    kind: NDArray[np.int64]
    colour: NDArray[np.int64]
    world: tuple[str, ...]

    def take(self, index: NDArray[np.int64]) -> "Crops":
        """Return some, identities numbered anew."""
        _, numbers = np.unique(self.identity[index], return_inverse=True)
        world = tuple(self.world[i] for i in index.tolist())
        return Crops(self.pixels[index], numbers, self.kind[index], self.colour[index], world)


def main() -> None:
    """Train for some time, and fit log-odds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pictures", type=Path, nargs="+")
    parser.add_argument("--minutes", type=float, default=15.0)
    parser.add_argument("--resume", type=Path, help="weights to go on with, or what was exported of them")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    torch.manual_seed(arguments.seed)
    crops = read_crops(arguments.pictures)
    worlds = sorted(set(crops.world))
    held = set(worlds[::HELD_OUT])
    is_held = np.array([world in held for world in crops.world])
    own, judged = crops.take(np.flatnonzero(~is_held)), crops.take(np.flatnonzero(is_held))
    print(
        f"{len(own.identity)} crops of {own.identity.max() + 1} identities; held out {len(judged.identity)}", flush=True
    )
    network = Appearance(pretrained=True)
    if arguments.resume:
        some = np.random.default_rng(arguments.seed).permutation(len(own.pixels))[:RESTORED]
        load_weights(network, arguments.resume, _pictures(own.pixels[some]))
    train(network, own, arguments)
    torch.save(network.state_dict(), arguments.out)
    print(json.dumps(judge(network, judged)))


def read_crops(folders: list[Path]) -> Crops:
    """Cut the crops out of labelled pictures."""
    pixels, identity, kind, colour, world = [], [], [], [], []
    for folder in folders:
        for file in sorted(folder.glob("*.jsonl")):
            for line in file.read_text("utf-8").splitlines():
                content = json.loads(line)
                picture = None
                for box in content["boxes"]:
                    if not box["bbox"] or box["identity"] is None or box["visible"] < LEAST_VISIBLE:
                        continue
                    edges = np.array(box["bbox"], dtype=np.float64)
                    if (edges[2:] - edges[:2]).min() < LEAST_PX:
                        continue
                    if picture is None:
                        picture = cv2.cvtColor(cv2.imread(str(folder / content["image"])), cv2.COLOR_BGR2RGB)
                    crop = prepare_crop(cut_out(np.asarray(picture, dtype=np.uint8), edges))
                    pixels.append((crop * 255).round().astype(np.uint8))
                    identity.append(f"{content['world']} {box['identity']}")
                    kind.append(KINDS.index(box["kind"]) if box["kind"] in KINDS else len(KINDS))
                    colour.append(COLOURS.index(box["colour"]) if box["colour"] else -1)
                    world.append(content["world"])
    _, numbers = np.unique(np.array(identity), return_inverse=True)
    return Crops(np.stack(pixels), numbers, np.array(kind), np.array(colour), tuple(world))


def train(network: Appearance, crops: Crops, arguments: argparse.Namespace) -> None:
    """Train until the time is up."""
    rng = np.random.default_rng(arguments.seed)
    members = [np.flatnonzero(crops.identity == i) for i in range(int(crops.identity.max()) + 1)]
    alike: dict[tuple[int, int], list[int]] = {}
    for number, rows in enumerate(members):
        alike.setdefault((int(crops.kind[rows[0]]), int(crops.colour[rows[0]])), []).append(number)
    crowds = [np.array(each) for each in alike.values() if len(each) >= GROUPS // 2]
    optimizer = torch.optim.AdamW(parameters_of(network, RATE, BACKBONE_RATE), weight_decay=DECAY)
    augment = augmentation.AugmentationSequential(
        augmentation.RandomBrightness((0.65, 1.4), p=0.6),
        augmentation.RandomContrast((0.7, 1.35), p=0.6),
        augmentation.RandomAffine(4.0, (0.06, 0.06), (0.88, 1.1), p=0.8),
        augmentation.RandomGaussianBlur((5, 5), (0.3, 1.8), p=0.35),
        augmentation.RandomGaussianNoise(std=0.04, p=0.4),
        augmentation.RandomErasing((0.05, 0.25), p=0.3),
        data_keys=["input"],
    )
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    start, step, sums = time.monotonic(), 0, np.zeros(3)
    while (share := (time.monotonic() - start) / (60 * arguments.minutes)) < 1:
        for group in optimizer.param_groups:
            group["lr"] = (
                group["most"] * min(1.0, (step + 1) / 50) * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * share)))
            )
        chosen = _draw(members, crowds, rng)
        batch = _pictures(crops.pixels[chosen])
        with torch.no_grad():
            batch = augment(batch).clamp(0, 1).contiguous(memory_format=torch.channels_last)
        vectors, kinds, colours = network(batch)
        target = torch.from_numpy(crops.identity[chosen])
        parts = [
            _contrast(vectors, target),
            nn.functional.cross_entropy(kinds, torch.from_numpy(crops.kind[chosen])),
            nn.functional.cross_entropy(colours, torch.from_numpy(crops.colour[chosen]), ignore_index=-1),
        ]
        loss = parts[0] + 0.5 * parts[1] + 0.5 * torch.nan_to_num(parts[2])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        step += 1
        sums += [float(part.detach()) for part in parts]
        if step % REPORT == 0:
            told = " ".join(f"{value:.3f}" for value in sums / REPORT)
            print(f"step {step} {time.monotonic() - start:.0f} s: identity, kind, colour {told}", flush=True)
            sums[:] = 0
    network.eval()


def _draw(
    members: list[NDArray[np.int64]], crowds: list[NDArray[np.int64]], rng: np.random.Generator
) -> NDArray[np.int64]:
    """Draw some crops each of some identities, half of which are of one kind and colour."""
    half = rng.choice(crowds[int(rng.integers(len(crowds)))], GROUPS // 2, replace=False) if crowds else []
    rest = rng.choice(len(members), GROUPS - len(half), replace=False)
    groups = np.unique(np.concatenate([half, rest]).astype(np.int64))
    return np.concatenate([rng.choice(members[i], EACH, replace=len(members[i]) < EACH) for i in groups])


def _contrast(vectors: Tensor, target: Tensor) -> Tensor:
    """Return how hard it is to tell the others of the same from a batch (supervised contrast, Khosla et al. 2020)."""
    itself = torch.eye(len(vectors), dtype=torch.bool)
    logits = (vectors @ vectors.T / TEMPERATURE).masked_fill(itself, -torch.inf)
    same = (target[:, None] == target) & ~itself
    likely = (logits - logits.logsumexp(1, keepdim=True)).masked_fill(~same, 0.0)
    return -(likely.sum(1) / same.sum(1).clamp(min=1)).mean()


def _pictures(pixels: NDArray[np.uint8]) -> Tensor:
    """Return crops (N, 3, 96, 96) as the network takes them."""
    return torch.from_numpy(pixels).float() / 255


def judge(network: Appearance, crops: Crops) -> dict[str, float]:
    """Return figures on worlds that were not trained on, and the log-odds that fit there.

    Pairs are within a world; other ones are weighed as if they were as many as the same.
    """
    with torch.no_grad():
        parts = [network(_pictures(part)) for part in np.array_split(crops.pixels, 20) if len(part)]
    vectors, kinds, colours = (torch.cat(each).numpy() for each in zip(*parts, strict=True))
    world = np.array(crops.world)
    cosine = (vectors @ vectors.T)[np.triu_indices(len(vectors), 1)]
    i, j = np.triu_indices(len(vectors), 1)
    family = crops.kind == len(KINDS)
    paired = (world[i] == world[j]) & (family[i] == family[j])
    same = (crops.identity[i] == crops.identity[j])[paired]
    value = cosine[paired]
    alike = ((crops.kind[i] == crops.kind[j]) & (crops.colour[i] == crops.colour[j]))[paired]
    weight = np.where(same, 0.5 / max(same.sum(), 1), 0.5 / max((~same).sum(), 1))

    def cost(ab: NDArray[np.float64]) -> float:
        odds = ab[0] * (value - ab[1])
        return float((weight * np.logaddexp(0, np.where(same, -odds, odds))).sum())

    slope, middle = minimize(cost, np.array([8.0, 0.5]), method="Nelder-Mead").x
    first, hits = np.full(len(vectors), np.nan), vectors @ vectors.T
    for row in range(len(vectors)):
        others = (world == world[row]) & (np.arange(len(vectors)) != row)
        if (crops.identity[others] == crops.identity[row]).any():
            best = np.flatnonzero(others)[hits[row, others].argmax()]
            first[row] = crops.identity[best] == crops.identity[row]
    coloured = crops.colour >= 0
    return {
        "pairs": len(value),
        "auc": _auc(value, same),
        "auc_same_kind_and_colour": _auc(value[alike], same[alike]),
        "first_is_right": float(np.nanmean(first)),
        "kind": float((kinds.argmax(1) == crops.kind).mean()),
        "colour": float((colours.argmax(1) == crops.colour)[coloured].mean()),
        "log_odds_slope": float(slope),
        "log_odds_middle": float(middle),
    }


def _auc(value: NDArray[np.float64], same: NDArray[np.bool_]) -> float:
    """Return how often a same pair is more alike than another."""
    order = np.argsort(np.argsort(value)) + 1.0
    positive, negative = int(same.sum()), int((~same).sum())
    return float((order[same].sum() - positive * (positive + 1) / 2) / max(positive * negative, 1))


if __name__ == "__main__":
    main()
