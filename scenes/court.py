"""The demo place: a walled parking court of 16 x 12 m with a van, crates, planters, posters and signs."""

from collections.abc import Sequence
from functools import partial

import cv2
import numpy as np
import shapely

from scenes.authoring import Builder, Material, Place
from scenes.lighting import Lamp, Lighting
from scenes.meshes import Surface
from scenes.mipmaps import Texture
from scenes.patterns import FloatArray, blend, fractal_noise, text_mask
from scenes.pictures import FINE, door, facade, paste, poster, sign, van_side, wheel, window, windscreen
from scenes.textures import Size, asphalt, brick, concrete, leaves, metal, plaster, wood

WIDTH_M, DEPTH_M = 16.0, 12.0
MARGIN_M = 0.3
STALL_LINES_X = (5.3, 7.9, 10.5, 13.1)
STALL_DEPTH_M = 4.9
WHITE, YELLOW = (0.78, 0.78, 0.75), (0.72, 0.47, 0.06)
SIDES = ("front", "right", "back", "left")

LIGHTING = Lighting(
    lamps=(
        Lamp(position=(3.9, 3.5, 2.9), colour=(1.5, 1.2, 0.8)),
        Lamp(position=(11.6, 3.5, 2.9), colour=(1.5, 1.2, 0.8)),
    )
)


def court(seed: int = 0, px_per_m: float = 200.0) -> Place:
    """Build the court; the origin is its south-west corner on the ground, x east, y north.

    ``seed`` changes every texture and leaves the geometry. ``px_per_m`` is the resolution of most textures; the
    default shows 5 mm, what a camera with a focal length of 500 px resolves from 2.5 m, and takes about ten
    seconds and 2 GB to build.
    """
    builder = Builder("court", seed, px_per_m)
    low, high = -MARGIN_M, MARGIN_M
    builder.ground("ground", (low, low, WIDTH_M + high, DEPTH_M + high), _painted_ground)
    _south(builder, builder.wall("south", (WIDTH_M, 0), (0, 0), (0, 4.2), brick))
    _north(builder, builder.wall("north", (0, DEPTH_M), (WIDTH_M, DEPTH_M), (0, 5.0), _north_face))
    _west(builder, builder.wall("west", (0, 0), (0, DEPTH_M), (0, 4.6), partial(plaster, dado=(0.42, 0.22, 0.2))))
    _east(
        builder,
        builder.wall("east", (WIDTH_M, DEPTH_M), (WIDTH_M, 0), (0, 3.5), partial(brick, colour=(0.72, 0.68, 0.6))),
    )
    _pergola(builder)
    _van(builder)
    _crates(builder)
    _planters(builder)
    _neighbours(builder)
    return builder.build(shapely.box(0, 0, WIDTH_M, DEPTH_M), LIGHTING)


def _painted_ground(size: Size, rng: np.random.Generator, px_per_m: float) -> Texture:
    """Asphalt with stall lines, numbers, an arrow, a hatched box and tyre marks, all worn."""
    base = asphalt(size, rng, px_per_m)
    shape, px = base.image.shape[:2], base.px_per_m
    wear = np.clip(0.85 + 0.4 * fractal_noise(shape, 0.5 * px, 1, rng, gain=0.85), 0, 1)
    image = blend(base.image, (0.035, 0.034, 0.034), 0.75 * _tyre_marks(shape, px, rng) * wear)
    back = DEPTH_M - STALL_DEPTH_M
    lines = [((x, DEPTH_M), (x, back)) for x in STALL_LINES_X]
    image = blend(image, WHITE, 0.9 * wear * _lines(shape, px, lines, 0.11))
    hatch = [((x, 0.25), (x + 1.4, 2.6)) for x in np.arange(5.2, 9.2, 0.55)]
    frame = [
        ((5.0, 0.2), (10.8, 0.2)),
        ((10.8, 0.2), (10.8, 2.65)),
        ((10.8, 2.65), (5.0, 2.65)),
        ((5.0, 2.65), (5.0, 0.2)),
    ]
    image = blend(image, YELLOW, 0.85 * wear * _lines(shape, px, [*hatch, *frame], 0.1))
    arrow = [((2.4, 5.2), (2.4, 8.4)), ((2.4, 8.4), (1.9, 7.7)), ((2.4, 8.4), (2.9, 7.7))]
    image = blend(image, WHITE, 0.85 * wear * _lines(shape, px, arrow, 0.16))
    for i, x in enumerate(STALL_LINES_X[:-1]):
        image = _lettering(image, px, wear, str(41 + i), (x + 0.95, back + 0.95), (0.7, 0.6))
    image = _lettering(image, px, wear, "VISITORS", (12.0, 3.4), (2.9, 0.55))
    image = _lettering(image, px, wear, "KEEP CLEAR", (5.5, 3.35), (2.6, 0.45))
    return Texture(image=image.astype(np.float32), px_per_m=px)


