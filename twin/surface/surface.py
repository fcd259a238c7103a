"""The surface of a twin in memory: triangles, their texture, what of it was seen, and rays against it."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geometry import TwinDamagedError
from scenes.rendering.atlas import Atlas, build_atlas
from scenes.rendering.raycasting import Hits, blocked, cast_rays, interpolate, raycaster
from scenes.rendering.shapes import Texture
from twin.surface.backdrop import KIND
from twin.surface.charts import Chart, frames_of
from twin.surface.evidence import Evidence
from twin.surface.files import read_surface, write_surface
from twin.surface.panels import PanelMesh

Array = NDArray[np.float64]

TOUCHING_M = 0.03
"""A point this near to the surface is on it, and not hidden by it."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Surface:
    """What is static of a place, as triangles with a texture.

    mesh: triangles; ``mesh.panel`` are indices into ``charts``
    texture: (R, C, 3) uint8 sRGB, the atlas of all charts; seen: (R, C) bool, False where the colour is a fill
    evidence: what the map says of every element of the plan
    """

    mesh: PanelMesh
    charts: tuple[Chart, ...]
    texture: NDArray[np.uint8]
    seen: NDArray[np.bool_]
    evidence: tuple[Evidence, ...]

    def __post_init__(self) -> None:
        rows, columns = self.seen.shape
        if self.texture.shape != (rows, columns, 3):
            raise TwinDamagedError(f"surface: the texture is {self.texture.shape}, its mask {self.seen.shape}")
        if len(self.mesh.panel) and not 0 <= self.mesh.panel.min() <= self.mesh.panel.max() < len(self.charts):
            raise TwinDamagedError("surface: a triangle has a chart that is not there")
        if len(self.mesh.triangles) and self.mesh.triangles.max() >= len(self.mesh.vertices):
            raise TwinDamagedError("surface: a triangle has a vertex that is not there")
        for chart in self.charts:
            (column, row), (high, wide) = chart.corner, chart.shape
            if min(column, row) < 0 or min(high, wide) < 1 or row + high > rows or column + wide > columns:
                raise TwinDamagedError(f"surface: the chart of {chart.element} lies outside of the texture")

    @cached_property
    def is_solid(self) -> NDArray[np.bool_]:
        """Which triangles (T,) are the surface's own, and not its backdrop's."""
        return np.array([chart.kind != KIND for chart in self.charts], dtype=bool)[self.mesh.panel]

    @cached_property
    def raycasting(self) -> Any:
        """Open3D's ray caster of all triangles, ids of hits being rows of ``mesh.triangles``; backdrop included."""
        return raycaster(self.mesh.vertices, self.mesh.triangles)

    @cached_property
    def _solid_raycasting(self) -> Any:
        return raycaster(self.mesh.vertices, self.mesh.triangles[self.is_solid])

    @cached_property
    def atlas(self) -> Atlas:
        """The charts' textures with their pyramids, to sample."""
        return build_atlas([Texture(image=self.texture[chart.place], px_per_m=chart.px_per_m) for chart in self.charts])

    @cached_property
    def triangle_normals(self) -> NDArray[np.float32]:
        """Unit normals (T, 3) of the triangles' fronts."""
        return np.array([chart.normal for chart in self.charts], dtype=np.float32)[self.mesh.panel]

    @cached_property
    def axes(self) -> NDArray[np.float32]:
        """Right and down (C, 2, 3) of the charts."""
        return np.array([chart.axes for chart in self.charts], dtype=np.float32)

    @cached_property
    def frames(self) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]:
        """What ``frames_of`` says of the charts."""
        return frames_of(self.charts)

    def uv_of(self, hits: Hits) -> NDArray[np.float32]:
        """Return where (N, 2) on their charts hits are, metres."""
        return interpolate(self.mesh.uv[self.mesh.triangles[hits.triangle]], hits.barycentric)

    def cast(self, centre: Array, rays: NDArray[np.float32]) -> Hits:
        """Return what rays (N, 3) from ``centre`` (3,) hit first."""
        return cast_rays(self.raycasting, np.asarray(centre, dtype=np.float32), rays)

    def visible(self, points: Array, centre: Array) -> NDArray[np.bool_]:
        """Tell which points (N, 3) in site are not hidden from a camera at ``centre`` (3,) by the surface.

        Points on the surface count as visible from its either side, as the map's landmarks are near it, not on it.
        """
        rays = np.asarray(centre, dtype=np.float64) - np.asarray(points, dtype=np.float64).reshape(-1, 3)
        length = np.linalg.norm(rays, axis=1)
        start = points + rays * np.minimum(TOUCHING_M / np.maximum(length, 1e-9), 1.0)[:, None]
        hidden = blocked(self._solid_raycasting, start.astype(np.float32), (centre - start).astype(np.float32), 1.0)
        return ~hidden & np.isfinite(length)

    def save(self, folder: Path) -> None:
        """Write mesh.ply and surface/ into the folder of a twin, which must exist."""
        write_surface(
            folder,
            mesh=self.mesh,
            charts=self.charts,
            texture=self.texture,
            seen=self.seen,
            evidence=self.evidence,
        )

    @classmethod
    def load(cls, folder: Path) -> "Surface":
        """Read the surface in the folder of a twin.

        Raises ``TwinDamagedError`` for missing or wrong content, ``TwinFormatError`` for a newer format.
        """
        parts = read_surface(folder)
        try:
            return cls(**parts)
        except TwinDamagedError as error:
            raise TwinDamagedError(error.what, where=str(folder), remedy="Make the surface again.") from error
