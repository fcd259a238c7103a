"""The weights of twin.choice, fitted to rendered photos of known pose by maximum likelihood; printed and kept.

python -m benchmarks.confidence --case SCENE TWIN ... [--out FILE]
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from benchmarks.localization_cases import PLACE_DEG, PLACE_M, Asked, ask, is_within
from benchmarks.protocol import ROOT, describe_machine, run, write_results
from geometry import InputError, read_cameras
from perception import read_image
from twin import Twin
from twin.choice import ENOUGH, Levels, probabilities, traits
from twin.localizer import Localizer
from twin.queries import query_camera
from twin.written_evidence import Written

Array = NDArray[np.float64]

RIDGE = 0.05
START = np.array([4.0, 1.0, 0.3, 1.0, -1.0, 2.0, -1.0, 0.3, 0.5, 0.7])
"""Weights of the traits, then what evidence beyond ``ENOUGH`` counts, then what is written, and what names a level."""


@dataclass(frozen=True, kw_only=True)
class Contest:
    """Poses that competed for a photo: traits (C, 7), what is written, their levels and what was read of these, right
    (C,), and the map's look-alikes.
    """

    traits: Array
    written: Written
    levels: Levels
    right: NDArray[np.bool_]
    alike: float


def main() -> None:
    """Collect contests, fit, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="taken for the sake of tiepoint bench; nothing is read there")
    parser.add_argument("--case", nargs=2, type=Path, action="append", metavar=("SCENE", "TWIN"))
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results" / "confidence.json")
    arguments = parser.parse_args()
    if not arguments.case:
        raise InputError("nothing to fit to", remedy="Give --case SCENE TWIN: a rendered scene and a twin of it.")
    machine = describe_machine()
    contests = [contest for scene, folder in arguments.case for contest in contests_of(scene, Twin.open(folder))]
    weights = fit(contests)
    print(
        "weights",
        weights[:7].round(2).tolist(),
        "beyond",
        round(weights[7], 2),
        "written",
        round(weights[8], 2),
        "named",
        round(weights[9], 2),
    )
    cases = [[scene.name, folder.name] for scene, folder in arguments.case]
    write_results(arguments.out, {"cases": cases, "photos": len(contests), "weights": weights.tolist()}, machine)


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
        traits=np.array([traits(candidate, twin.localizer_options.usual_noise) for candidate in candidates]),
        written=written,
        levels=levels,
        right=np.array([is_within(pose, asked.true, PLACE_M, PLACE_DEG) for pose in poses]),
        alike=twin.localizer_options.alike or 0.0,
    )


def fit(contests: Sequence[Contest]) -> Array:
    """Return the ten parameters of greatest likelihood, with a weak ridge on the traits' weights."""

    def loss(parameters: Array) -> float:
        ridge = (
            RIDGE * float((parameters[1:7] ** 2).sum())
            + 100.0 * (parameters[7] - np.clip(parameters[7], 0.0, 1.0)) ** 2
        )
        return ridge - sum(log_likelihood(contest, parameters) for contest in contests)

    return np.asarray(minimize(loss, START).x)


def log_likelihood(contest: Contest, parameters: Array) -> float:
    """Return the log-probability of what is true: that one of the right poses is it, or that none is."""
    odds = contest.traits @ parameters[:7]
    plausible = np.where(odds < ENOUGH, odds, ENOUGH + parameters[7] * (odds - ENOUGH))
    written = contest.written
    probable = probabilities(
        plausible,
        written.log_odds,
        contest.alike,
        contest.levels,
        written.shared,
        weight=parameters[8],
        named=parameters[9],
    )
    true = probable[contest.right].sum() if contest.right.any() else 1.0 - probable.sum()
    return float(np.log(max(true, 1e-300)))


if __name__ == "__main__":
    run(main)
