"""Fixed cameras calibrated from their own pictures, and noticed when they were moved; in rendered and real places.

Parts, each by itself or several with commas: ``known`` and ``unknown`` (every camera of rendered facilities, lens given
or not), ``health`` (a day of frames with moves), ``real`` (MEVA, MultiviewX, WILDTRACK, focal lengths of Strecha and
7-Scenes), ``together`` (WILDTRACK's cameras, spoilt and adjusted by shared feet). Scenes and twins are looked for in
--folder and made where they are missing, which takes an hour; the parts that were not asked for stay in the result.
"""

import argparse
import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.calibration_cameras import measure_cameras
from benchmarks.calibration_health import measure_health
from benchmarks.calibration_real import measure_real
from benchmarks.calibration_together import measure_together
from benchmarks.protocol import ROOT, describe_machine, print_table, run
from geometry import write_atomic

Part = Callable[[argparse.Namespace], dict[str, Any]]
PARTS: dict[str, Part] = {
    "known": lambda given: measure_cameras(given.folder, known=True, scenes=given.scenes, seeds=given.seeds),
    "unknown": lambda given: measure_cameras(given.folder, known=False, scenes=given.scenes, seeds=given.seeds),
    "health": lambda given: measure_health(given.folder, render=not given.no_render),
    "real": lambda given: measure_real(given.data, given.folder),
    "together": lambda given: measure_together(given.data),
}


def main() -> None:
    """Measure the parts, print the table and write the result as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data", help="folder of the data sets")
    parser.add_argument("--folder", type=Path, help="where scenes, twins and frames are kept; else they are not")
    parser.add_argument("--parts", default=",".join(PARTS), help=f"of {', '.join(PARTS)}, with commas")
    parser.add_argument("--scenes", default="garage,lot", help="names of the library, with commas")
    parser.add_argument("--seeds", default="11,12,13", help="days, with commas")
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results" / "calibration.json")
    parser.add_argument("--no-render", action="store_true", help="judge health by the frames that are there")
    given = parser.parse_args()
    machine = describe_machine()
    machine["command"] = f"python -m benchmarks.calibration --parts {given.parts} --folder FOLDER"
    content = json.loads(given.out.read_text("utf-8")) if given.out.exists() else {}
    with tempfile.TemporaryDirectory() as scratch:
        given.folder = given.folder or Path(scratch)
        for name in given.parts.split(","):
            content[name] = {"machine": machine} | PARTS[name](given)
            write_atomic(given.out, json.dumps(content, indent=1).encode() + b"\n")
            print_table(["", "measured", "bound", ""], content[name]["table"])
    print(f"written to {given.out}")


if __name__ == "__main__":
    run(main)
