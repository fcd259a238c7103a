"""Photos of another walk, asked one by one and in short sequences by the steps that the phone claims.

python -m benchmarks.localization_sequences --case SCENE TWIN [--length 5] [--sequences 12] [--out FILE]
"""

import argparse
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.localization_cases import RIGHT_M, WRONG_M
from benchmarks.protocol import ROOT, describe_machine, print_table, run, write_results
from geometry import PoseTable, pose_error, pose_from_position, read_cameras, read_poses, read_true_poses
from twin import Localization, Twin, localize_images
from twin.queries import localize_together
from twin.sequences import steps_of_poses

RIGHT_DEG = 2.0
LENGTH, SEQUENCES = 5, 12


def main() -> None:
    """Ask and judge."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="not used")
    parser.add_argument("--case", nargs=2, type=Path, action="append", metavar=("SCENE", "TWIN"), required=True)
    parser.add_argument("--length", type=int, default=LENGTH)
    parser.add_argument("--sequences", type=int, default=SEQUENCES)
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results" / "localization_sequences.json")
    arguments = parser.parse_args()
    machine = describe_machine()
    found = {scene.name: measure(scene, folder, arguments) for scene, folder in arguments.case}
    for name, figures in found.items():
        print_table([name, *figures["alone"]], [[way, *figures[way].values()] for way in ("alone", "together")])
    write_results(arguments.out, found, machine)


def measure(scene: Path, folder: Path, arguments: argparse.Namespace) -> dict[str, Any]:
    """Return the figures of one walk in one twin: sequences begin at even distances along the walk."""
    twin, rules = Twin.open(folder), read_cameras(scene / "cameras.csv")
    claimed, truth = read_poses(scene / "walk" / "poses.csv"), read_true_poses(scene / "truth" / "walk.csv")
    localizer = twin.localizer()
    starts = np.linspace(0, len(truth.images) - arguments.length, arguments.sequences).astype(int)
    alone: list[Localization] = []
    together: list[Localization] = []
    for start in starts.tolist():
        names = truth.images[start : start + arguments.length]
        images = [(name, scene / "walk" / name) for name in names]
        alone += localize_images(twin, images, rules, localizer=localizer)
        together += localize_together(
            twin, images, steps_of_poses(claimed, names, drift=1.0), rules, localizer=localizer
        )
    return {
        "twin": folder.name,
        "sequences": len(starts),
        "length": arguments.length,
        "alone": judged(alone, truth),
        "together": judged(together, truth),
    }


def judged(answers: list[Localization], truth: PoseTable) -> dict[str, Any]:
    """Return how many were placed, right (0.25 m, 2 degrees) and wrong (over 1 m), and the median error in metres."""
    errors = []
    for answer in answers:
        if answer.status == "ok":
            row = truth.images.index(answer.image)
            errors.append(
                pose_error(answer.cam_from_site, pose_from_position(truth.positions[row], truth.quats_xyzw[row]))
            )
    metres = np.array([error[0] for error in errors])
    degrees = np.array([error[1] for error in errors])
    return {
        "photos": len(answers),
        "localized": len(errors),
        "right": int(((metres <= RIGHT_M) & (degrees <= RIGHT_DEG)).sum()),
        "wrong": int((metres > WRONG_M).sum()),
        "median_m": float(np.median(metres)) if len(metres) else None,
    }


if __name__ == "__main__":
    run(main)
