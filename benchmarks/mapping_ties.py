"""A rendered walk mapped by ever less: a phone's drifting poses and surveyed tags, the poses alone, the frames' order.

Camera centres are judged in site where tags tie the map, after one rigid fit without them, and after a similarity for
order alone. A walk that is refused says so.

    python -m benchmarks.mapping_ties SCENE ... [--ways tags,poses,order] [--work FOLDER] [--out FILE]
"""

import argparse
import resource
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pycolmap
from numpy.typing import NDArray

from benchmarks.protocol import ROOT, describe_machine, print_table, run, spread, write_results
from geometry import TiepointError, read_true_poses, transform_points
from twin import MapInputs, Twin, map_images

Array = NDArray[np.float64]

WAYS = ("tags", "poses", "order")
FOLDED_M = 5.0
"""A photo further off is on another aisle or level."""


def main() -> None:
    """Map every scene every way and write what came out."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scenes", type=Path, nargs="+", metavar="SCENE")
    parser.add_argument("--ways", default=",".join(WAYS))
    parser.add_argument("--work", type=Path, help="where twins are kept; one that is there is not made again")
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results" / "mapping_ties.json")
    arguments = parser.parse_args()
    machine = describe_machine()
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as temporary:
        for scene in arguments.scenes:
            for way in arguments.ways.split(","):
                target = (arguments.work or Path(temporary)) / f"{scene.name}-{way}"
                found[f"{scene.name}, {way}"] = mapped(scene, way, target)
                print(found[f"{scene.name}, {way}"], flush=True)
    rows = [
        [name, *(each.get(key) for key in ("photos", "placed", "median_m", "max_m", "over_5_m", "minutes", "refused"))]
        for name, each in found.items()
    ]
    print_table(["", "photos", "placed", "median m", "max m", "over 5 m", "minutes", "refused"], rows)
    write_results(arguments.out, {"maps": found}, machine)


def mapped(scene: Path, way: str, target: Path) -> dict[str, Any]:
    """Map a walk one way and judge its centres."""
    walk = scene / "walk"
    poses = None if way == "order" else walk / "poses.csv"
    tags = scene / "tags.csv" if way == "tags" else None
    inputs = MapInputs(images=walk, cameras=scene / "cameras.csv", poses=poses, tags=tags)
    truth = read_true_poses(scene / "truth" / "walk.csv")
    figures: dict[str, Any] = {"photos": len(truth.images)}
    if not target.exists():
        started = time.perf_counter()
        try:
            map_images(inputs, target)
        except TiepointError as error:
            return figures | {"placed": 0, "refused": str(error)}
        figures["minutes"] = (time.perf_counter() - started) / 60
        figures["memory_gb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    twin = Twin.open(target)
    true = dict(zip(truth.images, truth.positions, strict=True))
    error = off(twin.view_positions, np.array([true[name] for name in twin.landmarks.views]), way)
    within = spread(error) or {}
    return figures | {
        "placed": len(error),
        "median_m": within.get("median"),
        "p90_m": within.get("p90"),
        "max_m": within.get("max"),
        "over_5_m": int((error > FOLDED_M).sum()),
    }


def off(centres: Array, truth: Array, way: str) -> Array:
    """Return the distances (N,) of centres (N, 3) from the truth, after the fit that the way asks for."""
    if way == "tags":
        return np.linalg.norm(centres - truth, axis=1)
    fit = pycolmap.estimate_sim3d(centres, truth) if way == "order" else pycolmap.estimate_rigid3d(centres, truth)
    return np.linalg.norm(transform_points(fit, centres) - truth, axis=1)


if __name__ == "__main__":
    run(main)
