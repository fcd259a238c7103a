"""Seeded pictures with a meaning: signs, notices, posters, doors, windows, shutters, cabinets, distant facades."""

import cv2
import numpy as np
from PIL import Image, ImageDraw

from scenes.colour import linear_from_bytes
from scenes.materials.layers import encode
from scenes.materials.lettering import draw_text
from scenes.materials.patterns import cracks, extent_of, fractal_noise
from scenes.rendering.shapes import Texture

Rgb = tuple[int, int, int]
Size = tuple[float, float]
Box = tuple[float, float, float, float]

DARK, PALE = (28, 30, 36), (240, 238, 230)
PALETTE: tuple[Rgb, ...] = (
    (196, 52, 44), (24, 72, 122), (236, 184, 56), (34, 110, 84), (238, 232, 218),
    (30, 30, 36), (214, 112, 44), (112, 62, 112), (90, 152, 186),
)  # fmt: skip


def sign(size: Size, rng: np.random.Generator, px_per_m: float, text: str, colours: tuple[Rgb, Rgb]) -> Texture:
    """A sign: ``text`` in the second colour on the first, with a border and bolts."""
    picture, draw, (width, height) = _canvas(size, px_per_m, colours[0])
    inset = min(0.035 * min(width, height) + 2, 0.1 * min(width, height))
    frame = (inset, inset, width - inset, height - inset)
    draw.rounded_rectangle(frame, radius=2 * inset, outline=colours[1], width=max(2, int(inset / 2)))
    draw_text(draw, (4 * inset, 3 * inset, width - 4 * inset, height - 3 * inset), text, colours[1])
    for x in (2.2 * inset, width - 2.2 * inset):
        draw.circle((x, height / 2), 0.6 * inset, fill=(120, 120, 120))
    return _worn(picture, px_per_m, rng)


def notice(size: Size, rng: np.random.Generator, px_per_m: float, title: str) -> Texture:
    """A printed notice: a title over lines of small print."""
    picture, draw, (width, height) = _canvas(size, px_per_m, PALE)
    draw.rectangle((0, 0, width, 0.24 * height), fill=_pick(rng))
    draw_text(draw, (0.08 * width, 0.04 * height, 0.92 * width, 0.20 * height), title or "NOTICE", PALE)
    lines = "\n".join(_small_print(rng) for _ in range(int(rng.integers(6, 11))))
    draw_text(draw, (0.08 * width, 0.28 * height, 0.92 * width, 0.94 * height), lines, DARK)
    return _worn(picture, px_per_m, rng)


def poster(size: Size, rng: np.random.Generator, px_per_m: float, title: str) -> Texture:
    """A printed poster: a composition of shapes, a title, lines of small print, a frame; slightly worn."""
    picture, draw, (width, height) = _canvas(size, px_per_m, _pick(rng))
    for _ in range(int(rng.integers(7, 14))):
        _random_shape(draw, rng, width, height)
    draw.rectangle((0.06 * width, 0.08 * height, 0.94 * width, 0.30 * height), fill=PALE)
    draw_text(draw, (0.09 * width, 0.10 * height, 0.91 * width, 0.28 * height), title or _small_print(rng), DARK)
    draw.rectangle((0.06 * width, 0.74 * height, 0.94 * width, 0.95 * height), fill=DARK)
    small = "\n".join(_small_print(rng) for _ in range(4))
    draw_text(draw, (0.09 * width, 0.76 * height, 0.91 * width, 0.93 * height), small, (232, 228, 214))
    draw.rectangle((0, 0, width - 1, height - 1), outline=PALE, width=max(2, int(0.02 * px_per_m)))
    return _worn(picture, px_per_m, rng)


def window(size: Size, rng: np.random.Generator, px_per_m: float, frame: Rgb = (206, 204, 198)) -> Texture:
    """A window: frame, panes that mirror a sky, blinds or a curtain behind some of them."""
    picture, draw, (width, height) = _canvas(size, px_per_m, frame)
    bar = 0.07 * px_per_m
    columns, rows = max(1, round(size[0] / 0.8)), max(1, round(size[1] / 0.9))
    for column in range(columns):
        for row in range(rows):
            x, y = (width - bar) / columns * column + bar, (height - bar) / rows * row + bar
            _pane(draw, rng, (x, y, x + (width - bar) / columns - bar, y + (height - bar) / rows - bar))
    draw.rectangle((0, 0, width - 1, height - 1), outline=(90, 86, 80), width=2)
    return _worn(picture, px_per_m, rng)


