"""Is the claimed covariance honest? Hundreds of rendered queries, and how many true poses the 90 % ellipsoids hold.

Two rooms and their views come from seeds that nothing in the code was set by. The maps are made with true poses, as
the covariance of a query is asked about, not that of the frame.

    python -m benchmarks.coverage [--out FILE]
"""

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.protocol import describe_machine, parse_arguments, print_table, run, write_results
from geometry import PoseTable, read_cameras, read_true_poses, write_poses
from scenes import CaptureOptions, render_scene
from scenes.library import facility
from twin import Localization, MapInputs, Twin, evaluate_localization, localize_images, map_images, write_localizations
from twin.queries import name_images

SEEDS = (11, 12)
WALK, QUERIES = 80, 160
"""Photos for each seed."""


def ask_room(seed: int, folder: Path) -> tuple[list[Localization], PoseTable, dict[str, Any]]:
    """Render a room, map its walk at true poses; return answers, true poses, and the map's judgement of itself.

    Queries are named SEED/FILE. They are taken on another day: other vehicles, people, lamps and puddles.
    """
    options = CaptureOptions(captures=("walk", "queries"), queries=QUERIES, walk_frames=WALK, seed=seed)
    render_scene(facility("room", seed=seed), folder, options)
    inputs = MapInputs(images=folder / "walk", cameras=folder / "cameras.csv", poses=folder / "truth" / "walk.csv")
    quality = map_images(inputs, folder / "twin")
    named = [(f"{seed}/{name}", path) for name, path in name_images([folder / "queries"])]
    answers = list(localize_images(Twin.open(folder / "twin"), named, read_cameras(folder / "cameras.csv")))
    return answers, _named(read_true_poses(folder / "truth" / "queries.csv"), seed), quality["left_out"]


def main() -> None:
    """Render, map, localize, judge."""
    arguments = parse_arguments(__doc__, "coverage")
    machine = describe_machine()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        rooms = [ask_room(seed, folder / str(seed)) for seed in SEEDS]
        answers = [answer for given, _, _ in rooms for answer in given]
        write_localizations(folder / "answers.jsonl", answers)
        write_poses(folder / "truth.csv", _stacked([truth for _, truth, _ in rooms]))
        figures = evaluate_localization(folder / "answers.jsonl", folder / "truth.csv")
    print_table(
        ["", "inside 50 %", "90 %", "99 %", "median NEES"],
        [
            [part, *figures["covariance"][part]["coverage"].values(), figures["covariance"][part]["median_nees"]]
            for part in ("position", "rotation", "pose")
        ],
    )
    print_table(
        ["queries", "localized", "refused", "median m", "p95 m", "wrong but confident"],
        [
            [
                figures["queries"],
                figures["localized"],
                figures["refused"],
                figures["position_error_m"]["median"],
                figures["position_error_m"]["p95"],
                figures["wrong_but_confident"],
            ]
        ],
    )
    refused = {answer.image: answer.reason for answer in answers if answer.status == "refused"}
    content = {
        "seeds": SEEDS,
        "figures": figures,
        "left_out": {seed: left_out for seed, (_, _, left_out) in zip(SEEDS, rooms, strict=True)},
        "refused": refused,
    }
    write_results(arguments.out, content, machine)


def _named(truth: PoseTable, seed: int) -> PoseTable:
    return replace(truth, images=tuple(f"{seed}/{image}" for image in truth.images))


def _stacked(tables: list[PoseTable]) -> PoseTable:
    return PoseTable(
        images=tuple(image for table in tables for image in table.images),
        positions=np.concatenate([table.positions for table in tables]),
        quats_xyzw=np.concatenate([table.quats_xyzw for table in tables]),
        sigma_m=np.concatenate([table.sigma_m for table in tables]),
        sigma_deg=np.concatenate([table.sigma_deg for table in tables]),
    )


if __name__ == "__main__":
    run(main)
