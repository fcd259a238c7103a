"""Is the claimed covariance honest? Hundreds of rendered queries, and how many true poses the 90 % ellipsoids hold.

The place and the views come from a seed that nothing in the code was set by. The map is made with true poses, as
the covariance of a query is asked about, not that of the frame.

    python -m benchmarks.coverage [--out FILE]
"""

import tempfile
from pathlib import Path

import numpy as np

from benchmarks.protocol import describe_machine, parse_arguments, print_table, run, write_results
from geometry import camera_from_params, read_cameras
from scenes import court, query_views, walk_views, write_capture
from twin import MapInputs, Twin, evaluate_localization, localize_images, map_images, write_localizations
from twin.queries import name_images

PLACE_SEED, VIEW_SEED = 11, 12
WALK, QUERIES = 40, 320
PX_PER_M = 160.0


def render(folder: Path) -> None:
    """Write the capture of a court: a walk of 640 x 480 photos with a camera's noise, and queries at random."""
    rng = np.random.default_rng(VIEW_SEED)
    camera = camera_from_params("PINHOLE", 640, 480, [520.0, 520.0, 320.0, 240.0])
    place = court(seed=PLACE_SEED, px_per_m=PX_PER_M)
    walk, queries = walk_views(place, camera, rng, count=WALK), query_views(place, camera, rng, count=QUERIES)
    write_capture(folder, place, walk, queries, rng)


def main() -> None:
    """Render, map, localize, judge."""
    arguments = parse_arguments(__doc__, "coverage")
    machine = describe_machine()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        render(folder)
        inputs = MapInputs(images=folder / "walk", cameras=folder / "cameras.csv", poses=folder / "truth" / "walk.csv")
        quality = map_images(inputs, folder / "twin")
        rules = read_cameras(folder / "cameras.csv")
        answers = list(localize_images(Twin.open(folder / "twin"), name_images([folder / "queries"]), rules))
        write_localizations(folder / "answers.jsonl", answers)
        figures = evaluate_localization(folder / "answers.jsonl", folder / "truth" / "queries.csv")
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
        "seeds": [PLACE_SEED, VIEW_SEED],
        "figures": figures,
        "left_out": quality["left_out"],
        "refused": refused,
    }
    write_results(arguments.out, content, machine)


if __name__ == "__main__":
    run(main)
