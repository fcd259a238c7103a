"""Light on an instance of a model without tracing rays from all its vertices.

Light is traced at a few points around the instance in six directions each (an ambient cube: McTaggart, Half-Life 2
shading, GDC 2004) and blended over it. What the model keeps from itself is traced once, in the model's own frame.
"""

from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from geometry.frames import transform_points
from scenes.rendering.illumination import OFFSET_M, around, cosine_hemisphere
from scenes.rendering.raycasting import cast_rays, raycaster
from scenes.rendering.shapes import Instance, Model

FloatArray = NDArray[np.float32]

CAGE = (3, 2, 2)
"""Points along x, y and z of the box around a model."""
LOWEST = 0.12
"""Share of the model's height at which its lowest points lie: clear of the floor."""
OPENNESS_RAYS = 48
OCCLUDER_REACH_M = 0.7
LEAST_OPENNESS = 0.06
CUBE_NORMALS = np.concatenate([np.eye(3), -np.eye(3)]).astype(np.float32)

_openness: WeakKeyDictionary[Model, FloatArray] = WeakKeyDictionary()


def cage(instance: Instance) -> tuple[FloatArray, FloatArray]:
    """Return where light on the instance is wanted: points and normals (12 * 6, 3), six directions at each place."""
    length, width, height = instance.model.size
    x, y = (np.linspace(-side / 2, side / 2, n) for side, n in zip((length, width), CAGE, strict=False))
    z = np.linspace(LOWEST * height, height, CAGE[2])
    places = np.stack(np.meshgrid(x, y, z, indexing="ij"), axis=-1).reshape(-1, 3)
    points = transform_points(instance.site_from_model, places)
    normals = CUBE_NORMALS @ instance.site_from_model.rotation.matrix().T
    return np.repeat(points, 6, axis=0).astype(np.float32), np.tile(normals, (len(points), 1)).astype(np.float32)


def corner_light(instance: Instance, light: FloatArray, buried: FloatArray) -> FloatArray:
    """Return light (T, 3, 3) at the corners of the instance's triangles, shape after shape.

    light, buried: (12 * 6, 3) and (12 * 6,), at the places of the cage; a place inside a wall takes the others' mean.
    """
    cubes = light.reshape(-1, 6, 3)
    free = buried.reshape(-1, 6).mean(axis=1) < 0.5
    if free.any():
        cubes = np.where(free[:, None, None], cubes, cubes[free].mean(axis=0))
    shapes = instance.model.shapes
    vertices = np.concatenate([shape.vertices for shape in shapes])
    normals = np.concatenate([shape.normals for shape in shapes])
    around_vertex = np.einsum("vp,pdc->vdc", _blend_weights(vertices, instance.model), cubes)
    facing = np.concatenate([np.clip(normals, 0, None), np.clip(-normals, 0, None)], axis=1) ** 2
    at_vertex = np.einsum("vd,vdc->vc", facing, around_vertex) * openness(instance.model)[:, None]
    return at_vertex.astype(np.float32)[_triangles(instance.model)]


def _blend_weights(vertices: FloatArray, model: Model) -> FloatArray:
    """Return trilinear weights (V, 12) of the cage's places."""
    length, width, height = model.size
    low = np.array([-length / 2, -width / 2, LOWEST * height])
    high = np.array([length / 2, width / 2, height])
    steps = np.array(CAGE) - 1
    position = np.clip((vertices - low) / (high - low), 0, 1) * steps
    hats = [np.clip(1 - np.abs(position[:, k, None] - np.arange(CAGE[k])), 0, 1) for k in range(3)]
    return np.einsum("vx,vy,vz->vxyz", *hats).reshape(len(vertices), -1).astype(np.float32)


def openness(model: Model) -> FloatArray:
    """Return the share (V,) of light that the model itself, and the ground under it, let through to its vertices."""
    known = _openness.get(model)
    if known is None:
        known = _openness[model] = _trace_openness(model)
    return known


def _trace_openness(model: Model) -> FloatArray:
    vertices = np.concatenate([shape.vertices for shape in model.shapes])
    normals = np.concatenate([shape.normals for shape in model.shapes])
    ray = around(normals, cosine_hemisphere(OPENNESS_RAYS)).reshape(-1, 3)
    start = np.repeat(vertices + np.float32(5 * OFFSET_M) * normals, OPENNESS_RAYS, axis=0)
    distance = cast_rays(raycaster(vertices, _triangles(model)), start, ray).distance
    distance = np.minimum(distance, _distance_to_ground(start, ray, model))
    far = np.minimum(distance / np.float32(OCCLUDER_REACH_M), 1).reshape(-1, OPENNESS_RAYS)
    return np.maximum(far.mean(axis=1), np.float32(LEAST_OPENNESS))


def _distance_to_ground(start: FloatArray, ray: FloatArray, model: Model) -> FloatArray:
    """Return how far (N,) the dark ground right under the model is along each ray, inf where the ray misses it."""
    down = np.minimum(ray[:, 2], np.float32(-1e-6))
    distance = np.maximum(start[:, 2], 0) / -down
    landing = start[:, :2] + distance[:, None] * ray[:, :2]
    under = (np.abs(landing) < np.array(model.size[:2], dtype=np.float32) / 2).all(axis=1) & (ray[:, 2] < 0)
    return np.where(under, distance, np.float32(np.inf))


def _triangles(model: Model) -> NDArray[np.uint32]:
    starts = np.cumsum([0, *(len(shape.vertices) for shape in model.shapes)])
    parts = [shape.triangles + np.uint32(start) for shape, start in zip(model.shapes, starts, strict=False)]
    return np.concatenate(parts)
