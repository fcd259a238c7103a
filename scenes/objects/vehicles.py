"""Vehicles as parametric models: what a spec says, drawn at random as real traffic is, and built."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike

from geometry.errors import InputError, nearest_known
from scenes.objects.body import BodySize, cabin, lower_body
from scenes.objects.details import paint_back, paint_firm, paint_flanks, paint_front, paint_top
from scenes.objects.lofts import Array, Patch, ellipsoid, merged, patch, plain, shape
from scenes.objects.motorcycle import AXLES, REFERENCE, WHEEL_RADIUS, motorcycle_patches
from scenes.objects.paintwork import Atlas, Brush, Rgb
from scenes.objects.plates import PLATE_SIZE_M, plate_texture
from scenes.objects.silhouettes import KINDS, SILHOUETTES, VehicleKind
from scenes.objects.wheels import DESIGNS, wheel, wheel_texture, wheel_uv
from scenes.rendering.shapes import Finish, Model, Shape, Texture

LACQUER, GLASS, CHROME = Finish(mirror=0.04), Finish(mirror=0.1), Finish(mirror=0.15)
KIND_SHARES = {
    "car": 0.24,
    "hatchback": 0.26,
    "suv": 0.24,
    "estate": 0.11,
    "van": 0.08,
    "pickup": 0.04,
    "motorcycle": 0.03,
}
COLOURS: tuple[tuple[Rgb, float], ...] = (
    ((222, 223, 222), 0.25), ((24, 25, 28), 0.20), ((92, 95, 99), 0.18), ((162, 165, 168), 0.13),
    ((38, 62, 112), 0.08), ((22, 34, 62), 0.03), ((150, 26, 28), 0.07), ((52, 74, 60), 0.02),
    ((186, 176, 152), 0.02), ((196, 146, 44), 0.02),
)  # fmt: skip
FIRMS = (
    "ELEKTRO KAPPEL",
    "FLOWERS & CO",
    "PARCEL 24",
    "AQUA SERVICE",
    "BAKERY LINDT",
    "CITY GLASS",
    "NORDMALER",
    "FIBRE NET",
)
STRIPES: tuple[Rgb, ...] = ((196, 52, 44), (24, 92, 152), (236, 184, 56), (34, 120, 84), (214, 112, 44))


@dataclass(frozen=True, kw_only=True)
class VehicleSpec:
    """Everything that tells one vehicle from another: equal specs are exact look-alikes.

    colour: sRGB of the paint; length, width, height: metres, mirrors not counted
    decal: a firm's name on flanks and back; stripe: sRGB of a band along the flanks; plate: the number plates' text
    seed: of what else varies: lamps, grille, rims, dust
    """

    kind: VehicleKind
    colour: Rgb
    length: float
    width: float
    height: float
    decal: str = ""
    stripe: Rgb | None = None
    plate: str = ""
    seed: int = 0

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise InputError(f"no vehicle is a '{self.kind}'", remedy=nearest_known(self.kind, KINDS))
        if not (0.5 <= self.width <= 3 and 1 <= self.length <= 8 and 0.5 <= self.height <= 4):
            raise InputError(f"a vehicle of {self.length} x {self.width} x {self.height} m is out of bounds")
        if len(self.decal) > 40 or len(self.plate) > 12:
            raise InputError("a decal has at most 40 letters, a plate 12")


def draw_vehicle_spec(rng: np.random.Generator, kind: VehicleKind | None = None) -> VehicleSpec:
    """Draw a vehicle as they come in real traffic, or one of a given kind."""
    if kind is None:
        kind = KINDS[int(rng.choice(len(KINDS), p=[KIND_SHARES[k] for k in KINDS]))]
    ranges = SILHOUETTES[kind] if kind != "motorcycle" else None
    if ranges is not None:
        length, width, height = (round(float(rng.uniform(*r)), 2) for r in (ranges.length, ranges.width, ranges.height))
    else:
        length, width, height = (round(float(side * rng.uniform(0.97, 1.03)), 2) for side in REFERENCE)
    firm = rng.random() < {"van": 0.7, "pickup": 0.2, "estate": 0.1}.get(kind, 0.02)
    return VehicleSpec(
        kind=kind, colour=_draw_colour(rng, kind), length=length, width=width, height=height,
        decal=str(rng.choice(FIRMS)) if firm else "",
        stripe=STRIPES[int(rng.integers(len(STRIPES)))] if firm else None,
        plate=_draw_plate(rng), seed=int(rng.integers(2**31)),
    )  # fmt: skip


def _draw_colour(rng: np.random.Generator, kind: VehicleKind) -> Rgb:
    if kind == "van" and rng.random() < 0.7:
        return COLOURS[0][0]
    shares = np.array([share for _, share in COLOURS])
    base = np.array(COLOURS[int(rng.choice(len(COLOURS), p=shares / shares.sum()))][0])
    red, green, blue = np.clip(base + rng.integers(-8, 9) + rng.integers(-4, 5, 3), 8, 240).tolist()
    return red, green, blue


def _draw_plate(rng: np.random.Generator) -> str:
    letters = "".join(rng.choice(list("ABCDEFGHJKLMNPRSTUVWXYZ"), 4))
    return f"{letters[:2]}-{letters[2:]} {rng.integers(10, 9999)}"


@lru_cache(maxsize=512)
def vehicle(spec: VehicleSpec) -> Model:
    """Return the model of a vehicle; the same object for an equal spec. Its ``size`` is the spec's."""
    shapes = _motorcycle(spec) if spec.kind == "motorcycle" else _four_wheeler(spec)
    return Model(name=f"{spec.kind}-{spec.seed}", shapes=shapes, size=(spec.length, spec.width, spec.height))


