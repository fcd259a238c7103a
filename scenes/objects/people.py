"""People as parametric models: a body of capsules in clothes, standing or at a moment of a stride."""

from dataclasses import dataclass
from functools import lru_cache
from typing import cast

import numpy as np

from geometry.errors import InputError
from scenes.objects.lofts import Array, Patch, capsule, ellipsoid, merged, plain, tube
from scenes.rendering.shapes import Model, Texture

Rgb = tuple[int, int, int]
PHASES = 8
"""Poses of a stride; a phase is rounded to the nearest."""
STRIDE_M = 1.45
"""Ground covered by a whole stride, two steps, of a grown-up."""
SKIN: tuple[Rgb, ...] = ((236, 200, 176), (220, 176, 148), (178, 128, 96), (132, 88, 62), (92, 60, 44))
HAIR: tuple[Rgb, ...] = ((38, 30, 26), (74, 52, 36), (128, 92, 56), (186, 152, 98), (150, 148, 146), (24, 22, 22))
TOPS: tuple[Rgb, ...] = (
    (38, 46, 66), (150, 40, 42), (206, 204, 198), (64, 84, 62), (30, 30, 33), (96, 118, 150), (196, 158, 62),
    (110, 64, 92),
)  # fmt: skip
TROUSERS: tuple[Rgb, ...] = ((38, 48, 74), (28, 28, 31), (74, 70, 64), (150, 138, 114), (58, 74, 104))
SHOES: tuple[Rgb, ...] = ((26, 24, 24), (206, 204, 200), (92, 62, 42))


@dataclass(frozen=True, kw_only=True)
class PersonSpec:
    """What tells one person from another; colours are sRGB.

    height: metres; build: width against the average; long_hair, coat: longer ones
    """

    height: float = 1.75
    build: float = 1.0
    skin: Rgb = SKIN[0]
    hair: Rgb = HAIR[0]
    top: Rgb = TOPS[0]
    trousers: Rgb = TROUSERS[0]
    shoes: Rgb = SHOES[0]
    long_hair: bool = False
    coat: bool = False

    def __post_init__(self) -> None:
        if not (0.8 <= self.height <= 2.3 and 0.6 <= self.build <= 1.6):
            raise InputError(f"nobody is {self.height} m high with a build of {self.build}")


def draw_person_spec(rng: np.random.Generator) -> PersonSpec:
    """Draw a grown-up."""
    skin, hair, top, trousers, shoes = (
        colours[int(rng.integers(len(colours)))] for colours in (SKIN, HAIR, TOPS, TROUSERS, SHOES)
    )
    top = cast(Rgb, tuple(np.clip(np.array(top) + rng.integers(-12, 13, 3), 8, 235).tolist()))
    return PersonSpec(
        height=round(float(np.clip(rng.normal(1.73, 0.09), 1.5, 1.98)), 2),
        build=round(float(np.clip(rng.normal(1.0, 0.09), 0.85, 1.3)), 2),
        skin=skin, hair=hair, top=top, trousers=trousers, shoes=shoes,
        long_hair=bool(rng.random() < 0.4), coat=bool(rng.random() < 0.3),
    )  # fmt: skip


def person(spec: PersonSpec, phase: float | None = None) -> Model:
    """Return the model at ``phase`` of a stride, 0 to 1 and again from 0; standing if None.

    The same object for an equal spec and the same of the ``PHASES`` poses. Its ``size`` is that of the standing pose.
    """
    return _posed(spec, None if phase is None else round(phase * PHASES) % PHASES)


@lru_cache(maxsize=2048)
def _posed(spec: PersonSpec, pose: int | None) -> Model:
    turn = None if pose is None else 2 * np.pi * pose / PHASES
    legs = [_leg(spec, side, turn) for side in (1.0, -1.0)]
    arms = [_arm(spec, side, turn) for side in (1.0, -1.0)]
    lift = np.array([0.0, 0.0, -min(shoe.vertices[:, 2].min() for _, shoe in legs)])
    parts: dict[str, tuple[list[Patch], Rgb]] = {
        "skin": ([_head(spec), *(hand for _, hand in arms)], spec.skin),
        "hair": (_hair(spec), spec.hair),
        "top": ([_torso(spec), *(sleeve for sleeve, _ in arms)], spec.top),
        "trousers": ([_hips(spec), *(leg for leg, _ in legs)], spec.trousers),
        "shoes": ([shoe for _, shoe in legs], spec.shoes),
    }
    shapes = tuple(
        plain(name, [p.moved(lift) for p in patches], _cloth(colour)) for name, (patches, colour) in parts.items()
    )
    size = (0.32 * spec.height**0.5, 0.40 * spec.build * spec.height / 1.75 + 0.08, spec.height)
    return Model(name=f"person-{pose}", shapes=shapes, size=size)


def _torso(spec: PersonSpec) -> Patch:
    """Return the upper body from the hem (lower for a coat) over chest and shoulders to the neck."""
    hem = 0.36 if spec.coat else 0.49
    heights = np.array([hem, 0.53, 0.60, 0.70, 0.77, 0.815, 0.84, 0.855])
    depths = np.array([0.072, 0.068, 0.062, 0.070, 0.070, 0.055, 0.036, 0.030])
    widths = np.array([0.105 if spec.coat else 0.098, 0.097, 0.088, 0.100, 0.108, 0.100, 0.050, 0.034])
    return _upright(spec, heights, depths, widths)


