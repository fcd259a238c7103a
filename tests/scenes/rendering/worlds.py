"""Small places for the renderer's tests, made of a few quads."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pycolmap

from scenes.rendering import Finish, Instance, Lighting, Model, Shape, Texture

RECTANGLE = np.array([[0, 3, 2], [0, 2, 1]], dtype=np.uint32)
WHITE_SKY = Lighting(zenith_colour=(1, 1, 1), horizon_colour=(1, 1, 1), ambient=(0, 0, 0))
DARK = Lighting(zenith_colour=(0, 0, 0), horizon_colour=(0, 0, 0), ambient=(0, 0, 0))


def plain(level: int = 128) -> Texture:
    return Texture(image=np.full((8, 8, 3), level, dtype=np.uint8), px_per_m=1.0)


def checks(size: tuple[float, float], square: float, px_per_m: float = 100.0) -> Texture:
    """Grey squares of ``square`` metres over ``size`` (width, height) metres; corners lie between texels."""
    v, u = np.indices((round(size[1] * px_per_m), round(size[0] * px_per_m))) // round(square * px_per_m)
    levels = np.where((u + v) % 2, 60, 200).astype(np.uint8)
    return Texture(image=np.repeat(levels[..., None], 3, axis=-1), px_per_m=px_per_m)


def quad(
    name: str,
    corner: Sequence[float],
    right: Sequence[float],
    down: Sequence[float],
    texture: Texture,
    finish: Finish = Finish(),  # noqa: B008 (frozen)
) -> Shape:
    """A rectangle seen from its front like a picture: its top-left corner, its upper and its left edge."""
    c, r, d = (np.asarray(v, dtype=np.float64) for v in (corner, right, down))
    width, height = np.linalg.norm(r), np.linalg.norm(d)
    normal = np.cross(d, r) / (width * height)
    return Shape(
        name=name,
        vertices=np.stack([c, c + r, c + r + d, c + d]).astype(np.float32),
        triangles=RECTANGLE.copy(),
        normals=np.tile(normal, (4, 1)).astype(np.float32),
        uv=np.array([[0, 0], [width, 0], [width, height], [0, height]], dtype=np.float32),
        texture=texture,
        finish=finish,
    )


def box(name: str, low: Sequence[float], high: Sequence[float], texture: Texture) -> Shape:
    (x0, y0, z0), (x1, y1, z1) = low, high
    x, y, z = x1 - x0, y1 - y0, z1 - z0
    down = (0, 0, -z)
    faces = [
        quad("", (x0, y0, z1), (x, 0, 0), down, texture),
        quad("", (x1, y0, z1), (0, y, 0), down, texture),
        quad("", (x1, y1, z1), (-x, 0, 0), down, texture),
        quad("", (x0, y1, z1), (0, -y, 0), down, texture),
        quad("", (x0, y1, z1), (x, 0, 0), (0, -y, 0), texture),
        quad("", (x0, y0, z0), (x, 0, 0), (0, y, 0), texture),
    ]
    return replace(
        faces[0],
        name=name,
        vertices=np.concatenate([face.vertices for face in faces]),
        triangles=np.concatenate([RECTANGLE + np.uint32(4 * i) for i in range(6)]),
        normals=np.concatenate([face.normals for face in faces]),
        uv=np.concatenate([face.uv for face in faces]),
    )


def floor(size: float = 8.0, texture: Texture | None = None, finish: Finish = Finish()) -> Shape:  # noqa: B008 (frozen)
    """A square in the plane z = 0 around the origin, seen from above."""
    half = size / 2
    return quad("floor", (-half, half, 0), (size, 0, 0), (0, -size, 0), texture or plain(), finish)


def room(size: float = 8.0, height: float = 2.8, texture: Texture | None = None) -> list[Shape]:
    """A closed room around the origin, all surfaces facing inwards."""
    h, t = size / 2, texture or plain()
    down = (0, 0, -height)
    walls = [((-h, h), (size, 0)), ((h, h), (0, -size)), ((h, -h), (-size, 0)), ((-h, -h), (0, size))]
    shapes = [quad(f"wall {i}", (*at, height), (*along, 0), down, t) for i, (at, along) in enumerate(walls)]
    return [floor(size, t), quad("ceiling", (-h, -h, height), (size, 0, 0), (0, size, 0), t), *shapes]


def cart() -> Model:
    body = box("body", (-1.0, -0.5, 0.3), (1.0, 0.5, 0.9), checks((2, 2), 0.25))
    cabin = box("cabin", (-0.5, -0.45, 0.9), (0.5, 0.45, 1.4), plain(40))
    return Model(name="cart", shapes=(body, replace(cabin, finish=Finish(mirror=0.1))), size=(2.0, 1.0, 1.4))


def standing(name: str, model: Model, x: float, y: float, yaw: float = 0.0) -> Instance:
    quat = np.array([0, 0, np.sin(yaw / 2), np.cos(yaw / 2)])
    return Instance(
        object=name,
        model=model,
        site_from_model=pycolmap.Rigid3d(pycolmap.Rotation3d(quat), np.array([x, y, 0.0])),
    )


def camera(width: int = 160, height: int = 120) -> pycolmap.Camera:
    params = [0.7 * width, width / 2, height / 2, -0.04]
    return pycolmap.Camera(model="SIMPLE_RADIAL", width=width, height=height, params=params)
