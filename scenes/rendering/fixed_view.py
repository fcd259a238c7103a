"""A camera that does not move: its static picture is made once, a frame traces only what moves and its shadows."""

from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np
import pycolmap
from numpy.typing import NDArray

from geometry.frames import position_of
from scenes.rendering.cast_shadows import LAMP_REACH_M, receiver, shadow_loss
from scenes.rendering.illumination import sun_direction
from scenes.rendering.mesh import check_unique
from scenes.rendering.moving import TextureStore, moving_world
from scenes.rendering.pixel_blocks import pixel_blocks
from scenes.rendering.raycasting import Hits, cast_rays, subset
from scenes.rendering.rays import bounding_sphere, camera_rays, rays_in_site, sample_places
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
        self._receiver = receiver(world, camera_rays(camera), cam_from_site)
        self._textures = TextureStore()
        self.static = self._static_picture(options)
        self._blocks = pixel_blocks(
            position_of(cam_from_site),
            self._centre_rays / np.linalg.norm(self._centre_rays, axis=1, keepdims=True),
            self.static.points_in_site.reshape(-1, 3),
            self.static.depth.ravel(),
            self.static.depth.shape,
        )

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
        names = (*self.world.objects, *(instance.object for instance in instances))
        check_unique(names)
        seen, shaded = self._near(instances)
        involved = np.flatnonzero((seen | shaded).any(axis=1))
        if not len(involved):
            return replace(self.static, objects=names)
        active = [instances[i] for i in involved.tolist()]
        moving = moving_world(self.world, active, self._textures)
        first = len(self.world.objects)
        object_ids = (first + involved).astype(np.int32)[moving.mesh.object_ids - first]
        pixels = np.flatnonzero(np.logical_or.reduce(seen)[self._blocks.block_of])
        centre = self._cast(moving, object_ids, pixels, self._centre_rays, self.static.depth.ravel())
        filled, edges = self._inside_and_edges(pixels, centre[1])
        samples = [
            self._cast(moving, object_ids, edges, r, depth) for r, depth in zip(self._rays, self._depths, strict=True)
        ]
        radiance = self.static.radiance.reshape(-1, 3).copy()
        lit = np.flatnonzero(np.logical_or.reduce(shaded)[self._blocks.block_of])
        darker = self._cast_shadows(radiance, moving, active, lit, pixels[filled])
        self._fill(radiance, moving, pixels, filled, centre[0])
        self._blend(radiance, moving, edges, samples)
        changed = np.zeros(len(radiance), dtype=bool)
        changed[pixels[filled]] = changed[edges] = changed[darker] = True
        image = self.static.image.reshape(-1, 3).copy()
        image[changed] = develop(radiance[changed], self.static.exposure)
        shape = self.static.radiance.shape
        truth = replace(self._truth(pixels, *centre), objects=names)
        return replace(truth, radiance=radiance.reshape(shape), image=image.reshape(shape))

    def _near(self, instances: Sequence[Instance]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Tell (N, B), twice, in which blocks of pixels instances may be seen, and in which their shadows may be."""
        spheres = [bounding_sphere(placed_triangles(instance)[0]) for instance in instances]
        shaded = np.array([self._blocks.near(sphere, LAMP_REACH_M) for sphere in spheres])
        if self.world.lighting.sun:
            towards = sun_direction(self.world.lighting.sun, SUN_CENTRE)
            shaded |= np.array([self._blocks.behind(sphere, towards) for sphere in spheres])
        return np.array([self._blocks.may_show(sphere) for sphere in spheres]), shaded

    def _cast(
        self, moving: World, object_ids: NDArray[np.int32], pixels: Pixels, rays: FloatArray, depth: FloatArray
    ) -> tuple[Hits, NDArray[np.int32]]:
        """Return hits (P,) of moving things, and the ids of those in front of what is static, else -1.

        object_ids: of the moving mesh's triangles.
        """
        hits = cast_rays(moving.raycaster, self._eye, rays[pixels])
        front = hits.distance < depth[pixels]
        ids = np.full(len(pixels), NO_OBJECT, dtype=np.int32)
        ids[front] = object_ids[hits.triangle[front]]
        return hits, ids

    def _inside_and_edges(self, pixels: Pixels, ids: NDArray[np.int32]) -> tuple[Pixels, Pixels]:
        """Return the rows of ``pixels`` that one moving thing fills, and the flat pixels on its outline.

        A pixel is filled if all eight around it show the same object.
        """
        seen = np.full(self.static.depth.shape, NO_OBJECT, dtype=np.float32)
        seen.ravel()[pixels] = ids
        edge = (cv2.dilate(seen, np.ones((3, 3))) != cv2.erode(seen, np.ones((3, 3)))).ravel()
        return np.flatnonzero((ids != NO_OBJECT) & ~edge[pixels]), np.flatnonzero(edge)

    def _cast_shadows(
        self, radiance: FloatArray, moving: World, instances: Sequence[Instance], lit: Pixels, hidden: Pixels
    ) -> Pixels:
        """Take light from those static pixels of ``lit`` that are not ``hidden``, and return them."""
        wanted = np.zeros(len(radiance), dtype=bool)
        wanted[lit] = True
        wanted[hidden] = False
        rows = np.flatnonzero(wanted[self._receiver.pixels])
        pixels = self._receiver.pixels[rows]
        loss = shadow_loss(self.world, self._receiver, rows, instances, moving.raycaster)
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
        edges: Pixels,
        samples: Sequence[tuple[Hits, NDArray[np.int32]]],
    ) -> None:
        """Replace the samples in which a moving thing is in front; the others keep their share of the shadows."""
        static = self.static.radiance.reshape(-1, 3)[edges]
        kept = np.divide(radiance[edges], static, out=np.ones_like(static), where=static > 0)
        total = np.zeros_like(static)
        pitch = self._pitch / np.float32(len(samples) ** 0.5)
        for place, rays, radiances, (hits, ids) in zip(self._places, self._rays, self._samples, samples, strict=True):
            colour = radiances[edges] * kept
            front = np.flatnonzero(ids != NO_OBJECT)
            seen = edges[front]
            colour[front] = self._shade(moving, subset(hits, front), rays[seen], pitch[seen], place)
            total += colour
        radiance[edges] = total / np.float32(len(samples))

    def _shade(
        self, moving: World, hits: Hits, rays: FloatArray, pitch: FloatArray, place: tuple[float, float]
    ) -> FloatArray:
        def of_chunk(part: slice) -> FloatArray:
            some = np.arange(part.start, part.stop)
            return shade_hits(moving, self.world, subset(hits, some), self._eye, rays[part], pitch[part], place)

        return in_chunks(of_chunk, len(rays), CHUNK_RAYS)

    def _truth(self, pixels: Pixels, hits: Hits, ids: NDArray[np.int32]) -> Rendering:
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
            depth=depth,
            instance_id=instance_id,
            normals=normals,
            points_in_site=points,
        )
