"""Localization in a 7-Scenes kitchen: odd frames in a map of the even ones at true poses, beside plain pycolmap.

The truth is good to a few pixels, so answers are judged at 5 cm and 5 degrees. Usage:

    python -m benchmarks.sevenscenes [--data DIR] [--out FILE]
"""

import tempfile
from pathlib import Path
from typing import Any

from benchmarks.known_poses import compare
from benchmarks.protocol import describe_machine, load_sevenscenes, parse_arguments, print_table, run, write_results

BOUND = (0.05, 5.0)
"""Metres and degrees, both to be met."""
TRUTH_SIGMA_M = 0.02
"""Of a coordinate of the published positions (KinectFusion), about what 4.5 px of pose error come to."""


def within_bound(figures: dict[str, Any]) -> float:
    """Return the share of all queries that were localized within ``BOUND``."""
    errors = [(row["error_m"], row["error_deg"]) for row in figures["per_query"] if row["error_m"] is not None]
    return sum(metres <= BOUND[0] and degrees <= BOUND[1] for metres, degrees in errors) / figures["queries"]


def rows(result: dict[str, Any]) -> list[list[object]]:
    """Return the lines of the table."""
    figures = [result["ours"], result["plain"]]
    table: list[list[object]] = [
        ["localized", *(f"{f['localized']} of {f['queries']}" for f in figures), None],
        [
            "within 5 cm, 5 deg",
            *(within_bound(f) for f in figures),
            within_bound(figures[0]) / within_bound(figures[1]),
        ],
    ]
    for title, key, scale in (("median error mm", "position_error_m", 1e3), ("median s a query", "seconds", 1.0)):
        ours, plain = (f[key]["median"] * scale for f in figures)
        table.append([title, ours, plain, ours / plain])
    return table


def main() -> None:
    """Measure, print a table and write the result as JSON."""
    arguments = parse_arguments(__doc__, "sevenscenes")
    machine = describe_machine()
    with tempfile.TemporaryDirectory() as scratch:
        result = compare(load_sevenscenes(arguments.data / "sevenscenes"), Path(scratch), TRUTH_SIGMA_M)
    for name in ("ours", "plain"):
        result[name]["share_within_5cm_5deg"] = within_bound(result[name])
    print_table(["7-Scenes kitchen", "ours", "plain", "ratio"], rows(result))
    write_results(arguments.out, {"truth_sigma_m": TRUTH_SIGMA_M, "sevenscenes": result}, machine)


if __name__ == "__main__":
    run(main)