def door(size: Size, rng: np.random.Generator, px_per_m: float, colour: Rgb, label: str = "") -> Texture:
    """A steel fire door: frame, glass slit, lever handle, hinges, kick plate, and its label at eye height."""
    picture, draw, (width, height) = _canvas(size, px_per_m, _scaled(colour, 0.6))
    draw.rectangle((0.06 * width, 0.03 * height, 0.94 * width, height), fill=colour, outline=_scaled(colour, 0.4))
    _pane(draw, rng, (0.62 * width, 0.12 * height, 0.76 * width, 0.42 * height))
    draw.rectangle((0.08 * width, 0.90 * height, 0.92 * width, 0.985 * height), fill=(150, 150, 148))
    draw.rounded_rectangle((0.80 * width, 0.47 * height, 0.88 * width, 0.56 * height), radius=3, fill=(170, 170, 168))
    draw.rectangle((0.70 * width, 0.50 * height, 0.87 * width, 0.515 * height), fill=(205, 203, 198))
    for y in (0.16, 0.82):
        draw.rectangle((0.05 * width, y * height, 0.075 * width, (y + 0.06) * height), fill=(120, 120, 118))
    if label:
        draw.rectangle((0.12 * width, 0.22 * height, 0.58 * width, 0.32 * height), fill=PALE)
        draw_text(draw, (0.14 * width, 0.235 * height, 0.56 * width, 0.305 * height), label, DARK)
    return _worn(picture, px_per_m, rng)


def shutter(size: Size, rng: np.random.Generator, px_per_m: float, colour: Rgb = (150, 152, 150)) -> Texture:
    """A roller shutter with guide rails and a hazard stripe at its foot."""
    picture, draw, (width, height) = _canvas(size, px_per_m, colour)
    for y in np.arange(0, height, 0.1 * px_per_m):
        draw.line((0, y, width, y), fill=_scaled(colour, 0.5), width=max(1, int(0.012 * px_per_m)))
        draw.line((0, y + 0.03 * px_per_m, width, y + 0.03 * px_per_m), fill=_scaled(colour, 1.2), width=1)
    _hazard_stripes(draw, (0, height - 0.15 * px_per_m, width, height))
    for left in (0, width - 0.08 * px_per_m):
        draw.rectangle((left, 0, left + 0.08 * px_per_m, height), fill=_scaled(colour, 0.7))
    return _worn(picture, px_per_m, rng)


def cabinet(size: Size, rng: np.random.Generator, px_per_m: float, text: str = "") -> Texture:
    """A switch cabinet: two doors, vents, locks, a voltage warning."""
    picture, draw, (width, height) = _canvas(size, px_per_m, (186, 188, 184))
    draw.line((width / 2, 0, width / 2, height), fill=(96, 96, 94), width=max(2, int(0.008 * px_per_m)))
    for y in np.linspace(0.86, 0.95, 5) * height:
        draw.line((0.1 * width, y, 0.42 * width, y), fill=(90, 90, 88), width=max(1, int(0.008 * px_per_m)))
    for x in (0.46, 0.54):
        draw.circle((x * width, 0.5 * height), 0.02 * width, fill=(60, 60, 60))
    warning = [(0.75, 0.16), (0.88, 0.36), (0.62, 0.36)]
    draw.polygon([(x * width, y * height) for x, y in warning], fill=(238, 200, 40), outline=DARK, width=2)
    draw_text(draw, (0.71 * width, 0.22 * height, 0.79 * width, 0.35 * height), "!", DARK)
    if text:
        draw_text(draw, (0.08 * width, 0.10 * height, 0.44 * width, 0.24 * height), text, DARK)
    draw.rectangle((0, 0, width - 1, height - 1), outline=(80, 80, 78), width=max(2, int(0.012 * px_per_m)))
    return _worn(picture, px_per_m, rng)


def hydrant(size: Size, rng: np.random.Generator, px_per_m: float) -> Texture:
    """A red hose cabinet with the pictogram of a fire hose."""
    picture, draw, (width, height) = _canvas(size, px_per_m, (172, 30, 28))
    draw.rectangle((0.05 * width, 0.04 * height, 0.95 * width, 0.96 * height), outline=(110, 16, 16), width=3)
    centre, radius = (0.45 * width, 0.45 * height), 0.24 * min(width, height)
    for share, colour in ((1.0, PALE), (0.72, (172, 30, 28)), (0.5, PALE), (0.22, (172, 30, 28))):
        draw.circle(centre, share * radius, fill=colour)
    draw.line((centre[0] + radius, centre[1], 0.84 * width, 0.72 * height), fill=PALE, width=max(3, int(0.1 * radius)))
    draw_text(draw, (0.15 * width, 0.80 * height, 0.85 * width, 0.92 * height), "HOSE", PALE)
    return _worn(picture, px_per_m, rng)


def facade(size: Size, rng: np.random.Generator, px_per_m: float, colour: Rgb) -> Texture:
    """A building seen over the wall from afar: storeys of windows."""
    picture, draw, (width, height) = _canvas(size, px_per_m, colour)
    storeys, bays = max(1, int(size[1] / 3.0)), max(1, int(size[0] / 2.4))
    for storey in range(storeys):
        y, high = height * (storey + 0.25) / storeys, height / storeys
        draw.rectangle((0, y + 0.62 * high, width, y + 0.66 * high), fill=_scaled(colour, 0.8))
        for bay in range(bays):
            x = width * (bay + 0.28) / bays
            _pane(draw, rng, (x, y, x + 0.45 * width / bays, y + 0.5 * high))
    return _worn(picture, px_per_m, rng)


