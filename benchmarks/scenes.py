"""The scenes that come with Tiepoint: is their truth exact, do they look like pictures, what do they cost, how hard?

Every figure of the table has a bound; figures that miss theirs are marked. ``--quick`` takes few pictures in draft
light, to see that all runs; its figures mean little. ``--speed`` measures only the seconds anew, on a machine that does
nothing else, ``--hardness`` only how hard places are; both keep the other figures of FILE.

    python -m benchmarks.scenes [--quick | --speed | --hardness] [--out FILE]
"""

import json
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.protocol import describe_machine, parse_arguments, print_table, run, write_results
from benchmarks.scenes_confusion import placed_by_sfm, wrong_levels
from benchmarks.scenes_site import garage_site
from benchmarks.scenes_speed import frame_seconds, memory_of_frames, render_seconds, same_bytes
from benchmarks.scenes_statistics import level_differences, picture_statistics
from benchmarks.scenes_truth import corner_errors, differing_pixels

Figures = dict[str, Any]
Row = tuple[str, float, str, bool]


SUBSETS = {"speed": ("seconds", "frame_seconds"), "hardness": ("wrong_levels", "sfm")}


def measure(folder: Path, *, quick: bool, only: Sequence[str] | None = None) -> Figures:
    """Return all figures, or ``only`` some, by part; pictures are rendered into ``folder``."""
    site = garage_site(quick=quick)
    parts: dict[str, Callable[[], Figures]] = {
        "seconds": lambda: render_seconds(site, pictures=2 if quick else 9),
        "frame_seconds": lambda: frame_seconds(site, frames=3 if quick else 15),
        "memory": lambda: memory_of_frames(site, frames=20 if quick else 100),
        "statistics": lambda: picture_statistics(site, pictures=3 if quick else 24),
        "corners": lambda: corner_errors(site, places=2 if quick else 12),
        "differing_pixels": lambda: differing_pixels(site, cameras=2 if quick else len(site.cameras)),
        "bytes": lambda: same_bytes(folder / "bytes", quick=quick),
        "levels": level_differences,
        "wrong_levels": lambda: wrong_levels(folder, walk=12 if quick else 240, queries=4 if quick else 60),
        "sfm": lambda: placed_by_sfm(folder, walk=8 if quick else 240),
    }
    figures = {}
    for name, part in parts.items():
        if only is not None and name not in only:
            continue
        print(f"measuring {name}", flush=True)
        figures[name] = part()
    return figures


def table(figures: Figures) -> list[Row]:
    """Return of each figure what it is, its value, its bound in words, and whether it keeps it."""
    rows: list[Row] = []

    def most(what: str, value: float, bound: float) -> None:
        rows.append((what, value, f"at most {bound:g}", value <= bound))

    def least(what: str, value: float, bound: float) -> None:
        rows.append((what, value, f"at least {bound:g}", value >= bound))

    for model, found in figures["corners"].items():
        most(f"corners, {model}: mean px", found["mean_px"], 0.3)
        most(f"corners, {model}: bias px", max(map(abs, found["bias_px"])), 0.1)
    most("pixels whose depth differs from a ray cast's", figures["differing_pixels"]["depth"], 0)
    most("pixels whose id differs", figures["differing_pixels"]["ids"], 0)
    most("files that differ between two renders of one seed", len(figures["bytes"]["differing"]), 0)
    most("full picture, median s", figures["seconds"]["full"]["wall_s"]["median"], 2.0)
    most("draft picture, median s", figures["seconds"]["draft"]["wall_s"]["median"], 0.5)
    most("fixed camera's frame, median s", figures["frame_seconds"]["wall_s"]["median"], 0.15)
    first, last = figures["memory"].values()
    most("memory after all frames / after a tenth", last / first, 1.05)
    most("clipped share of a picture, worst", figures["statistics"]["clipped"]["max"], 0.05)
    least("SIFT points of a picture, median", figures["statistics"]["sift_points"]["median"], 250)
    most("SIFT points of a picture, median", figures["statistics"]["sift_points"]["median"], 1500)
    most("garage-twins: unlisted difference, share of surface", figures["levels"]["unlisted"], 0)
    most("garage-twins: listed wear, share of surface", figures["levels"]["wear"], 0.05)
    least("garage-twins: wrong level, share of queries", figures["wrong_levels"]["wrong_share"], 0.3)
    most("garage: put in its place by plain SfM, share", figures["sfm"]["placed_share"], 0.8)
    return rows


def main() -> None:
    """Measure, print the table and write the result as JSON."""
    arguments = parse_arguments(__doc__, "scenes", flags=("quick", *SUBSETS))
    machine = describe_machine()
    subset = next((name for name in SUBSETS if getattr(arguments, name)), None)
    before = json.loads(arguments.out.read_text("utf-8")) if subset else {"figures": {}}
    with tempfile.TemporaryDirectory() as folder:
        only = SUBSETS[subset] if subset else None
        figures = before["figures"] | measure(Path(folder), quick=arguments.quick, only=only)
    rows = table(figures)
    print_table(["", "", "bound", ""], [(*row[:3], "" if row[3] else "MISSED") for row in rows])
    kept = [dict(zip(("what", "value", "bound", "kept"), row, strict=True)) for row in rows]
    content = {"quick": arguments.quick, "table": kept, "figures": figures}
    if subset:
        kept_before = {key: value for key, value in before.items() if key.endswith("_measured_on")}
        content |= kept_before | {f"{subset}_measured_on": machine}
        machine = before["machine"]
    write_results(arguments.out, content, machine)


if __name__ == "__main__":
    run(main)