def _hips(spec: PersonSpec) -> Patch:
    return _upright(
        spec,
        np.array([0.455, 0.48, 0.53, 0.56]),
        np.array([0.05, 0.064, 0.062, 0.05]),
        np.array([0.06, 0.09, 0.088, 0.08]),
    )


def _upright(spec: PersonSpec, heights: Array, depths: Array, widths: Array) -> Patch:
    path = np.column_stack([0 * heights, 0 * heights, heights * spec.height])
    return tube(path, np.column_stack([depths, widths * spec.build]) * spec.height, sides=14, up=(1, 0, 0))


def _head(spec: PersonSpec) -> Patch:
    h = spec.height
    neck = tube([(0, 0, 0.83 * h), (0.006 * h, 0, 0.89 * h)], [0.031 * h, 0.029 * h], up=(1, 0, 0))
    nose = ellipsoid((0.062 * h, 0, 0.925 * h), (0.010 * h, 0.008 * h, 0.014 * h), rings=3, sides=6)
    return merged(
        [neck, ellipsoid((0.008 * h, 0, 0.932 * h), np.array([0.056, 0.045, 0.066]) * h, rings=8, sides=14), nose]
    )


def _hair(spec: PersonSpec) -> list[Patch]:
    h = spec.height
    cap = ellipsoid((-0.004 * h, 0, 0.939 * h), np.array([0.060, 0.050, 0.064]) * h, rings=6, sides=14, lowest=0.12)
    back = ellipsoid((-0.016 * h, 0, 0.922 * h), np.array([0.048, 0.049, 0.055]) * h, rings=6, sides=12)
    fall = capsule(
        [(-0.035 * h, 0, 0.93 * h), (-0.048 * h, 0, 0.85 * h)],
        np.array([[0.03, 0.046], [0.022, 0.05]]) * h,
        up=(1, 0, 0),
    )
    return [cap, back, fall] if spec.long_hair else [cap, back]


def _leg(spec: PersonSpec, side: float, turn: float | None) -> tuple[Patch, Patch]:
    """Return leg and shoe; the two legs are half a stride apart, and the knee bends while a leg swings forward."""
    own = None if turn is None else turn + (0 if side > 0 else np.pi)
    hip = 0.0 if own is None else 0.05 + 0.45 * np.sin(own)
    knee = 0.0 if own is None else 0.08 + 0.85 * max(0.0, np.cos(own - 0.25)) ** 2
    h = spec.height
    start = np.array([0.0, side * 0.052 * h * spec.build, 0.50 * h])
    middle = start + 0.235 * h * _down(hip)
    ankle = middle + 0.225 * h * _down(hip - knee)
    leg = merged([
        capsule([start, (start + middle) / 2, middle], np.array([0.052, 0.047, 0.036]) * h * spec.build),
        capsule([middle, 0.65 * middle + 0.35 * ankle, ankle], np.array([0.036, 0.035, 0.024]) * h * spec.build),
    ])  # fmt: skip
    pitch = 0.55 * (hip - knee)
    ahead, below = np.array([np.cos(pitch), 0, np.sin(pitch)]), np.array([np.sin(pitch), 0, -np.cos(pitch)])
    heel, toe = ankle + 0.025 * h * below - 0.012 * h * ahead, ankle + 0.032 * h * below + 0.085 * h * ahead
    return leg, capsule(
        [heel, (heel + toe) / 2, toe], np.array([[0.026, 0.024], [0.022, 0.027], [0.013, 0.025]]) * h, up=below
    )


def _arm(spec: PersonSpec, side: float, turn: float | None) -> tuple[Patch, Patch]:
    """Return sleeve and hand; an arm swings against the leg of its side."""
    swing = 0.0 if turn is None else -0.42 * side * np.sin(turn)
    h = spec.height
    shoulder = np.array([0.0, side * 0.102 * h * spec.build, 0.803 * h])
    out = np.array([0.0, side * 0.10, 0.0])
    elbow = shoulder + 0.165 * h * _unit(_down(swing) + out)
    wrist = elbow + 0.135 * h * _unit(_down(swing + (0.12 if turn is None else 0.40)) + 0.3 * out)
    sleeve = merged([
        capsule([shoulder, elbow], np.array([0.031, 0.025]) * h * spec.build),
        capsule([elbow, wrist], np.array([0.025, 0.019]) * h * spec.build),
    ])  # fmt: skip
    tip = wrist + 0.06 * h * _unit(wrist - elbow)
    return sleeve, capsule([wrist, tip], np.array([[0.012, 0.019], [0.010, 0.017]]) * h, up=(0, 1, 0))


def _down(angle: float) -> Array:
    """Return the direction straight down, swung forward by ``angle``."""
    return np.array([np.sin(angle), 0.0, -np.cos(angle)])


def _unit(vector: Array) -> Array:
    return vector / np.linalg.norm(vector)


@lru_cache(maxsize=256)
def _cloth(colour: Rgb) -> Texture:
    return Texture(image=np.full((8, 8, 3), colour, dtype=np.uint8), px_per_m=32.0)
