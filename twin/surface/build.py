"""From a floor plan, the map's landmarks and its photos to a surface: start reading here."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geometry import FloorPlan, InputError
from scenes.rendering.raycasting import raycaster
from twin.landmarks import Landmarks
from twin.photos import MapPhoto
from twin.progress import Progress, silent
from twin.surface.backdrop import KIND, backdrop_panels
from twin.surface.charts import Chart, lay_out
from twin.surface.clutter import Clutter, clutter_of, exclusion_heights
from twin.surface.evidence import Evidence, cut_by_evidence
from twin.surface.extrusion import extrude
from twin.surface.panels import Panel, PanelMesh, mesh_of
from twin.surface.photographs import Photographs
from twin.surface.rays import rays_of
from twin.surface.surface import Surface
from twin.surface.surroundings import KINDS as AROUND
from twin.surface.surroundings import surroundings
from twin.surface.texturing import texture
from twin.surface.tiles import Tile, tiles_of

Array = NDArray[np.float64]

FINE_KINDS = ("pillar", "exclusion", "sign")


@dataclass(frozen=True, kw_only=True)
class SurfaceOptions:
    """How a surface is made.

    texel_m: edge of a texel of floors, ceilings and walls; fine_texel_m: of pillars, exclusions and signs
    backdrop_texel_m: of what lies beyond the plan; unseen_texel_m: of panels that no photo sees
    views: photos a texel is blended from, at most
    max_side: photos are reduced to as many pixels; photos_in_memory: decoded at a time, about 3 MB each at 640 x 480
    seed: of the texels that exposure is balanced with
    """

    texel_m: float = 0.025
    fine_texel_m: float = 0.0125
    backdrop_texel_m: float = 0.1
    unseen_texel_m: float = 0.5
    views: int = 10
    max_side: int = 1600
    photos_in_memory: int = 200
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("texel_m", "fine_texel_m", "backdrop_texel_m", "unseen_texel_m"):
            if not 1e-3 <= getattr(self, name) <= 10:
                raise InputError(f"{name} is 0.001 to 10 m, got {getattr(self, name)}")
        if not (1 <= self.views <= 64 and self.max_side >= 32 and self.photos_in_memory >= 1):
            raise InputError("views are 1 to 64, max_side is at least 32, and at least one photo is in memory")


def build_surface(
    plan: FloorPlan,
    landmarks: Landmarks | None,
    photos: Sequence[MapPhoto],
    options: SurfaceOptions | None = None,
    on_progress: Progress = silent,
) -> Surface:
    """Extrude the plan, add what the map saw around, cut it by what was seen through it, and colour it from the photos.

    Without landmarks nothing is cut, exclusions have no height, and nothing is known of what stands about. A plan of
    levels alone, such as ``geometry.plan_levels`` makes of the map, gives floors. Raises ``InputError`` where no photo
    or no floor is there.
    """
    options = options or SurfaceOptions()
    photographs = Photographs(photos, max_side=options.max_side, in_memory=options.photos_in_memory)
    rays = rays_of(landmarks, photos)
    first = np.unique(rays.landmark, return_index=True)[1]
    points = rays.points[first]
    on_progress("surface", 0, 1)
    around = surroundings(plan, points, rays.sigmas[first], np.random.default_rng(options.seed))
    panels, evidence = cut_by_evidence([*extrude(plan, exclusion_heights(plan, points)), *around], rays)
    clutter = clutter_of(plan, points, _distances(panels, points))
    on_progress("surface", 1, 1)
    return _coloured(
        [*panels, *backdrop_panels(plan, points, [each for each in panels if each.kind in AROUND])],
        evidence,
        clutter,
        photographs,
        options,
        on_progress,
    )


def _coloured(
    panels: list[Panel],
    evidence: list[Evidence],
    clutter: Clutter,
    photographs: Photographs,
    options: SurfaceOptions,
    on_progress: Progress,
) -> Surface:
    if all(panel.kind in (KIND, *AROUND) for panel in panels):
        raise InputError("nothing of the plan is left", remedy="Check that plan and map are in one frame.")
    mesh = mesh_of(panels)
    charts, shape, tiles = _charted(panels, mesh, photographs, options)
    solid = np.array([panel.kind != KIND for panel in panels])[mesh.panel]
    occluders = _occluders(mesh.vertices, mesh.triangles[solid], clutter)
    coloured = texture(charts, shape, tiles, photographs, occluders, np.random.default_rng(options.seed), on_progress)
    return Surface(
        mesh=mesh,
        charts=tuple(charts),
        texture=coloured.atlas,
        seen=coloured.seen,
        evidence=tuple(evidence),
    )


def _charted(
    panels: Sequence[Panel], mesh: PanelMesh, photographs: Photographs, options: SurfaceOptions
) -> tuple[list[Chart], tuple[int, int], list[Tile]]:
    """Return charts, the atlas' shape and the tiles; panels that no photo sees get coarse charts."""
    scene = raycaster(mesh.vertices, mesh.triangles)
    fine, far = (
        dict.fromkeys(FINE_KINDS, options.fine_texel_m),
        dict.fromkeys((KIND, *AROUND), options.backdrop_texel_m),
    )
    density = [1 / (fine | far).get(panel.kind, options.texel_m) for panel in panels]
    charts, _ = lay_out(panels, density)
    tiles = tiles_of(charts, mesh, scene, photographs, options.views)
    seen = {tile.chart for tile in tiles if tile.photos}
    density = [d if index in seen else 1 / options.unseen_texel_m for index, d in enumerate(density)]
    charts, shape = lay_out(panels, density)
    return charts, shape, tiles_of(charts, mesh, scene, photographs, options.views)


def _occluders(vertices: NDArray[np.float32], triangles: NDArray[np.uint32], clutter: Clutter) -> Any:
    """Return the ray caster of what hides: triangles of the surface, and what stands about."""
    more, their_triangles = clutter.mesh()
    return raycaster(
        np.concatenate([vertices, more]), np.concatenate([triangles, their_triangles + np.uint32(len(vertices))])
    )


def _distances(panels: Sequence[Panel], points: Array) -> Array:
    """Return the distance (N,) of points (N, 3) from the nearest panel."""
    import open3d as o3d

    if not len(points):
        return np.zeros(0)
    mesh = mesh_of(panels)
    scene = raycaster(mesh.vertices, mesh.triangles)
    return np.asarray(scene.compute_distance(o3d.core.Tensor.from_numpy(points.astype(np.float32))).numpy(), np.float64)