def _four_wheeler(spec: VehicleSpec) -> tuple[Shape, ...]:
    size = BodySize(length=spec.length, width=spec.width, height=spec.height, silhouette=SILHOUETTES[spec.kind])
    (shell, underside), (roof, glass, posts) = lower_body(size), cabin(size)
    atlas = Atlas(size)
    body, uv = atlas.unwrap(merged([shell, roof]))
    return (
        shape("body", body, uv, _paint(spec, atlas), LACQUER),
        plain("glass", [glass], _tinted(), GLASS),
        plain("trim", [underside, posts, *_mirrors(size)], _black()),
        _wheels(spec, size.axles, size.wheel_radius, 0.225, size.width / 2 - 0.135),
        *_plates(spec, size),
    )


def _paint(spec: VehicleSpec, atlas: Atlas) -> Texture:
    rng = np.random.default_rng(spec.seed)
    brush = Brush(atlas, spec.colour)
    for draw in (paint_flanks, paint_front, paint_back, paint_top):
        draw(brush, atlas.size, spec.colour, rng)
    paint_firm(brush, atlas.size, spec.decal, spec.stripe)
    return brush.texture(rng)


def _mirrors(size: BodySize) -> list[Patch]:
    """Return the outside mirrors, at the foot of the front pillars."""
    x = size.x(size.silhouette.cabin[1]) - 0.30
    left = ellipsoid((x, size.width / 2 + 0.04, size.belt + 0.075), (0.075, 0.10, 0.07), rings=5, sides=8)
    return [left, left.mirrored()]


def _wheels(spec: VehicleSpec, axles: tuple[float, float], radius: float, width: float, track: float) -> Shape:
    left = wheel(radius, width)
    sides = [left.moved((0, track, 0)), left.mirrored().moved((0, -track, 0))]
    every = merged([side.moved((x, 0, radius)) for x in axles for side in sides])
    uv = np.tile(wheel_uv(left, radius), (len(axles) * len(sides), 1))
    return shape("wheels", every, uv, wheel_texture(spec.seed % DESIGNS))


def _plates(spec: VehicleSpec, size: BodySize) -> tuple[Shape, ...]:
    """Return the number plates, a finger's width off the bumper and the tailgate."""
    low = min(size.deck(0.03), size.belt) - 0.05
    places = ((size.length / 2 + 0.012, size.sill + 0.21, 1.0), (-size.length / 2 - 0.012, low - 0.26, -1.0))
    return _plate(spec, places)


def _plate(spec: VehicleSpec, places: ArrayLike) -> tuple[Shape, ...]:
    if not spec.plate:
        return ()
    quads = merged([_plate_quad(*place) for place in np.asarray(places).tolist()])
    width, height = PLATE_SIZE_M
    uv = np.tile([(0, height), (width, height), (width, 0), (0, 0)], (len(quads.vertices) // 4, 1))
    return (shape("plates", quads, uv, plate_texture(spec.plate)),)


def _plate_quad(x: float, z: float, facing: float) -> Patch:
    """Return a plate in the plane ``x``, facing forward (1) or backward (-1); corners as read, from lower left."""
    half, tall = PLATE_SIZE_M[0] / 2 * facing, PLATE_SIZE_M[1] / 2
    corners: Array = np.array([(x, -half, z - tall), (x, half, z - tall), (x, half, z + tall), (x, -half, z + tall)])
    return patch(corners, np.array([[0, 1, 2], [0, 2, 3]]))


def _motorcycle(spec: VehicleSpec) -> tuple[Shape, ...]:
    stretch = np.array([spec.length, spec.width, spec.height]) / REFERENCE
    parts = {
        name: [Patch(vertices=p.vertices * stretch, triangles=p.triangles, normals=p.normals) for p in patches]
        for name, patches in motorcycle_patches().items()
    }
    radius = WHEEL_RADIUS * float(stretch[2])
    return (
        plain("body", parts["paint"], _flat(spec.colour), LACQUER),
        plain("trim", parts["trim"], _black()),
        plain("metal", parts["metal"], _flat((134, 136, 140)), CHROME),
        plain("glass", parts["glass"], _flat((190, 184, 180)), GLASS),
        _wheels(spec, (AXLES[0] * float(stretch[0]), AXLES[1] * float(stretch[0])), radius, 0.07, 0.035),
        *_plate(spec, [(-0.90 * spec.length / REFERENCE[0], 0.70, -1.0)]),
    )


@lru_cache(maxsize=64)
def _flat(colour: Rgb) -> Texture:
    return Texture(image=np.full((8, 8, 3), colour, dtype=np.uint8), px_per_m=32.0)


def _tinted() -> Texture:
    return _flat((26, 31, 34))


def _black() -> Texture:
    return _flat((22, 22, 23))
