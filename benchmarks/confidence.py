"""The weights of twin.choice, fitted to rendered photos of known pose by maximum likelihood; printed and kept.

A stranger's case is of photos of another building than the twin's: no pose of theirs is right.

python -m benchmarks.confidence --case SCENE TWIN ... [--stranger SCENE TWIN ...] [--out FILE]
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import betaln

from benchmarks.localization_cases import PLACE_DEG, PLACE_M, Asked, ask, is_within
from benchmarks.protocol import ROOT, describe_machine, run, write_results
from geometry import InputError, read_cameras
from perception import read_image
from twin import Twin
from twin.choice import ENOUGH, Levels, probabilities, traits
from twin.hypotheses import Candidate
from twin.localizer import Localizer
from twin.queries import query_camera
from twin.written_evidence import Written

Array = NDArray[np.float64]

RIDGE, NAMED_RIDGE = 0.05, 2.0
STRANGERS = 0.2
"""All together, of the weight of all other photos: buildings after the same plan are the hardest, and rare."""
TRAITS = 6
START = np.array([4.0, 1.0, 0.3, 1.0, -1.0, 2.0, 0.3, 0.5, 0.7])
"""Weights of the traits, then what evidence beyond ``ENOUGH`` counts, then what is written, and what names a level."""
BETA_START = np.log([[1.0, 0.8], [0.6, 20.0]])


@dataclass(frozen=True, kw_only=True)
class Contest:
    """Poses that competed for a photo, what is written, their levels and what was read of these, right (C,), what the
    map knows: its usual noise and its look-alikes; and how much the photo counts.
    """

    candidates: Sequence[Candidate]
    written: Written
    levels: Levels
    right: NDArray[np.bool_]
    usual_noise: float
    alike: float
    weight: float = 1.0

    def traits(self, shares: Array) -> Array:
        """Return what speaks for each pose, (C, ``TRAITS``), by these shares of textures that are found."""
        return np.array([traits(candidate, self.usual_noise, shares) for candidate in self.candidates])


def main() -> None:
    """Collect contests, fit, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="taken for the sake of tiepoint bench; nothing is read there")
    parser.add_argument("--case", nargs=2, type=Path, action="append", metavar=("SCENE", "TWIN"))
    parser.add_argument("--stranger", nargs=2, type=Path, action="append", metavar=("SCENE", "TWIN"))
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results" / "confidence.json")
    arguments = parser.parse_args()
    if not arguments.case:
        raise InputError("nothing to fit to", remedy="Give --case SCENE TWIN: a rendered scene and a twin of it.")
    machine = describe_machine()
    contests = [contest for scene, folder in arguments.case for contest in contests_of(scene, Twin.open(folder))]
    strange = [each for scene, folder in arguments.stranger or () for each in contests_of(scene, Twin.open(folder))]
    weight = STRANGERS * len(contests) / max(len(strange), 1)
    contests += [replace(each, right=np.zeros_like(each.right), weight=weight) for each in strange]
    shares = fit_textures(contests)
    weights = fit(contests, shares)
    names = ("beyond", "written", "named")
    print("weights", weights[:TRAITS].round(2).tolist(), *zip(names, weights[TRAITS:].round(2).tolist(), strict=True))
    print("shares of textures found if right, if wrong", shares.round(2).tolist())
    cases, strangers = (
        [[scene.name, folder.name] for scene, folder in pairs or ()] for pairs in (arguments.case, arguments.stranger)
    )
    found = {"cases": cases, "strangers": strangers, "photos": len(contests), "weights": weights.tolist()}
    write_results(arguments.out, found | {"textures": shares.tolist()}, machine)


def contests_of(scene: Path, twin: Twin) -> list[Contest]:
    """Return what competed for the photos of a scene; what is written is read for all of them, needed or not."""
    localizer = twin.localizer()
    found = []
    for asked in ask(scene, twin, localizer):
        if asked.choice is not None:
            found.append(_contest(asked, scene, twin, localizer))
    return found


def _contest(asked: Asked, scene: Path, twin: Twin, localizer: Localizer) -> Contest:
    assert asked.choice is not None
    candidates = asked.choice.candidates
    poses = [candidate.estimate.cam_from_site for candidate in candidates]
    nothing = np.zeros(len(poses))
    path, rules = scene / "queries" / asked.image, read_cameras(scene / "cameras.csv")
    camera, picture = query_camera(twin, asked.image, path, rules), read_image(path, name=asked.image)
    written = Written(log_odds=nothing, shared=nothing, naming=nothing)
    levels = localizer.levels_of(candidates, camera, picture)
    if twin.written is not None:
        written = twin.written.log_odds(picture, camera, poses)
        of_level = twin.written.level_log_odds(picture, camera, poses)
        if of_level is not None:
            levels = replace(levels, log_odds=of_level)
            written = replace(written, log_odds=written.log_odds - written.naming)
    return Contest(
        candidates=candidates,
        written=written,
        levels=levels,
        right=np.array([is_within(pose, asked.true, PLACE_M, PLACE_DEG) for pose in poses]),
        usual_noise=twin.localizer_options.usual_noise,
        alike=twin.localizer_options.alike or 0.0,
    )


def fit_textures(contests: Sequence[Contest]) -> Array:
    """Return the beta distributions (2, 2) of the share of textures that is found at right and at wrong poses.

    A right pose's copy on another level is neither: its floor may look the same.
    """
    right, wrong = [], []
    for contest in contests:
        copies = contest.levels.copies[contest.right].any(axis=0)
        for candidate, is_right, is_copy in zip(contest.candidates, contest.right, copies, strict=True):
            support = candidate.textured
            if support.looked_for and (is_right or not is_copy):
                (right if is_right else wrong).append((support.found, support.looked_for))

    def loss(logarithms: Array, counts: Array) -> float:
        a, b = np.exp(logarithms)
        found, looked_for = counts.T
        return -float(np.sum(betaln(found + a, looked_for - found + b) - betaln(a, b)))

    return np.exp([
        minimize(loss, start, args=(np.array(counts, dtype=np.float64),)).x
        for start, counts in zip(BETA_START, (right, wrong), strict=True)
    ])  # fmt: skip


def fit(contests: Sequence[Contest], shares: Array) -> Array:
    """Return the parameters of greatest likelihood, with a weak ridge on the traits' weights."""
    of_poses = [contest.traits(shares) for contest in contests]

    def loss(parameters: Array) -> float:
        ridge = (
            RIDGE * float((parameters[1:TRAITS] ** 2).sum())
            + 100.0 * (parameters[TRAITS] - np.clip(parameters[TRAITS], 0.0, 1.0)) ** 2
            + NAMED_RIDGE * (parameters[-1] - 1.0) ** 2
        )
        return ridge - sum(
            contest.weight * log_likelihood(contest, found, parameters)
            for contest, found in zip(contests, of_poses, strict=True)
        )

    return np.asarray(minimize(loss, START).x)


def log_likelihood(contest: Contest, found: Array, parameters: Array) -> float:
    """Return the log-probability of what is true: that one of the right poses is it, or that none is."""
    odds = found @ parameters[:TRAITS]
    beyond, weight, named = parameters[TRAITS:]
    plausible = np.where(odds < ENOUGH, odds, ENOUGH + beyond * (odds - ENOUGH))
    written = contest.written
    probable = probabilities(
        plausible, written.log_odds, contest.alike, contest.levels, written.shared, weight=weight, named=named
    )
    true = probable[contest.right].sum() if contest.right.any() else 1.0 - probable.sum()
    return float(np.log(max(true, 1e-300)))


if __name__ == "__main__":
    run(main)
