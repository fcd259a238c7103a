"""glTF 2.0 in one binary file, by trimesh: y up, metres, textures embedded.

glTF has y up where the site has z: (x, y, z) of the site is (x, z, -y). The root node ``site`` carries this turn, and
everything below it keeps its site coordinates.
"""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geometry import FixedCamera, InputError, MissingExtraError, write_atomic
from twin.export.formats import ExportOptions
from twin.export.parts import Parts, TexturedMesh, parts_of
from twin.model import Twin

YUP_FROM_SITE = np.array([[1.0, 0, 0, 0], [0, 0, 1, 0], [0, -1, 0, 0], [0, 0, 0, 1]])
FRUSTUM_M = 0.6
"""How far in front of a fixed camera its frustum is drawn."""
FRUSTUM_EDGES = np.array([[0, 1], [0, 2], [0, 3], [0, 4], [1, 2], [2, 3], [3, 4], [4, 1]])
CAMERA_COLOUR = (255, 140, 0, 255)


def write(twin: Twin, out: Path, options: ExportOptions) -> None:
    """Write the twin's surface, landmarks and fixed cameras. Raises ``InputError`` where ``out`` is no .glb."""
    if out.suffix.lower() != ".glb":
        raise InputError("a glTF binary is named *.glb", where=str(out), remedy="Choose another --out.")
    write_atomic(out, glb_of(parts_of(twin)))


def glb_of(parts: Parts) -> bytes:
    """Return the file's content. Raises ``MissingExtraError`` without trimesh."""
    try:
        import trimesh
    except ImportError as error:
        raise MissingExtraError("trimesh", "pip install 'tiepoint[export]'") from error
    scene = trimesh.Scene(base_frame="world")
    scene.graph.update(frame_to="site", frame_from="world", matrix=YUP_FROM_SITE)
    if parts.mesh is not None:
        scene.add_geometry(_surface(trimesh, parts.mesh), node_name="surface", parent_node_name="site")
    if len(parts.points):
        cloud = trimesh.PointCloud(parts.points, colors=parts.colours)
        scene.add_geometry(cloud, node_name="landmarks", parent_node_name="site")
    for camera in parts.cameras:
        scene.add_geometry(_frustum(trimesh, camera), node_name=f"camera {camera.id}", parent_node_name="site")
    content: bytes = scene.export(file_type="glb")
    return content


def _surface(trimesh: Any, mesh: TexturedMesh) -> Any:
    from PIL import Image

    material = trimesh.visual.material.PBRMaterial(
        name="surface",
        baseColorTexture=Image.fromarray(mesh.texture),
        metallicFactor=0.0,
        roughnessFactor=1.0,
        doubleSided=True,
    )
    visual = trimesh.visual.TextureVisuals(uv=mesh.uv, material=material)
    return trimesh.Trimesh(mesh.vertices, mesh.triangles, visual=visual, process=False)


def _frustum(trimesh: Any, camera: FixedCamera) -> Any:
    segments = frustum_corners(camera)[FRUSTUM_EDGES]
    path = trimesh.load_path(segments)
    path.colors = np.tile(np.array(CAMERA_COLOUR, dtype=np.uint8), (len(path.entities), 1))
    return path


def frustum_corners(camera: FixedCamera, length_m: float = FRUSTUM_M) -> NDArray[np.float64]:
    """Return in site the centre and, ``length_m`` before it, the image's corners (5, 3), clockwise from the top left.

    Corners that the lens model has no ray for are pulled in to where it has one.
    """
    lens = camera.camera()
    corners = np.array([[0.0, 0.0], [lens.width, 0.0], [lens.width, lens.height], [0.0, lens.height]])
    middle = np.array([lens.principal_point_x, lens.principal_point_y])
    rays = np.zeros((4, 2))
    for shrink in (1.0, 0.9, 0.75, 0.5):
        found = lens.cam_from_img(middle + (corners - middle) * shrink)
        rays = np.array(found, dtype=np.float64).reshape(-1, 2)
        if np.isfinite(rays).all():
            break
    in_camera = np.vstack([np.zeros(3), np.column_stack([rays, np.ones(4)]) * length_m])
    site_from_cam = camera.pose().inverse().matrix()
    corners_in_site: NDArray[np.float64] = in_camera @ site_from_cam[:, :3].T + site_from_cam[:, 3]
    return corners_in_site
