"""nerfstudio's transforms.json: camera poses with OpenGL's axes (x right, y up, z backwards) in a z-up world.

The world is the site, so ``applied_transform`` is the identity. Pixels count from the corner of the first one in both.
"""

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pycolmap
from numpy.typing import NDArray

from geometry import TwinError, write_atomic
from twin.export.formats import ExportOptions, require_new_folder
from twin.export.parts import landmark_points
from twin.model import Twin

OPENGL_FROM_OPENCV = np.diag([1.0, -1.0, -1.0, 1.0])
DISTORTION = {
    "SIMPLE_PINHOLE": ("OPENCV", ()),
    "PINHOLE": ("OPENCV", ()),
    "SIMPLE_RADIAL": ("OPENCV", ("k1",)),
    "RADIAL": ("OPENCV", ("k1", "k2")),
    "OPENCV": ("OPENCV", ("k1", "k2", "p1", "p2")),
    "SIMPLE_RADIAL_FISHEYE": ("OPENCV_FISHEYE", ("k1",)),
    "RADIAL_FISHEYE": ("OPENCV_FISHEYE", ("k1", "k2")),
    "OPENCV_FISHEYE": ("OPENCV_FISHEYE", ("k1", "k2", "k3", "k4")),
}
"""nerfstudio's camera model of a COLMAP model, and the names of its parameters after the principal point."""
POINTS_FILE = "sparse_pc.ply"


def write(twin: Twin, out: Path, options: ExportOptions) -> None:
    """Write transforms.json and the landmarks as a point cloud into the folder ``out``.

    Photos are named relative to ``out`` where ``options.images`` says where they are, by the map's names otherwise.
    Raises ``TwinError`` for a lens that nerfstudio has no model of.
    """
    require_new_folder(out)
    prefix = None if options.images is None else Path(os.path.relpath(options.images.resolve(), out.resolve()))
    frames = []
    for image in sorted(twin.reconstruction.images.values(), key=lambda image: image.name):
        if image.has_pose:
            name = image.name if prefix is None else (prefix / image.name).as_posix()
            pose = opengl_pose(image.cam_from_world())
            frames.append({"file_path": name, **intrinsics(image.camera), "transform_matrix": pose.tolist()})
    content = {
        "applied_transform": np.eye(4)[:3].tolist(),
        "ply_file_path": POINTS_FILE,
        "orientation_override": "none",
        "frames": frames,
    }
    write_atomic(out / POINTS_FILE, point_cloud(*landmark_points(twin)))
    write_atomic(out / "transforms.json", (json.dumps(content, indent=1) + "\n").encode())


def opengl_pose(cam_from_site: pycolmap.Rigid3d) -> NDArray[np.float64]:
    """Return site_from_cam (4, 4) of a camera whose axes are OpenGL's."""
    matrix = np.eye(4)
    matrix[:3] = cam_from_site.inverse().matrix()
    return matrix @ OPENGL_FROM_OPENCV


def intrinsics(camera: pycolmap.Camera) -> dict[str, Any]:
    """Return a lens in nerfstudio's words. Raises ``TwinError`` for a model it lacks."""
    if camera.model_name not in DISTORTION:
        known = ", ".join(DISTORTION)
        raise TwinError(f"nerfstudio has no lens model {camera.model_name}", remedy=f"It knows {known}.")
    model, names = DISTORTION[camera.model_name]
    rest = camera.params[len(camera.params) - len(names) :] if names else ()
    return {
        "camera_model": model,
        "w": camera.width,
        "h": camera.height,
        "fl_x": camera.focal_length_x,
        "fl_y": camera.focal_length_y,
        "cx": camera.principal_point_x,
        "cy": camera.principal_point_y,
        **{name: float(value) for name, value in zip(names, rest, strict=True)},
    }


def point_cloud(points: NDArray[np.float64], colours: NDArray[np.uint8]) -> bytes:
    """Return points (N, 3) with colours (N, 3) as a binary PLY file."""
    kinds = [(axis, "<f4") for axis in "xyz"] + [(name, "u1") for name in ("red", "green", "blue")]
    rows = np.zeros(len(points), dtype=kinds)
    for i, (axis, name) in enumerate(zip("xyz", ("red", "green", "blue"), strict=True)):
        rows[axis], rows[name] = points[:, i], colours[:, i]
    words = {"<f4": "float", "u1": "uchar"}
    properties = "".join(f"property {words[kind]} {name}\n" for name, kind in kinds)
    head = f"ply\nformat binary_little_endian 1.0\nelement vertex {len(rows)}\n{properties}end_header\n"
    return head.encode() + rows.tobytes()
