"""One triangle mesh of many shapes and instances, with what is needed where a ray hits it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from geometry.errors import InputError
from geometry.frames import transform_points
from scenes.rendering.shapes import Instance, Shape, Texture

FloatArray = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True, eq=False)
class Mesh:
    """Triangles of V vertices, in site metres; counter-clockwise seen from the front.

    vertices, normals: (V, 3) float32; triangles: (T, 3) uint32
    corner_uv: (T, 3, 2) float32, metres on the texture
    uv_from_site: (T, 2, 3) float32, how the place on the texture moves with the point on the triangle
    object_ids: (T,) int32; texture_ids: (T,) int32
    mirror, emission: (T,) float32, of the finish
    """

    vertices: FloatArray
    normals: FloatArray
    triangles: NDArray[np.uint32]
    corner_uv: FloatArray
    uv_from_site: FloatArray
    object_ids: NDArray[np.int32]
    texture_ids: NDArray[np.int32]
    mirror: FloatArray
    emission: FloatArray


def textures_of(shapes: Sequence[Shape], instances: Sequence[Instance]) -> list[Texture]:
    """Return every texture once, in order of first use; textures are alike where they are the same Python object."""
    everything = [*shapes, *(shape for instance in instances for shape in instance.model.shapes)]
    return list({id(shape.texture): shape.texture for shape in everything}.values())


def build_mesh(
    shapes: Sequence[Shape], instances: Sequence[Instance], textures: Sequence[Texture], first_object: int = 0
) -> Mesh:
    """Put shapes, an object each, and then instances, an object each, into one mesh.

    ``first_object`` is the id of the first object. Raises ``InputError`` for an object name that is used twice, for no
    shapes at all, and for a mesh of more triangles than 32 bits can count.
    """
    names = [*(shape.name for shape in shapes), *(instance.object for instance in instances)]
    check_unique(names)
    placed = [(shape, shape.vertices, shape.normals, first_object + i) for i, shape in enumerate(shapes)]
    for index, instance in enumerate(instances, start=first_object + len(shapes)):
        placed += [(shape, *_in_site(shape, instance), index) for shape in instance.model.shapes]
    if not placed:
        raise InputError("there is nothing to render", remedy="Give at least one shape or instance.")
    texture_ids = {id(texture): index for index, texture in enumerate(textures)}
    starts = np.cumsum([0, *(len(vertices) for _, vertices, _, _ in placed)])
    counts = [len(shape.triangles) for shape, *_ in placed]
    triangles = np.concatenate([part[0].triangles + np.uint32(s) for part, s in zip(placed, starts, strict=False)])
    vertices = np.concatenate([part[1] for part in placed])
    corner_uv = np.concatenate([shape.uv for shape, *_ in placed])[triangles]

    def whole(values: Sequence[int]) -> NDArray[np.int32]:
        return np.repeat(np.array(values, dtype=np.int32), counts)

    def real(values: Sequence[float]) -> FloatArray:
        return np.repeat(np.array(values, dtype=np.float32), counts)

    return Mesh(
        vertices=vertices,
        normals=np.concatenate([part[2] for part in placed]),
        triangles=triangles,
        corner_uv=corner_uv,
        uv_from_site=_uv_gradients(vertices[triangles], corner_uv),
        object_ids=whole([part[3] for part in placed]),
        texture_ids=whole([texture_ids[id(shape.texture)] for shape, *_ in placed]),
        mirror=real([shape.finish.mirror for shape, *_ in placed]),
        emission=real([shape.finish.emission for shape, *_ in placed]),
    )


def check_unique(names: Sequence[str]) -> None:
    """Raise ``InputError`` naming an object that is there twice."""
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise InputError("two objects have this name", where=name, remedy="Names tell objects apart in the truth.")
        seen.add(name)


def _in_site(shape: Shape, instance: Instance) -> tuple[FloatArray, FloatArray]:
    vertices = transform_points(instance.site_from_model, shape.vertices).astype(np.float32)
    return vertices, (shape.normals @ instance.site_from_model.rotation.matrix().T).astype(np.float32)


def _uv_gradients(corners: FloatArray, uv: FloatArray) -> FloatArray:
    """Return the (T, 2, 3) gradients of uv (T, 3, 2) over the triangles' corners (T, 3, 3); 0 for slivers."""
    first, second = (corners[:, i] - corners[:, 0] for i in (1, 2))
    a, b, c = (np.einsum("tk,tk->t", p, q)[:, None] for p, q in ((first, first), (first, second), (second, second)))
    area2 = a * c - b * b
    scale = np.where(area2 > 1e-14, 1 / np.maximum(area2, 1e-14), 0.0).astype(np.float32)
    duals = (c * first - b * second) * scale, (a * second - b * first) * scale
    steps = [uv[:, i, :, None] - uv[:, 0, :, None] for i in (1, 2)]
    return steps[0] * duals[0][:, None] + steps[1] * duals[1][:, None]