def hazard(size: Size, rng: np.random.Generator, px_per_m: float) -> Texture:
    """Yellow and black stripes."""
    picture, draw, (width, height) = _canvas(size, px_per_m, DARK)
    _hazard_stripes(draw, (0, 0, width, height))
    return _worn(picture, px_per_m, rng)


def _canvas(size: Size, px_per_m: float, colour: Rgb) -> tuple[Image.Image, ImageDraw.ImageDraw, tuple[int, int]]:
    picture = Image.new("RGB", extent_of(size, px_per_m)[::-1], colour)
    return picture, ImageDraw.Draw(picture), picture.size


def _pick(rng: np.random.Generator) -> Rgb:
    return PALETTE[int(rng.integers(len(PALETTE)))]


def _scaled(colour: Rgb, factor: float) -> Rgb:
    red, green, blue = (min(255, int(factor * channel)) for channel in colour)
    return red, green, blue


def _hazard_stripes(draw: ImageDraw.ImageDraw, box: Box) -> None:
    left, top, right, bottom = box
    draw.rectangle(box, fill=(226, 184, 40))
    high = bottom - top
    for x in np.arange(left - high, right, 2 * high if high > 0 else 1):
        draw.polygon([(x, bottom), (x + high, top), (x + 2 * high, top), (x + high, bottom)], fill=DARK)


def _random_shape(draw: ImageDraw.ImageDraw, rng: np.random.Generator, width: int, height: int) -> None:
    x, y = rng.uniform(0, width), rng.uniform(0.2 * height, 0.85 * height)
    reach = rng.uniform(0.06, 0.32) * width
    match int(rng.integers(4)):
        case 0:
            draw.circle((x, y), reach, fill=_pick(rng), outline=_pick(rng), width=5)
        case 1:
            corners = rng.uniform(-reach, reach, (3, 2)) + np.array([x, y])
            draw.polygon([tuple(corner) for corner in corners], fill=_pick(rng))
        case 2:
            for offset in np.linspace(-reach, reach, int(rng.integers(3, 8))):
                draw.line((x + offset, y - reach, x + offset / 2, y + reach), fill=_pick(rng), width=6)
        case _:
            draw.rectangle((x - reach, y - reach / 3, x + reach, y + reach / 3), fill=_pick(rng))


def _pane(draw: ImageDraw.ImageDraw, rng: np.random.Generator, box: Box) -> None:
    """Glass: dark, with slanting reflections; sometimes a blind."""
    left, top, right, bottom = box
    if right - left < 1 or bottom - top < 1:
        return  # too small to show
    tone = int(rng.integers(34, 78))
    draw.rectangle(box, fill=_scaled((tone, tone, tone), 1.0))
    for start in rng.uniform(left, right, 2):
        stripe = 0.12 * (right - left)
        xs = np.clip([start, start + stripe, start + stripe / 2, start - stripe / 2], left, right)
        corners = [(xs[0], top), (xs[1], top), (xs[2], bottom), (xs[3], bottom)]
        draw.polygon(corners, fill=(int(1.5 * tone), int(1.7 * tone), int(1.9 * tone)))
    if rng.random() < 0.4:
        until = top + rng.uniform(0.2, 0.8) * (bottom - top)
        draw.rectangle((left, top, right, until), fill=(206, 200, 186))
        for y in np.arange(top, until, max(3.0, (bottom - top) / 14)):
            draw.line((left, y, right, y), fill=(140, 134, 122), width=1)


def _small_print(rng: np.random.Generator) -> str:
    words = ["level", "market", "open", "daily", "north gate", "music", "hall", "tickets", "garden", "tram 7", "room"]
    return f"{' '.join(rng.choice(words, 3))} {rng.integers(1, 31)}.{rng.integers(1, 13)}. {rng.integers(8, 22)}:30"


def _worn(picture: Image.Image, px_per_m: float, rng: np.random.Generator) -> Texture:
    """Fade unevenly in linear light and scratch."""
    linear = linear_from_bytes(np.asarray(picture))
    shape, area = linear.shape[:2], linear.shape[0] * linear.shape[1] / px_per_m**2
    linear *= (1 + 0.05 * fractal_noise(shape, px_per_m / 2, 2, rng, gain=0.75))[..., None]
    scratch = cracks(shape, int(1 + 3 * area), 0.25 * px_per_m, rng, thickness=1)[..., None] * np.float32(0.4 / 255)
    softened = cv2.GaussianBlur(linear, (0, 0), 0.6)  # print has no hard pixel edges
    return Texture(image=encode(softened + scratch * (0.55 * softened + 0.12 - softened)), px_per_m=px_per_m)
