"""Flat things with a picture on their front: signs, doors, fixtures, tags."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scenes.building.solids import Patch, joined, quad, shape_of, tube
from scenes.building.texturing import PRINT, WALL, TextureBook
from scenes.facility import Door, Fixture, Level, Mounted, Sign, Tag
from scenes.materials import pictures
from scenes.materials.surfaces import metal
from scenes.materials.tags import board_size, tag_texture
from scenes.rendering.shapes import Finish, Shape, Texture

Array = NDArray[np.float64]

TAG_PLATE_M = 0.002
"""A tag's face is this far in front of the surface it is fixed to."""
ROD_M = 0.012
FINISHES = {"window": Finish(mirror=0.08), "hydrant": Finish(mirror=0.03), "cabinet": Finish(mirror=0.02)}


@dataclass(frozen=True, kw_only=True)
class Board:
    """An upright rectangle: its middle in site, the direction it faces, (width, height) metres."""

    middle: tuple[float, float, float]
    facing: float
    size: tuple[float, float]

    @property
    def normal(self) -> Array:
        """The unit vector (3,) out of its front."""
        return np.array([np.cos(self.facing), np.sin(self.facing), 0.0])

    def corners(self, forward: float = 0.0) -> Array:
        """Return the corners (4, 3): top-left, top-right, bottom-right, bottom-left for who faces it.

        forward: metres by which the rectangle is moved out of its front.
        """
        right = np.array([-np.sin(self.facing), np.cos(self.facing), 0.0]) * self.size[0] / 2
        up = np.array([0.0, 0.0, self.size[1] / 2])
        return (
            np.array(self.middle) + forward * self.normal + np.stack([up - right, up + right, right - up, -up - right])
        )


def board_of(mounted: Mounted, level: Level) -> Board:
    """Return the middle plane of a mounted thing; its faces are half its depth before and behind."""
    middle = (*mounted.at, level.elevation + mounted.height)
    return Board(middle=middle, facing=float(np.radians(mounted.facing_deg)), size=mounted.size)


def sign_corners(sign: Sign, level: Level) -> Array:
    """Return the corners (4, 3) in site of a sign's front, as it is read: top-left first, then clockwise."""
    return board_of(sign, level).corners(sign.depth / 2)


def tag_corners(tag: Tag, level: Level) -> Array:
    """Return the corners (4, 3) in site of a tag's black border, top-left first, then clockwise on its face."""
    return _tag_board(tag, level, tag.size_m).corners(TAG_PLATE_M)


def sign_shapes(sign: Sign, level: Level, book: TextureBook) -> list[Shape]:
    """Return a sign; a double-sided one has its text on both faces and hangs from the ceiling."""
    density = book.px_per_m(PRINT)
    texture = book.texture(
        level,
        ("sign", sign.at, sign.height, sign.facing_deg),
        (sign.text, sign.colours, sign.size, density),
        lambda rng: pictures.sign(sign.size, rng, density, sign.text, sign.colours),
    )
    shapes = _mounted(sign, level, book, f"{level.id}/sign {sign.id}", texture, both=sign.double_sided)
    if sign.double_sided and level.ceiling is not None:
        shapes.append(_rods(sign, level, level.ceiling, book))
    return shapes


def door_shapes(door: Door, level: Level, book: TextureBook) -> list[Shape]:
    """Return a door."""
    density = book.px_per_m(WALL * 1.5)
    texture = book.texture(
        level,
        ("door", door.at, door.facing_deg),
        (door.text, door.colour, door.size, density),
        lambda rng: pictures.door(door.size, rng, density, door.colour, door.text),
    )
    return _mounted(door, level, book, f"{level.id}/door {door.id}", texture)


def fixture_shapes(fixture: Fixture, level: Level, book: TextureBook) -> list[Shape]:
    """Return a fixture: a pipe is round, everything else a board with its picture."""
    name = f"{level.id}/{fixture.kind} {fixture.id}"
    if fixture.kind == "pipe":
        return [_pipe(fixture, level, book, name)]
    density = book.px_per_m(PRINT if fixture.kind in ("notice", "poster") else WALL * 1.5)
    texture = book.texture(
        level,
        (fixture.kind, fixture.at, fixture.height, fixture.facing_deg),
        (fixture.text, fixture.size, density),
        lambda rng: _picture(fixture, rng, density),
    )
    return _mounted(fixture, level, book, name, texture, finish=FINISHES.get(fixture.kind))


