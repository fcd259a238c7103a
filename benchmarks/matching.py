"""How many matches of real photo pairs are right, and how long extracting and matching take.

A match is right if each point lies within 2 px of the true epipolar line of the other. Usage:

    python -m benchmarks.matching [--data DIR] [--out FILE]

where DIR/strecha holds fountain-P11 and castle-P30, each with images/ and cameras.json (K, R, t with integer pixel
centres; Strecha et al., CVPR 2008).
"""

import json
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.protocol import describe_machine, parse_arguments, print_table, run, write_results
from geometry.frames import OPENCV_PIXEL_OFFSET, skew
from perception.features import Extractor, make_extractor
from perception.images import read_image
from perception.matching import Matcher, make_matcher

PAIRS = {
    "fountain-P11": [(3, 4), (2, 5), (1, 7)],
    "castle-P30": [(4, 5), (4, 7), (10, 12), (18, 21), (0, 15)],
}
MATCHERS: dict[str, Callable[[], Matcher]] = {
    "mutual-ratio 0.8": lambda: make_matcher("mutual-ratio", ratio=0.8),
    "mutual-ratio 0.9": lambda: make_matcher("mutual-ratio", ratio=0.9),
    "mutual": lambda: make_matcher("mutual-ratio", ratio=1.0),
    "adalam": lambda: make_matcher("adalam"),
}
EXTRACTORS = ("sift", "sift-colmap", "xfeat")
RIGHT_WITHIN_PX = 2.0
MAX_FEATURES = 4096
REPEATS = 3


def fundamental_matrix(a: dict[str, Any], b: dict[str, Any]) -> NDArray[np.float64]:
    """Return F (3, 3) with x_b^T F x_a = 0 in our pixels, from two cameras x_cam = R X + t."""
    calibrations = [np.array(camera["K"], dtype=np.float64) for camera in (a, b)]
    for calibration in calibrations:
        calibration[:2, 2] += OPENCV_PIXEL_OFFSET
    b_from_a = np.array(b["R"]) @ np.array(a["R"]).T
    translation = np.array(b["t"]) - b_from_a @ np.array(a["t"])
    inverse_a, inverse_b = (np.linalg.inv(calibration) for calibration in calibrations)
    return np.asarray(inverse_b.T @ skew(translation) @ b_from_a @ inverse_a)


def epipolar_distances_px(
    fundamental: NDArray[np.float64], points_a: NDArray[np.floating], points_b: NDArray[np.floating]
) -> NDArray[np.float64]:
    """Return for matches (M, 2), (M, 2) the larger of the two distances to the epipolar lines (M,) px."""
    a, b = (np.column_stack([points, np.ones(len(points))]) for points in (points_a, points_b))
    lines_b, lines_a = a @ fundamental.T, b @ fundamental
    residual = np.abs(np.sum(b * lines_b, axis=1))
    return np.asarray(residual / np.minimum(np.hypot(*lines_a.T[:2]), np.hypot(*lines_b.T[:2])))


def timed(call: Callable[[], Any]) -> tuple[Any, float]:
    """Return the result of ``call`` and the median of its seconds after a warm-up."""
    result, seconds = call(), []
    for _ in range(REPEATS):
        start = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - start)
    return result, median(seconds)


def measure_pair(extractor: Extractor, folder: Path, scene: str, pair: tuple[int, int]) -> list[dict[str, Any]]:
    """Return one row a matcher for one pair of photos."""
    cameras = json.loads((folder / scene / "cameras.json").read_text())["cameras"]
    fundamental = fundamental_matrix(cameras[pair[0]], cameras[pair[1]])
    photos = [read_image(folder / scene / "images" / cameras[i]["name"]).gray for i in pair]
    (a, seconds_a), (b, seconds_b) = (timed(partial(extractor.extract, photo)) for photo in photos)
    rows = []
    for name, make in MATCHERS.items():
        matches, seconds = timed(partial(make().match, a, b))
        points_a, points_b = a.keypoints[matches.indices[:, 0]], b.keypoints[matches.indices[:, 1]]
        right = int(np.sum(epipolar_distances_px(fundamental, points_a, points_b) < RIGHT_WITHIN_PX))
        rows.append(
            {
                "scene": scene,
                "pair": f"{pair[0]}-{pair[1]}",
                "features": extractor.kind,
                "matcher": name,
                "found": min(len(a), len(b)),
                "right": right,
                "all": len(matches),
                "extract_ms": round(500 * (seconds_a + seconds_b), 1),
                "match_ms": round(1000 * seconds, 1),
            }
        )
    return rows


def main() -> None:
    """Measure every pair, print a table and write the results as JSON."""
    arguments = parse_arguments(__doc__, "matching")
    machine = describe_machine()
    rows = []
    for kind in EXTRACTORS:
        extractor = make_extractor(kind, max_features=MAX_FEATURES)
        for scene, pairs in PAIRS.items():
            for pair in pairs:
                rows += measure_pair(extractor, arguments.data / "strecha", scene, pair)
    rows.sort(key=lambda row: (row["scene"], row["pair"]))
    print_table(list(rows[0]), [list(row.values()) for row in rows])
    write_results(arguments.out, {"repeats": REPEATS, "max_features": MAX_FEATURES, "rows": rows}, machine)


if __name__ == "__main__":
    run(main)
