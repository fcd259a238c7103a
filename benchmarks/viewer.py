"""The viewer: a window on a virtual display beside the picture without one, and how quickly many landmarks are drawn.

OpenGL is Mesa's, in software. Run it under a display, such as

    xvfb-run -a python -m benchmarks.viewer TWIN... [--points 1000000]
"""

import argparse
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from benchmarks.protocol import ROOT, describe_machine, print_table, write_results
from twin import Twin
from twin.viewer import Contents, Viewpoint, contents_of, overview, render, through
from twin.viewer.window import Window

SIZE = (960, 720)
SMOOTH_PX, FAR = 1.5, 24.0
SPREAD_M = 0.3


def main() -> None:
    """Measure and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("twins", nargs="+", type=Path)
    parser.add_argument("--points", type=int, default=1_000_000)
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results" / "viewer.json")
    arguments = parser.parse_args()
    machine, found = describe_machine(), {}
    for folder in arguments.twins:
        contents = contents_of(Twin.open(folder))
        views = {"overview": overview(contents.around, *SIZE)}
        views |= {camera.id: _resized(through(camera)) for camera in contents.cameras[:3]}
        found[folder.name] = {
            "landmarks": len(contents.landmarks),
            "same": {name: compared(contents, view) for name, view in views.items()},
        }
        found[folder.name]["many"] = many(contents, arguments.points)
        print_table([folder.name, ""], [[key, str(value)] for key, value in found[folder.name].items()])
    write_results(arguments.out, found, machine)


def compared(contents: Contents, viewpoint: Viewpoint) -> dict[str, Any]:
    """Return how far window and picture are apart, of 255, after smoothing both by 1.5 pixels."""
    begun = time.perf_counter()
    picture = render(contents, viewpoint)
    taken = time.perf_counter() - begun
    window = Window(contents, size=SIZE, visible=False)
    window.look(viewpoint)
    apart = np.abs(_smooth(window.picture()) - _smooth(picture)).max(axis=-1)
    window.close()
    return {"mean": float(apart.mean()), "share_over_24": float((apart > FAR).mean()), "picture_s": taken}


def many(contents: Contents, count: int) -> dict[str, Any]:
    """Return frames a second with so many landmarks, made of the twin's with noise, and after thinning."""
    rng = np.random.default_rng(0)
    rows = rng.integers(0, len(contents.landmarks), count)
    landmarks = contents.landmarks[rows]
    landmarks = replace(landmarks, positions=landmarks.positions + rng.normal(0, SPREAD_M, (count, 3)))
    crowd = replace(contents, landmarks=landmarks, modes={"photo": contents.modes["photo"][rows]})
    window = Window(crowd, size=SIZE, visible=False)
    all_of_them = window.seconds_a_frame()
    shown = window.thin()
    thinned = window.seconds_a_frame()
    window.close()
    return {"points": count, "frames_per_s": 1 / all_of_them, "shown": shown, "frames_per_s_thinned": 1 / thinned}


def _resized(viewpoint: Viewpoint) -> Viewpoint:
    """Return a camera's view at the window's size, as the window takes it."""
    from twin.viewer.viewpoint import pinhole

    focal = viewpoint.camera.focal_length_y * SIZE[1] / viewpoint.camera.height
    return replace(viewpoint, camera=pinhole(*SIZE, focal))


def _smooth(picture: Any) -> Any:
    return cv2.GaussianBlur(picture.astype(np.float32), (0, 0), SMOOTH_PX)


if __name__ == "__main__":
    main()
