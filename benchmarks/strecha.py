"""Accuracy and speed on fountain-P11 and castle-P30 (truth from laser scans), beside plain pycolmap in one run.

1. Known poses: even-numbered photos are mapped at their true poses, odd-numbered ones localized, intrinsics given.
2. From images alone: camera centres after a similarity fit; then tied by position priors or control points.
3. Memory: peak of a ``tiepoint map`` process on castle's 30 photos from images alone.

Usage, with both scenes in DIR/strecha:

    python -m benchmarks.strecha [--data DIR] [--out FILE]
"""

import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks import from_images, known_poses
from benchmarks.protocol import (
    ROOT,
    Photos,
    describe_machine,
    load_strecha,
    parse_arguments,
    print_table,
    run,
    write_inputs,
    write_results,
)

SCENES = ("fountain-P11", "castle-P30")
TRUTH_SIGMA_M = 0.003
"""Of a coordinate of the published camera centres."""
HLOC = {
    "fountain-P11": {"median_m": 0.0021, "max_m": 0.0027, "seconds": 0.83},
    "castle-P30": {"median_m": 0.0223, "max_m": 0.0945, "seconds": 1.40},
}
"""hloc with SIFT, ratio test, all map images as candidates, its own triangulation; measured elsewhere, 2 cores."""
LIMITS = {"error_of_hloc": 1.1, "seconds": 0.30, "memory_gb": 2.0, "fountain-P11": 3.0, "castle-P30": 45.0}
"""What we promise; under a scene's name, mm of the median camera centre from images alone."""


def measure(photos: Photos, folder: Path) -> dict[str, Any]:
    """Return all figures of one scene."""
    print(f"measuring {photos.place}", flush=True)
    return {
        "hloc": HLOC[photos.place],
        "known_poses": known_poses.compare(photos, folder / "known", TRUTH_SIGMA_M),
        "from_images": from_images.compare(photos, folder / "images", TRUTH_SIGMA_M),
    }


def peak_memory_gb(photos: Photos, folder: Path) -> float:
    """Return the peak resident memory of a process that maps the photos from images alone, GB of 1e9 bytes.

    The largest of all children so far: call it before any other process is started that may need more.
    """
    inputs = write_inputs(photos, folder)
    verb = ["map", str(inputs.images), "--cameras", str(inputs.cameras), "--out", str(folder / "twin")]
    code = "import sys; from twin.cli import main; main(sys.argv[1:])"
    subprocess.run([sys.executable, "-c", code, *verb], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * unit / 1e9


def rows(place: str, result: dict[str, Any]) -> list[list[object]]:
    """Return the lines of the table of one scene: what, ours, plain, their ratio, hloc, limit."""
    known, images, hloc = result["known_poses"], result["from_images"], result["hloc"]
    pair = (known["ours"], known["plain"])
    most = LIMITS["error_of_hloc"] * hloc["median_m"] * 1e3
    table: list[list[object]] = [
        ["localized", *(f"{f['localized']} of {f['queries']}" for f in pair), None, None, "all"],
        _line("median error mm", pair, "position_error_m", "median", 1e3, hloc["median_m"] * 1e3, most),
        _line("largest error mm", pair, "position_error_m", "max", 1e3, hloc["max_m"] * 1e3, None),
        _line("median s a query", pair, "seconds", "median", 1.0, hloc["seconds"], LIMITS["seconds"]),
    ]
    inside = known["ours"]["honesty"]["position"]["coverage"]["0.9"] if known["ours"]["honesty"] else None
    table.append(["truth in the 90 % ellipsoid", inside, None, None, None, None])
    pair = (images["ours"], images["plain"])
    table += [
        ["from images: placed", *(f"{f['placed']} of {f['images']}" for f in pair), None, None, "all"],
        _line("  median centre mm", pair, "centre_error_m", "median", 1e3, None, LIMITS[place]),
        ["  map, s", *(f["seconds"] for f in pair), pair[0]["seconds"] / pair[1]["seconds"], None, None],
        ["  NEES, alignment by priors", images["alignment_by_priors"]["nees"], None, None, None, None],
    ]
    for kind in ("tied_by_priors", "tied_by_control"):
        nees = [run["nees"] for run in images[kind] if "nees" in run]
        title = f"  NEES, {kind.replace('_', ' ')}, {len(nees)} of {len(images[kind])} runs"
        table.append([title, sum(nees) / len(nees) if nees else None, None, None, None, None])
    return [[f"{place} {title}" if not str(title).startswith(" ") else title, *rest] for title, *rest in table]


def _line(
    title: str,
    pair: tuple[dict[str, Any], dict[str, Any]],
    key: str,
    statistic: str,
    scale: float,
    hloc: float | None,
    limit: float | None,
) -> list[object]:
    values = [None if figures[key] is None else figures[key][statistic] * scale for figures in pair]
    ratio = values[0] / values[1] if values[0] is not None and values[1] else None
    return [title, *values, ratio, hloc, limit]


def main() -> None:
    """Measure, print a table and write the result as JSON."""
    arguments = parse_arguments(__doc__, "strecha")
    machine = describe_machine()
    scenes = {name: load_strecha(arguments.data / "strecha" / name) for name in SCENES}
    with tempfile.TemporaryDirectory() as scratch:
        memory = peak_memory_gb(scenes["castle-P30"], Path(scratch) / "memory")
        results = {name: measure(photos, Path(scratch) / name) for name, photos in scenes.items()}
    content = {"truth_sigma_m": TRUTH_SIGMA_M, "limits": LIMITS, "peak_memory_gb": memory, "scenes": results}
    write_results(arguments.out, content, machine)
    table = [line for name, result in results.items() for line in rows(name, result)]
    table.append(["castle-P30 peak memory GB", memory, None, None, None, LIMITS["memory_gb"]])
    print_table(["", "ours", "plain", "ratio", "hloc", "limit"], table)


if __name__ == "__main__":
    run(main)
