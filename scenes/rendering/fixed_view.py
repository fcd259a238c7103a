"""A camera that does not move: its static picture is made once, a frame traces only what moves and its shadows."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pycolmap
from numpy.typing import NDArray

from geometry.frames import position_of
from scenes.rendering.cast_shadows import receiver, shadow_candidates, shadow_loss
from scenes.rendering.illumination import sun_direction
from scenes.rendering.moving import TextureStore, moving_world
from scenes.rendering.raycasting import Hits, cast_rays, subset
from scenes.rendering.rays import bounding_sphere, camera_rays, rays_in_site, sample_places, within_cones
from scenes.rendering.render import (
    FULL,
    NO_OBJECT,
    Rendering,
    RenderOptions,
    cast,
    in_chunks,
    radiance_of_samples,
)
from scenes.rendering.shading import SUN_CENTRE, shade_hits
from scenes.rendering.shapes import Instance
from scenes.rendering.silhouettes import placed_triangles
from scenes.rendering.tone import develop
from scenes.rendering.world import World

FloatArray = NDArray[np.float32]
Pixels = NDArray[np.int64]

CHUNK_RAYS = 1 << 13


class FixedView:
    """A world seen by a mounted camera, in one lighting state.

    static: the picture of the world as it is; its exposure is that of every frame
    """

    def __init__(
        self, world: World, camera: pycolmap.Camera, cam_from_site: pycolmap.Rigid3d, options: RenderOptions = FULL
    ) -> None:
        """Render the static picture and keep what frames need of it: some 400 bytes a pixel at 2 x 2 samples."""
        self.world, self.camera, self.cam_from_site = world, camera, cam_from_site
        self._eye = position_of(cam_from_site).astype(np.float32)
        self._places = sample_places(options.samples_per_axis)
        self._samples = radiance_of_samples(world, camera, (cam_from_site,), options.samples_per_axis)
        self._samples = self._samples.reshape(len(self._places), -1, 3)
        self._depths = [cast(world, camera, cam_from_site, place).depth.ravel() for place in self._places]
        self._rays = [rays_in_site(camera_rays(camera, p).rays, cam_from_site).reshape(-1, 3) for p in self._places]
        self._pitch = camera_rays(camera).pitch.ravel()
        self._centre_rays = rays_in_site(camera_rays(camera).rays, cam_from_site).reshape(-1, 3)
        self._bearings = self._centre_rays / np.linalg.norm(self._centre_rays, axis=1, keepdims=True)
        self._receiver = receiver(world, camera_rays(camera), cam_from_site)
        self._receiver_bearings = self._bearings[self._receiver.pixels]
        self._textures = TextureStore()
        self.static = self._static_picture(options)

    def _static_picture(self, options: RenderOptions) -> Rendering:
        geometry = cast(self.world, self.camera, self.cam_from_site)
        radiance = self._samples.mean(axis=0).reshape(*geometry.depth.shape, 3)
        exposure = options.factor(radiance)
        image = develop(radiance, exposure)
        return Rendering(**vars(geometry), radiance=radiance, image=image, exposure=exposure)

    def frame(self, instances: Sequence[Instance]) -> Rendering:
        """Return the picture with ``instances`` in it, and its truth; their object ids go on where the world's end.

        Equals ``static`` where there are none. Instances don't shade or mirror each other, static mirrors don't show
        them. Raises ``InputError`` for an object's name that is used twice.
        """
        if not instances:
            return self.static
        moving = moving_world(self.world, instances, self._textures)
        spheres = [bounding_sphere(placed_triangles(instance)[0]) for instance in instances]
        pixels = np.flatnonzero(within_cones(self._bearings, self._eye, spheres))
        centre = self._cast(moving, pixels, self._centre_rays, self.static.depth.ravel())
        samples = [self._cast(moving, pixels, r, depth) for r, depth in zip(self._rays, self._depths, strict=True)]
        filled = np.all([ids == centre[1] for _, ids in samples], axis=0) & (centre[1] != NO_OBJECT)
        radiance = self.static.radiance.reshape(-1, 3).copy()
        shaded = self._cast_shadows(radiance, moving, instances, spheres, pixels[filled])
        self._fill(radiance, moving, pixels, np.flatnonzero(filled), centre[0])
        self._blend(radiance, moving, pixels, np.flatnonzero(~filled), samples)
        changed = np.zeros(len(radiance), dtype=bool)
        changed[pixels] = changed[shaded] = True
        image = self.static.image.reshape(-1, 3).copy()
        image[changed] = develop(radiance[changed], self.static.exposure)
        shape = self.static.radiance.shape
        truth = self._truth(moving, pixels, *centre)
        return replace(truth, radiance=radiance.reshape(shape), image=image.reshape(shape))

    def _cast(
        self, moving: World, pixels: Pixels, rays: FloatArray, depth: FloatArray
    ) -> tuple[Hits, NDArray[np.int32]]:
        """Return hits (P,) of moving things, and the ids of those in front of what is static, else -1."""
        hits = cast_rays(moving.raycaster, self._eye, rays[pixels])
        front = hits.distance < depth[pixels]
        ids = np.full(len(pixels), NO_OBJECT, dtype=np.int32)
        ids[front] = moving.mesh.object_ids[hits.triangle[front]]
        return hits, ids

    def _cast_shadows(
        self,
        radiance: FloatArray,
        moving: World,
        instances: Sequence[Instance],
        spheres: Sequence[tuple[NDArray[np.float64], float]],
        hidden: Pixels,
    ) -> Pixels:
        """Take light from static pixels that are not ``hidden``, and return the pixels that may have lost some."""
        sun = self.world.lighting.sun
        static = self._receiver
        rows = shadow_candidates(
            static,
            spheres,
            self._receiver_bearings,
            position_of(self.cam_from_site),
            sun_direction(sun, SUN_CENTRE) if sun else None,
        )
        covered = np.zeros(len(radiance), dtype=bool)
        covered[hidden] = True
        rows = rows[~covered[static.pixels[rows]]]
        pixels = static.pixels[rows]
        loss = shadow_loss(self.world, static, rows, instances, moving.raycaster)
        radiance[pixels] = np.maximum(radiance[pixels] - loss, 0)
        return pixels

    def _fill(self, radiance: FloatArray, moving: World, pixels: Pixels, rows: Pixels, hits: Hits) -> None:
        """Shade the pixels that one moving thing fills, once for all their samples."""
        radiance[pixels[rows]] = self._shade(
            moving, subset(hits, rows), self._centre_rays[pixels[rows]], self._pitch[pixels[rows]], SUN_CENTRE
        )

    def _blend(
        self,
        radiance: FloatArray,
        moving: World,
        pixels: Pixels,
        rows: Pixels,
        samples: Sequence[tuple[Hits, NDArray[np.int32]]],
    ) -> None:
        """Replace the samples in which a moving thing is in front; the others keep their share of the shadows."""
        rows = rows[np.any([ids[rows] != NO_OBJECT for _, ids in samples], axis=0)]
        at = pixels[rows]
        static = self.static.radiance.reshape(-1, 3)[at]
        kept = np.divide(radiance[at], static, out=np.ones_like(static), where=static > 0)
        total = np.zeros_like(static)
        pitch = self._pitch / np.float32(len(samples) ** 0.5)
        for place, rays, radiances, (hits, ids) in zip(self._places, self._rays, self._samples, samples, strict=True):
            colour = radiances[at] * kept
            front = np.flatnonzero(ids[rows] != NO_OBJECT)
            seen = at[front]
            colour[front] = self._shade(moving, subset(hits, rows[front]), rays[seen], pitch[seen], place)
            total += colour
        radiance[at] = total / np.float32(len(samples))

    def _shade(
        self, moving: World, hits: Hits, rays: FloatArray, pitch: FloatArray, place: tuple[float, float]
    ) -> FloatArray:
        def of_chunk(part: slice) -> FloatArray:
            some = np.arange(part.start, part.stop)
            return shade_hits(moving, self.world, subset(hits, some), self._eye, rays[part], pitch[part], place)

        return in_chunks(of_chunk, len(rays), CHUNK_RAYS)

    def _truth(self, moving: World, pixels: Pixels, hits: Hits, ids: NDArray[np.int32]) -> Rendering:
        """Return the static truth with the moving things in it."""
        rows = np.flatnonzero(ids != NO_OBJECT)
        front, distance = pixels[rows], hits.distance[rows]
        static = self.static
        depth, instance_id = static.depth.copy(), static.instance_id.copy()
        normals, points = static.normals.copy(), static.points_in_site.copy()
        depth.ravel()[front] = distance
        instance_id.ravel()[front] = ids[rows]
        normals.reshape(-1, 3)[front] = hits.normal[rows]
        points.reshape(-1, 3)[front] = self._eye + distance[:, None] * self._centre_rays[front]
        return replace(
            static,
            objects=(*static.objects, *moving.objects),
            depth=depth,
            instance_id=instance_id,
            normals=normals,
            points_in_site=points,
        )
