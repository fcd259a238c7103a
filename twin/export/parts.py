"""What of a twin goes into a 3D file: its textured surface, landmarks and fixed cameras, in site metres."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from geometry import FixedCamera, TwinError, read_cameras_json
from twin.model import Twin
from twin.surface import Surface

CAMERAS_FILE = "cameras.json"


@dataclass(frozen=True, kw_only=True, eq=False)
class TexturedMesh:
    """Triangles with a texture.

    vertices: (V, 3) float32, site metres; triangles: (T, 3) int64, counter-clockwise seen from the front
    uv: (V, 2) float32 in [0, 1], v upwards from the texture's bottom; texture: (R, C, 3) uint8 sRGB
    """

    vertices: NDArray[np.float32]
    triangles: NDArray[np.int64]
    uv: NDArray[np.float32]
    texture: NDArray[np.uint8]


@dataclass(frozen=True, kw_only=True, eq=False)
class Parts:
    """``mesh`` is None where the twin has no surface; points: (L, 3) float64 of landmarks, colours: (L, 3) uint8."""

    mesh: TexturedMesh | None
    points: NDArray[np.float64]
    colours: NDArray[np.uint8]
    cameras: tuple[FixedCamera, ...]


def parts_of(twin: Twin) -> Parts:
    """Return what a 3D file of a twin holds. Raises ``TwinError`` where there is nothing to show."""
    surface = twin.surface
    points, colours = landmark_points(twin)
    if surface is None and not len(points):
        raise TwinError("has neither a surface nor landmarks", where=str(twin.folder), remedy="Map it again.")
    mesh = None if surface is None else textured_mesh(surface)
    return Parts(mesh=mesh, points=points, colours=colours, cameras=fixed_cameras(twin.folder))


def landmark_points(twin: Twin) -> tuple[NDArray[np.float64], NDArray[np.uint8]]:
    """Return positions (L, 3) in site of the landmarks and the colours (L, 3) they were seen with."""
    points = twin.reconstruction.points3D
    known = [int(id) for id in twin.landmarks.ids if int(id) in points]
    colours = np.array([points[id].color for id in known], dtype=np.uint8).reshape(-1, 3)
    kept = np.isin(twin.landmarks.ids, np.array(known, dtype=np.int64))
    return np.asarray(twin.landmarks.points)[kept], colours


def fixed_cameras(folder: Path) -> tuple[FixedCamera, ...]:
    """Return the fixed cameras of a twin's folder, none where it names none."""
    path = folder / CAMERAS_FILE
    return read_cameras_json(path) if path.is_file() else ()


def textured_mesh(surface: Surface) -> TexturedMesh:
    """Return a surface without its backdrop, as one mesh with one texture.

    A vertex belongs to one chart in ``surface``, so that texture coordinates can be given to vertices.
    """
    mesh, (rows, columns) = surface.mesh, surface.seen.shape
    triangles = mesh.triangles[surface.is_solid].astype(np.int64)
    owner = np.zeros(len(mesh.vertices), dtype=np.int64)
    owner[mesh.triangles] = mesh.panel[:, None]
    corner, _, density = surface.frames
    texel = mesh.uv * density[owner, None] + corner[owner]
    uv = texel / (columns, rows) * (1, -1) + (0, 1)
    used, compact = np.unique(triangles, return_inverse=True)
    return TexturedMesh(
        vertices=mesh.vertices[used],
        triangles=compact.reshape(-1, 3),
        uv=uv[used].astype(np.float32),
        texture=surface.texture,
    )