def _texel(px: float, x: float, y: float) -> tuple[int, int]:
    """Return the ground texture's (column, row) of a site position, in eighths of a texel."""
    return round(8 * px * (x + MARGIN_M)), round(8 * px * (DEPTH_M + MARGIN_M - y))


def _lines(
    shape: tuple[int, int], px: float, segments: Sequence[Sequence[tuple[float, float]]], width: float
) -> FloatArray:
    mask = np.zeros(shape, dtype=np.uint8)
    for segment in segments:
        ends = np.array([_texel(px, *end) for end in segment], dtype=np.int32)
        cv2.polylines(mask, [ends], False, 255, round(width * px), cv2.LINE_AA, 3)
    return mask.astype(np.float32) / 255.0


def _lettering(
    image: FloatArray, px: float, wear: FloatArray, text: str, corner: tuple[float, float], size: Size
) -> FloatArray:
    """Paint ``text`` with its lower left at ``corner`` in site, reading upright for someone looking north."""
    letters = text_mask((round(size[1] * px), round(size[0] * px)), text)
    column, row = (n // 8 for n in _texel(px, corner[0], corner[1] + size[1]))
    region = np.s_[row : row + letters.shape[0], column : column + letters.shape[1]]
    image = image.copy()
    image[region] = blend(image[region], WHITE, 0.9 * letters * wear[region])
    return image


def _tyre_marks(shape: tuple[int, int], px: float, rng: np.random.Generator) -> FloatArray:
    """Pairs of curved dark bands that swing from the gate in the west into the stalls."""
    mask = np.zeros(shape, dtype=np.float32)
    for _ in range(6):
        t = np.linspace(0, 1, 60)
        start, end = (
            np.array([rng.uniform(0, 2), rng.uniform(4, 7)]),
            np.array([rng.uniform(5.5, 13), rng.uniform(8.5, 10.5)]),
        )
        bend = np.array([end[0] + rng.uniform(-0.4, 0.4), start[1] + rng.uniform(-0.8, 0.4)])
        path = ((1 - t) ** 2)[:, None] * start + (2 * t * (1 - t))[:, None] * bend + (t**2)[:, None] * end
        normal = np.gradient(path, axis=0)[:, ::-1] * (-1, 1)
        normal /= np.linalg.norm(normal, axis=1, keepdims=True)
        tracks = [[tuple(p) for p in path + side * normal] for side in (-0.75, 0.75)]
        mask = np.maximum(mask, rng.uniform(0.3, 0.9) * _lines(shape, px, tracks, 0.17))
    tread = 0.6 + 0.4 * fractal_noise(shape, 0.12 * px, 2, rng, gain=0.9)
    return np.clip(cv2.GaussianBlur(mask, (0, 0), 2.0) * tread, 0, 1)


def _north_face(size: Size, rng: np.random.Generator, px_per_m: float) -> Texture:
    """Concrete with a faded painted advertisement."""
    base = concrete(size, rng, px_per_m)
    image, px = base.image.copy(), base.px_per_m
    wear = np.clip(0.55 + 0.5 * fractal_noise(image.shape[:2], 0.6 * px, 2, rng, gain=0.85), 0, 1)
    for text, colour, left, top, width, height in (
        ("HARBOUR COURT", (0.05, 0.10, 0.24), 4.6, 0.35, 7.2, 0.85),
        ("PARKING BEHIND THE MARKET", (0.35, 0.06, 0.04), 4.9, 1.28, 6.6, 0.42),
    ):
        row, column, shape = round(top * px), round(left * px), (round(height * px), round(width * px))
        region = np.s_[row : row + shape[0], column : column + shape[1]]
        image[region] = blend(image[region], colour, 0.85 * text_mask(shape, text) * wear[region])
    return Texture(image=image, px_per_m=px)


def _south(builder: Builder, on: Surface) -> None:
    edge = partial(concrete, colour=(0.75, 0.73, 0.7))
    for i, left in enumerate((1.2, 4.0, 11.6, 13.9)):
        builder.mount(f"south window {i}", on, (left, 0.8), (1.5, 1.55), 0.12, window, edge)
        builder.mount(f"south sill {i}", on, (left - 0.12, 2.35), (1.74, 0.1), 0.22, edge, edge)
    builder.mount("south door", on, (7.0, 1.95), (1.05, 2.25), 0.1, partial(door, label="STAIRS B"), metal)
    builder.mount("south lamp", on, (7.35, 1.45), (0.35, 0.3), 0.22, partial(metal, colour=(0.9, 0.85, 0.7)), metal)
    for i, (left, title) in enumerate(((8.5, "JAZZ\nNIGHTS"), (9.75, "SUMMER\nFAIR"), (10.6, "LOST\nCAT"))):
        size = ((1.0, 1.45), (0.75, 1.1), (0.5, 0.7))[i]
        builder.mount(f"south poster {i}", on, (left, 1.3 + 0.2 * i), size, 0.02, partial(poster, title=title), metal)
    pipe = partial(metal, colour=(0.62, 0.63, 0.62))
    builder.mount("south pipe", on, (6.3, 0.05), (0.12, 4.15), 0.12, pipe, pipe)


def _north(builder: Builder, on: Surface) -> None:
    titles = ("CIRCUS", "TIDE\nTABLES", "MARKET\nDAY", "OPEN\nSTUDIOS", "CHOIR")
    for i, title in enumerate(titles):
        left = (0.6, 1.95, 3.4, 11.2, 14.4)[i]
        builder.mount(
            f"north poster {i}",
            on,
            (left, 2.1 + 0.15 * (i % 2)),
            (1.1, 1.6),
            0.025,
            partial(poster, title=title),
            metal,
        )
    for i, x in enumerate(STALL_LINES_X[:-1]):
        text = partial(sign, text=f"P {41 + i}")
        builder.mount(f"north stall sign {i}", on, (x + 0.9, 2.15), (0.8, 0.4), 0.03, text, metal)
    builder.mount("north fuse box", on, (13.2, 2.9), (0.7, 1.1), 0.25, partial(metal, colour=(0.6, 0.62, 0.58)), metal)
    warning = partial(sign, text="DANGER\n400 V", colours=((240, 196, 20), (20, 20, 20)))
    builder.mount("north warning", on, (13.35, 2.35), (0.42, 0.42), 0.03, warning, metal)
    for i, left in enumerate((0.25, 15.4)):
        builder.mount(f"north pilaster {i}", on, (left - 0.1, 0), (0.35, 5.0), 0.18, concrete, concrete)


def _west(builder: Builder, on: Surface) -> None:
    shutter = partial(metal, colour=(0.30, 0.42, 0.40), rib=0.11)
    builder.mount("west shutter", on, (4.3, 1.5), (3.2, 3.1), 0.08, shutter, metal)
    gate = partial(sign, text="GARAGE 2\nNO STOPPING", colours=((168, 30, 28), (250, 246, 240)))
    builder.mount("west gate sign", on, (4.9, 0.75), (2.0, 0.62), 0.05, gate, metal)
    edge = partial(wood, colour=(0.5, 0.42, 0.34))
    for i, left in enumerate((0.7, 2.4, 8.6, 10.2)):
        builder.mount(f"west window {i}", on, (left, 1.0), (1.15, 1.5), 0.1, window, edge)
    builder.mount(
        "west door", on, (8.75, 2.62), (0.9, 1.98), 0.08, partial(door, colour=(126, 44, 36), label="OFFICE"), edge
    )
    for i, (left, title) in enumerate(((2.0, "FLEA\nMARKET"), (10.4, "YOGA"))):
        builder.mount(f"west poster {i}", on, (left, 2.75), (0.8, 1.15), 0.02, partial(poster, title=title), metal)


def _east(builder: Builder, on: Surface) -> None:
    builder.mount(
        "east door", on, (1.2, 1.15), (1.1, 2.35), 0.1, partial(door, colour=(40, 66, 110), label="WORKSHOP"), metal
    )
    exit_ = partial(sign, text="EXIT →", colours=((12, 110, 70), (248, 252, 248)))
    builder.mount("east exit", on, (1.1, 0.65), (1.3, 0.42), 0.06, exit_, metal)
    mural = partial(poster, title="THE HARBOUR 1924")
    builder.mount("east mural", on, (3.2, 0.6), (3.4, 2.0), 0.04, mural, wood)
    for i, left in enumerate((7.6, 9.7)):
        builder.mount(f"east window {i}", on, (left, 0.8), (1.4, 1.3), 0.1, window, concrete)
    notice = "COURT RULES\n1 Drive at walking pace\n2 Engines off\n3 Keep the gate clear\n4 No ball games after 20:00"
    builder.mount("east notice", on, (6.75, 1.45), (0.7, 0.9), 0.03, partial(sign, text=notice), metal)


def _pergola(builder: Builder) -> None:
    """Two pillars with a beam across."""
    for i, (x, text) in enumerate(((3.9, "A"), (11.6, "B"))):
        builder.box(f"pillar {text}", (x, 3.9, 0), (0.5, 0.5, 3.3), 0.0, dict.fromkeys(SIDES, concrete))
        plate = partial(
            sign, text=text, colours=((208, 60, 24), (255, 250, 240)) if i else ((20, 90, 60), (250, 250, 240))
        )
        band = partial(metal, colour=(0.85, 0.66, 0.1))
        builder.box(f"plate {text}", (x, 3.9, 1.55), (0.53, 0.53, 0.5), 0.0, dict.fromkeys(SIDES, plate))
        builder.box(f"band {text}", (x, 3.9, 0.0), (0.54, 0.54, 0.8), 0.0, dict.fromkeys((*SIDES, "top"), band))
    beam = dict.fromkeys((*SIDES, "top", "bottom"), partial(wood, plank=0.4))
    builder.box("beam", (7.75, 3.9, 3.3), (8.6, 0.35, 0.35), 0.0, beam)
    for i, x in enumerate(np.linspace(4.6, 10.9, 6)):
        builder.box(
            f"joist {i}", (x, 3.9, 3.65), (0.12, 2.4, 0.16), 0.0, dict.fromkeys((*SIDES, "top", "bottom"), wood)
        )
    hanging = partial(sign, text="LEVEL 0 · ZONE A", colours=((24, 24, 28), (250, 214, 60)))
    builder.box("hanging sign", (7.75, 3.9, 2.75), (1.7, 0.06, 0.5), 0.0, {"left": hanging, "right": hanging})


def _van(builder: Builder) -> None:
    """A panel van nose out in the middle stall."""
    x, y, nose = 9.25, 9.45, -np.pi / 2
    side = partial(van_side, lettering=("BAY & SONS", "fresh fish since 1911", "tel. 555 0137"))
    plain = partial(van_side, lettering=("BAY & SONS",))
    body: dict[str, Material] = {
        "left": side,
        "right": side,
        "back": plain,
        "top": metal,
        "bottom": metal,
        "front": plain,
    }
    builder.box("van body", (x, y + 0.5, 0.35), (3.5, 1.9, 1.85), nose, body)
    face = partial(windscreen, plate="TP 2026")
    cab: dict[str, Material] = {
        "left": metal_white,
        "right": metal_white,
        "front": face,
        "top": metal_white,
        "bottom": metal,
    }
    builder.box("van cab", (x, y - 1.75, 0.35), (1.0, 1.8, 1.4), nose, cab)
    for i, (dx, dy) in enumerate(((-0.86, -1.55), (0.86, -1.55), (-0.86, 1.5), (0.86, 1.5))):
        builder.box(
            f"van wheel {i}", (x + dx, y + dy, 0), (0.66, 0.26, 0.66), nose, dict.fromkeys((*SIDES, "top"), wheel)
        )


metal_white: Material = partial(metal, colour=(0.9, 0.89, 0.86))


def _crates(builder: Builder) -> None:
    stack = (
        ((1.5, 1.6, 0.0), (1.2, 0.9, 0.85), 0.15),
        ((1.6, 1.65, 0.85), (0.8, 0.7, 0.6), 0.55),
        ((2.75, 1.25, 0.0), (0.8, 0.8, 0.7), -0.3),
        ((14.3, 10.6, 0.0), (1.0, 1.0, 0.95), 0.2),
        ((14.35, 10.55, 0.95), (0.7, 0.6, 0.5), -0.25),
    )
    for i, (centre, size, yaw) in enumerate(stack):
        tone = builder.rng(f"crate tone {i}").uniform(0.45, 0.75)
        board = partial(wood, colour=(tone, 0.78 * tone, 0.55 * tone))
        stencil = partial(_stencilled, text=("FRAGILE", "TP-07", "THIS SIDE UP", "NETS", "BOX 12")[i], board=board)
        builder.box(f"crate {i}", centre, size, yaw, dict.fromkeys(SIDES, stencil) | {"top": board})


def _stencilled(size: Size, rng: np.random.Generator, px_per_m: float, *, text: str, board: Material) -> Texture:
    base = board(size, rng, px_per_m)
    decal = sign((0.7 * size[0], 0.3 * size[1]), rng, px_per_m / FINE, text, ((238, 232, 214), (30, 28, 26)))
    return paste(base, decal, 0.15 * size[0], 0.35 * size[1], 0.85)


def _planters(builder: Builder) -> None:
    for i, (x, y, yaw) in enumerate(((15.2, 5.0, np.pi / 2), (15.2, 2.2, np.pi / 2), (0.75, 10.9, np.pi / 2))):
        trough = partial(concrete, colour=((0.6, 0.45, 0.38), (0.5, 0.52, 0.5), (0.66, 0.6, 0.5))[i])
        builder.box(f"planter {i}", (x, y, 0), (1.6, 0.6, 0.55), yaw, dict.fromkeys((*SIDES, "top"), trough))
        builder.box(
            f"hedge {i}", (x, y, 0.55), (1.45, 0.48, 0.5 + 0.2 * i), yaw, dict.fromkeys((*SIDES, "top"), leaves)
        )


def _neighbours(builder: Builder) -> None:
    """Buildings seen over the walls."""
    builder.wall("house north", (-4, 19), (9, 19), (0, 11), partial(facade, colour=(176, 150, 122)))
    builder.wall("house north east", (9.5, 21), (24, 21), (0, 8.5), partial(facade, colour=(150, 110, 96)))
    builder.wall("house west", (-8, -6), (-8, 13), (0, 9.5), partial(facade, colour=(170, 174, 170)))
    builder.wall("house east", (25, 16), (25, -2), (0, 10), partial(facade, colour=(196, 184, 150)))
    builder.wall("house south", (20, -9), (-4, -9), (0, 8.8), partial(facade, colour=(140, 120, 110)))
