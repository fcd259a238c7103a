"""First hits and shadow rays against triangles, by Open3D's ``RaycastingScene`` (Embree)."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True, eq=False)
class Hits:
    """Where N rays first hit triangles.

    distance: (N,) float32 in units of the ray's direction, inf for a miss
    triangle: (N,) int64, meaningless for a miss
    barycentric: (N, 3) float32, weights of the triangle's corners
    normal: (N, 3) float32, unit normals on the triangle's front
    """

    distance: FloatArray
    triangle: NDArray[np.int64]
    barycentric: FloatArray
    normal: FloatArray


def raycaster(vertices: FloatArray, triangles: NDArray[np.uint32]) -> Any:
    """Return Open3D's ray caster for a mesh; triangle ids of hits are rows of ``triangles``."""
    import open3d as o3d

    scene = o3d.t.geometry.RaycastingScene()
    scene.add_triangles(o3d.core.Tensor.from_numpy(vertices), o3d.core.Tensor.from_numpy(triangles))
    return scene


def cast_rays(scene: Any, starts: FloatArray, directions: FloatArray) -> Hits:
    """Cast rays from ``starts`` (N, 3) or (3,) along ``directions`` (N, 3), which need not be unit vectors."""
    hits = scene.cast_rays(_packed(starts, directions))
    second_third = hits["primitive_uvs"].numpy()
    barycentric = np.empty((len(directions), 3), dtype=np.float32)
    barycentric[:, 1:] = second_third
    barycentric[:, 0] = 1 - second_third[:, 0] - second_third[:, 1]
    return Hits(
        distance=hits["t_hit"].numpy(),
        triangle=hits["primitive_ids"].numpy().astype(np.int64),
        barycentric=barycentric,
        normal=hits["primitive_normals"].numpy(),
    )


def subset(hits: Hits, rows: NDArray[np.integer]) -> Hits:
    """Return some of the hits."""
    return Hits(
        distance=hits.distance[rows],
        triangle=hits.triangle[rows],
        barycentric=hits.barycentric[rows],
        normal=hits.normal[rows],
    )


def blocked(scene: Any, starts: FloatArray, directions: FloatArray, reach: float = np.inf) -> NDArray[np.bool_]:
    """Tell (N,) which rays meet something within ``reach`` times their direction's length."""
    return scene.test_occlusions(_packed(starts, directions), tfar=reach).numpy()


def interpolate(corners: FloatArray, barycentric: FloatArray) -> FloatArray:
    """Blend values (N, 3, K) of triangles' corners by barycentric weights (N, 3)."""
    return np.einsum("nc,nck->nk", barycentric, corners)


def _packed(starts: FloatArray, directions: FloatArray) -> Any:
    import open3d as o3d

    rays = np.empty((len(directions), 6), dtype=np.float32)
    rays[:, :3], rays[:, 3:] = starts, directions
    return o3d.core.Tensor.from_numpy(rays)
