"""What a fixed camera could see of objects and what it does see, by casting rays and nothing else."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geometry.cameras import project, scaled
from geometry.errors import InputError
from geometry.frames import position_of, transform_points
from geometry.records import FixedCamera
from scenes.captures.boxes import Bbox, Box
from scenes.rendering import Instance, Model, Shape
from scenes.rendering.raycasting import cast_rays, raycaster
from scenes.rendering.rays import Sphere, bounding_sphere, camera_rays, rays_in_site
from scenes.traffic import TrafficObject

FloatArray = NDArray[np.float32]
Pixels = NDArray[np.int64]

MAX_REDUCTION = 8


@dataclass(frozen=True, kw_only=True, eq=False)
class Outline:
    """The pixels that would show an object if nothing stood before it, flat indices (P,), and its depth there (P,)."""

    instance: Instance
    pixels: Pixels
    depth: FloatArray


def building_raycaster(shapes: Sequence[Shape]) -> Any:
    """Return a ray caster of the static shapes of a building."""
    starts = np.cumsum([0, *(len(shape.vertices) for shape in shapes)])
    triangles = [shape.triangles + np.uint32(start) for shape, start in zip(shapes, starts, strict=False)]
    return raycaster(np.concatenate([shape.vertices for shape in shapes]), np.concatenate(triangles))


class CameraView:
    """A fixed camera before a building in which some objects stand still; tells the boxes of all objects.

    With ``reduction`` r, only the middles of blocks of r x r pixels are looked at: r^2 times faster, boxes r px coarse.
    """

    def __init__(
        self,
        camera: FixedCamera,
        building: Any,
        parked: Sequence[Instance],
        objects: Mapping[str, TrafficObject],
        reduction: int = 1,
    ) -> None:
        """Cast the building and what is parked once; ``objects`` by id, of all that is ever seen."""
        if not 1 <= reduction <= MAX_REDUCTION or camera.width % reduction or camera.height % reduction:
            raise InputError(
                f"can't look at every {reduction}th pixel of {camera.width} x {camera.height}",
                where=f"camera '{camera.id}'",
                remedy=f"Take a divisor of both, at most {MAX_REDUCTION}.",
            )
        self.camera, self.reduction, self._objects = camera, reduction, objects
        self._lens, self._cam_from_site = camera.camera(), camera.pose()
        self._width = camera.width // reduction
        grid = camera_rays(scaled(self._lens, self._width, camera.height // reduction))
        self._known = grid.known.ravel()
        self._eye = position_of(self._cam_from_site)
        self._rays = rays_in_site(grid.rays, self._cam_from_site).reshape(-1, 3)
        self._bearings = np.ascontiguousarray(self._rays.T / np.linalg.norm(self._rays, axis=1))
        self._walls = cast_rays(building, self._eye.astype(np.float32), self._rays).distance
        self._parked = self._outlines(parked)
        self._depth, self._front = self._walls.copy(), np.full(len(self._rays), -1, dtype=np.int32)
        _draw(self._parked, self._depth, self._front, 0)

    def boxes(self, time: float, moving: Sequence[Instance]) -> tuple[Box, ...]:
        """Return the boxes of a frame, what is parked first, exposed at ``time`` by the camera's clock.

        What would not be seen even if it were the only object, behind a wall or out of the picture, has no box.
        """
        depth, front = self._depth.copy(), self._front.copy()
        outlines = [*self._parked, *self._outlines(moving)]
        _draw(outlines[len(self._parked) :], depth, front, len(self._parked))
        return tuple(self._box(time, outline, front[outline.pixels] == i) for i, outline in enumerate(outlines))

    def _outlines(self, instances: Sequence[Instance]) -> list[Outline]:
        outlines = [self._outline(instance) for instance in instances]
        return [outline for outline in outlines if (outline.depth < self._walls[outline.pixels]).any()]

    def _outline(self, instance: Instance) -> Outline:
        """Cast the rays that may meet a model, in its own frame, so that its ray caster serves all frames."""
        caster, (centre, radius) = _model_raycaster(instance.model)
        pixels = self._pixels_towards(transform_points(instance.site_from_model, centre), radius)
        model_from_site = instance.site_from_model.inverse()
        eye = transform_points(model_from_site, self._eye).astype(np.float32)
        rays = self._rays[pixels] @ model_from_site.rotation.matrix().T.astype(np.float32)
        depth = cast_rays(caster, eye, rays).distance
        hit = np.isfinite(depth)
        return Outline(instance=instance, pixels=pixels[hit], depth=depth[hit])

    def _pixels_towards(self, centre: NDArray[np.float64], radius: float) -> Pixels:
        """Return the pixels whose rays lie in the cone around a sphere, all of them from inside it."""
        offset = centre - self._eye
        distance = float(np.linalg.norm(offset))
        if distance <= radius:
            return np.flatnonzero(self._known)
        x, y, z = self._bearings
        a, b, c = (offset / distance).astype(np.float32)
        least = np.float32(np.sqrt(1.0 - (radius / distance) ** 2) - 1e-5)
        # three products: BLAS takes fifty times as long for a tall matrix of three columns
        return np.flatnonzero((x * a + y * b + z * c >= least) & self._known)

    def _box(self, time: float, outline: Outline, visible: NDArray[np.bool_]) -> Box:
        pose = outline.instance.site_from_model
        ahead = pose.rotation.matrix()[:, 0]
        contact, known = project(self._lens, transform_points(self._cam_from_site, pose.translation[None]))
        thing = self._objects[outline.instance.object]
        length, width, height = thing.size
        seen = outline.pixels[visible]
        return Box(
            camera=self.camera.id,
            time=time,
            object=thing.id,
            kind=thing.kind,
            bbox=self._bounds(outline.pixels),
            bbox_visible=self._bounds(seen) if len(seen) else None,
            visible_fraction=round(len(seen) / len(outline.pixels), 7),
            contact=tuple(contact[0].round(2).tolist()) if known[0] else None,
            position=tuple(pose.translation.round(4).tolist()),
            heading=round(float(np.arctan2(ahead[1], ahead[0])), 5),
            size=(round(length, 3), round(width, 3), round(height, 3)),
        )

    def _bounds(self, pixels: Pixels) -> Bbox:
        row, column = np.divmod(pixels, self._width)
        corners = column.min(), row.min(), column.max() + 1, row.max() + 1
        left, top, right, bottom = (float(self.reduction * corner) for corner in corners)
        return left, top, right, bottom


def _draw(outlines: Sequence[Outline], depth: FloatArray, front: NDArray[np.int32], first: int) -> None:
    """Put outlines, numbered from ``first``, into a picture of depths and of the numbers of what is in front."""
    for number, outline in enumerate(outlines, start=first):
        nearer = outline.depth < depth[outline.pixels]
        pixels = outline.pixels[nearer]
        depth[pixels], front[pixels] = outline.depth[nearer], number


@lru_cache(maxsize=512)
def _model_raycaster(model: Model) -> tuple[Any, Sphere]:
    """Return the ray caster of a model in its own frame and a sphere around it."""
    vertices = np.concatenate([shape.vertices for shape in model.shapes])
    return building_raycaster(model.shapes), bounding_sphere(vertices)