def tag_shapes(tag: Tag, level: Level) -> list[Shape]:
    """Return the plate a tag is printed on."""
    board = _tag_board(tag, level, board_size(tag.family, tag.size_m))
    texture = tag_texture(tag.family, tag.id, tag.size_m)
    patch = joined([quad(board.corners(TAG_PLATE_M)), *_rim(board.corners(TAG_PLATE_M), board.corners(0.0))])
    return [shape_of(f"{level.id}/tag {tag.id}", patch, texture)]


def _tag_board(tag: Tag, level: Level, side: float) -> Board:
    middle = (*tag.at, level.elevation + tag.height)
    return Board(middle=middle, facing=float(np.radians(tag.facing_deg)), size=(side, side))


def _mounted(
    mounted: Mounted,
    level: Level,
    book: TextureBook,
    name: str,
    texture: Texture,
    *,
    both: bool = False,
    finish: Finish | None = None,
) -> list[Shape]:
    """Return the front (and back) with its picture, and the rest of the body in sheet metal."""
    board = board_of(mounted, level)
    front, back = board.corners(mounted.depth / 2), board.corners(-mounted.depth / 2)
    mirrored = back[[1, 0, 3, 2]]
    pictured = [quad(front), quad(mirrored)] if both else [quad(front)]
    body = _rim(front, back) if both else [*_rim(front, back), quad(mirrored)]
    sheet = book.texture(
        level, ("sheet",), None, lambda rng: metal((2.0, 2.0), rng, book.px_per_m(WALL / 2), rust=0.004)
    )
    return [shape_of(name, joined(pictured), texture, finish), shape_of(f"{name}/body", joined(body), sheet)]


def _rim(front: Array, back: Array) -> list[Patch]:
    """Return the narrow faces between the front (4, 3) and the back (4, 3) of a board."""
    return [quad([back[i], back[j], front[j], front[i]]) for i, j in ((0, 1), (1, 2), (2, 3), (3, 0))]


def _rods(sign: Sign, level: Level, ceiling: float, book: TextureBook) -> Shape:
    """Return the two rods a sign hangs on."""
    top_left, top_right = board_of(sign, level).corners()[:2]
    up = np.array([0.0, 0.0, max(0.02, ceiling - sign.height - sign.size[1] / 2)])
    feet = [top_left + share * (top_right - top_left) for share in (0.15, 0.85)]
    steel = book.texture(level, ("steel",), None, lambda rng: metal((1.0, 1.0), rng, book.px_per_m(WALL / 2)))
    return shape_of(f"{level.id}/sign {sign.id}/rods", joined([tube(f, f + up, ROD_M, 6) for f in feet]), steel)


def _pipe(fixture: Fixture, level: Level, book: TextureBook, name: str) -> Shape:
    board = board_of(fixture, level)
    middle, half = np.array(board.middle), np.array([0.0, 0.0, fixture.size[1] / 2])
    radius = fixture.size[0] / 2
    size, density = (2 * np.pi * radius, fixture.size[1]), book.px_per_m(WALL)
    texture = book.texture(level, ("pipe", fixture.at), (size, density), lambda rng: metal(size, rng, density))
    return shape_of(name, tube(middle - half, middle + half, radius, 14), texture)


def _picture(fixture: Fixture, rng: np.random.Generator, px_per_m: float) -> Texture:
    match fixture.kind:
        case "poster":
            return pictures.poster(fixture.size, rng, px_per_m, fixture.text)
        case "window":
            return pictures.window(fixture.size, rng, px_per_m)
        case "shutter":
            return pictures.shutter(fixture.size, rng, px_per_m)
        case "cabinet":
            return pictures.cabinet(fixture.size, rng, px_per_m, fixture.text)
        case "hydrant":
            return pictures.hydrant(fixture.size, rng, px_per_m)
        case _:
            return pictures.notice(fixture.size, rng, px_per_m, fixture.text)
