"""Seeded pictures with a meaning: posters, signs, windows, doors, vehicle sides, distant facades."""

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw

from geometry.errors import InputError
from scenes.colour import linear_from_srgb
from scenes.mipmaps import Texture
from scenes.patterns import blend, cracks, draw_text, fractal_noise
from scenes.textures import Size, texture_shape

Rgb = tuple[int, int, int]
FINE, COARSE = 1.5, 0.28
"""Resolution against other surfaces: print is looked at from near, neighbouring houses from afar."""
PALETTE: tuple[Rgb, ...] = (
    (196, 52, 44), (24, 72, 122), (236, 184, 56), (34, 110, 84), (238, 232, 218),
    (30, 30, 36), (214, 112, 44), (112, 62, 112), (90, 152, 186),
)  # fmt: skip


def poster(size: Size, rng: np.random.Generator, px_per_m: float, title: str) -> Texture:
    """A printed poster: a composition of shapes, a title, lines of small print, a frame; slightly worn."""
    px_per_m *= FINE
    picture, draw = _canvas(size, px_per_m, _pick(rng))
    width, height = picture.size
    for _ in range(int(rng.integers(7, 14))):
        _random_shape(draw, rng, width, height)
    draw.rectangle((0.06 * width, 0.08 * height, 0.94 * width, 0.30 * height), fill=(240, 236, 226))
    draw_text(draw, (0.09 * width, 0.10 * height, 0.91 * width, 0.28 * height), title, (28, 28, 34))
    draw.rectangle((0.06 * width, 0.74 * height, 0.94 * width, 0.95 * height), fill=(28, 30, 38))
    small = "\n".join(_small_print(rng) for _ in range(4))
    draw_text(draw, (0.09 * width, 0.76 * height, 0.91 * width, 0.93 * height), small, (232, 228, 214))
    draw.rectangle((0, 0, width - 1, height - 1), outline=(245, 245, 240), width=max(2, int(0.02 * px_per_m)))
    return _worn(picture, px_per_m, rng)


def sign(
    size: Size,
    rng: np.random.Generator,
    px_per_m: float,
    text: str,
    colours: tuple[Rgb, Rgb] = ((20, 62, 140), (250, 250, 250)),
) -> Texture:
    """A sign: ``text`` in the second colour on the first, with a border and bolts."""
    px_per_m *= FINE
    picture, draw = _canvas(size, px_per_m, colours[0])
    width, height = picture.size
    inset = 0.035 * min(width, height) + 2
    frame = (inset, inset, width - inset, height - inset)
    draw.rounded_rectangle(frame, radius=2 * inset, outline=colours[1], width=max(2, int(inset / 2)))
    draw_text(draw, (4 * inset, 3 * inset, width - 4 * inset, height - 3 * inset), text, colours[1])
    for x in (2.2 * inset, width - 2.2 * inset):
        draw.circle((x, height / 2), 0.6 * inset, fill=(120, 120, 120))
    return _worn(picture, px_per_m, rng)


def window(size: Size, rng: np.random.Generator, px_per_m: float, frame: Rgb = (226, 222, 212)) -> Texture:
    """A window: frame, panes that mirror a sky, blinds or a curtain behind some of them."""
    picture, draw = _canvas(size, px_per_m, frame)
    width, height = picture.size
    bar = 0.07 * px_per_m
    columns, rows = max(1, round(size[0] / 0.6)), max(1, round(size[1] / 0.75))
    for column in range(columns):
        for row in range(rows):
            x, y = (width - bar) / columns * column + bar, (height - bar) / rows * row + bar
            pane = (x, y, x + (width - bar) / columns - bar, y + (height - bar) / rows - bar)
            _pane(draw, rng, pane)
    draw.rectangle((0, 0, width - 1, height - 1), outline=(90, 86, 80), width=2)
    return _worn(picture, px_per_m, rng)


def door(size: Size, rng: np.random.Generator, px_per_m: float, colour: Rgb = (44, 84, 74), label: str = "") -> Texture:
    """A panelled door with a handle, a kick plate and perhaps a small label."""
    picture, draw = _canvas(size, px_per_m, colour)
    width, height = picture.size
    darker, lighter = (tuple(min(255, int(c * f)) for c in colour) for f in (0.55, 1.35))
    for top, bottom in ((0.30, 0.52), (0.57, 0.84)):
        for left, right in ((0.12, 0.46), (0.54, 0.88)):
            panel = (left * width, top * height, right * width, bottom * height)
            draw.rectangle(panel, fill=darker, outline=lighter, width=max(2, int(0.012 * px_per_m)))
    _pane(draw, rng, (0.2 * width, 0.07 * height, 0.8 * width, 0.25 * height))
    draw.rectangle((0.04 * width, 0.89 * height, 0.96 * width, 0.97 * height), fill=(150, 150, 148))
    draw.rounded_rectangle((0.84 * width, 0.52 * height, 0.93 * width, 0.57 * height), radius=4, fill=(205, 198, 180))
    draw.rectangle((0, 0, width - 1, height - 1), outline=(25, 25, 25), width=max(2, int(0.03 * px_per_m)))
    if label:
        draw.rectangle((0.25 * width, 0.27 * height, 0.75 * width, 0.31 * height), fill=(245, 245, 240))
        draw_text(draw, (0.28 * width, 0.275 * height, 0.72 * width, 0.305 * height), label, (20, 20, 20))
    return _worn(picture, px_per_m, rng)


def van_side(
    size: Size, rng: np.random.Generator, px_per_m: float, lettering: Sequence[str], colour: Rgb = (232, 230, 222)
) -> Texture:
    """The side of a panel van: a coloured stripe, lettering, panel seams, dirt."""
    px_per_m *= FINE
    picture, draw = _canvas(size, px_per_m, colour)
    width, height = picture.size
    for left_top, right_top, left_bottom, right_bottom in ((0.72, 0.55, 0.92, 0.78), (0.93, 0.80, 0.97, 0.84)):
        corners = [(0, left_top), (1, right_top), (1, right_bottom), (0, left_bottom)]
        draw.polygon([(x * width, y * height) for x, y in corners], fill=_pick(rng))
    draw_text(draw, (0.08 * width, 0.10 * height, 0.92 * width, 0.40 * height), lettering[0], (26, 40, 74))
    for i, line in enumerate(lettering[1:]):
        top = (0.43 + 0.10 * i) * height
        draw_text(draw, (0.15 * width, top, 0.85 * width, top + 0.08 * height), line, (70, 70, 76))
    for x in (0.04, 0.37, 0.70, 0.97):
        seam = (x * width, 0.03 * height, x * width, 0.97 * height)
        draw.line(seam, fill=(120, 118, 112), width=max(1, int(0.006 * px_per_m)))
    draw.rounded_rectangle((0.88 * width, 0.46 * height, 0.95 * width, 0.50 * height), radius=5, fill=(40, 40, 42))
    return _worn(picture, px_per_m, rng)


def wheel(size: Size, rng: np.random.Generator, px_per_m: float) -> Texture:
    """A wheel seen from its side on a black square."""
    px_per_m *= FINE
    picture, draw = _canvas(size, px_per_m, (14, 14, 15))
    width, height = picture.size
    middle, radius = (width / 2, height / 2), 0.47 * min(width, height)
    for share, colour in ((1.0, (34, 34, 36)), (0.68, (150, 152, 156)), (0.58, (92, 94, 98)), (0.2, (175, 176, 178))):
        draw.circle(middle, share * radius, fill=colour)
    for angle in np.arange(5) * 2 * np.pi / 5 + rng.uniform(0, 1):
        spot = middle[0] + 0.4 * radius * np.cos(angle), middle[1] + 0.4 * radius * np.sin(angle)
        draw.circle(spot, 0.1 * radius, fill=(20, 20, 22))
    return _worn(picture, px_per_m, rng)


def windscreen(
    size: Size, rng: np.random.Generator, px_per_m: float, plate: str, colour: Rgb = (232, 230, 222)
) -> Texture:
    """The face of a van: glass, grille, lamps and a number plate."""
    px_per_m *= FINE
    picture, draw = _canvas(size, px_per_m, colour)
    width, height = picture.size
    _pane(draw, rng, (0.06 * width, 0.05 * height, 0.94 * width, 0.46 * height))
    draw.rounded_rectangle((0.25 * width, 0.60 * height, 0.75 * width, 0.74 * height), radius=8, fill=(30, 30, 32))
    for y in np.linspace(0.62, 0.72, 4) * height:
        draw.line((0.26 * width, y, 0.74 * width, y), fill=(120, 120, 124), width=3)
    for left in (0.05, 0.79):
        lamp = (left * width, 0.58 * height, (left + 0.16) * width, 0.73 * height)
        draw.rounded_rectangle(lamp, radius=9, fill=(238, 236, 214))
    draw.rectangle((0, 0.80 * height, width, height), fill=(48, 48, 50))
    draw.rectangle((0.3 * width, 0.83 * height, 0.7 * width, 0.93 * height), fill=(244, 244, 236))
    draw_text(draw, (0.32 * width, 0.84 * height, 0.68 * width, 0.92 * height), plate, (20, 20, 24))
    return _worn(picture, px_per_m, rng)


def facade(size: Size, rng: np.random.Generator, px_per_m: float, colour: Rgb) -> Texture:
    """A building seen over the wall from afar: storeys of windows."""
    px_per_m *= COARSE
    picture, draw = _canvas(size, px_per_m, colour)
    width, height = picture.size
    storeys, bays = max(1, int(size[1] / 3.0)), max(1, int(size[0] / 2.2))
    for storey in range(storeys):
        y, high = height * (storey + 0.25) / storeys, height / storeys
        draw.rectangle((0, y + 0.62 * high, width, y + 0.66 * high), fill=tuple(int(0.7 * c) for c in colour))
        for bay in range(bays):
            x = width * (bay + 0.28) / bays
            _pane(draw, rng, (x, y, x + 0.45 * width / bays, y + 0.5 * high))
    return _worn(picture, px_per_m, rng)


def paste(base: Texture, decal: Texture, left: float, top: float, opacity: float = 1.0) -> Texture:
    """Return ``base`` with ``decal`` painted over it, its top-left corner at (left, top) metres.

    Raises ``InputError`` where the resolutions differ or the decal reaches beyond the base.
    """
    (height, width), row, column = decal.image.shape[:2], round(top * base.px_per_m), round(left * base.px_per_m)
    image = base.image.copy()
    under = image[row : row + height, column : column + width]
    if base.px_per_m != decal.px_per_m or under.shape != decal.image.shape:
        raise InputError("a decal needs the resolution of what it is pasted on, and to lie within it")
    under += np.float32(opacity) * (decal.image - under)
    return Texture(image=image, px_per_m=base.px_per_m)


def _canvas(size: Size, px_per_m: float, colour: Rgb) -> tuple[Image.Image, ImageDraw.ImageDraw]:
    picture = Image.new("RGB", texture_shape(size, px_per_m)[::-1], colour)
    return picture, ImageDraw.Draw(picture)


def _pick(rng: np.random.Generator) -> Rgb:
    return PALETTE[int(rng.integers(len(PALETTE)))]


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


def _pane(draw: ImageDraw.ImageDraw, rng: np.random.Generator, box: tuple[float, float, float, float]) -> None:
    """Glass: dark, with slanting reflections; sometimes a blind."""
    left, top, right, bottom = box
    if right - left < 1 or bottom - top < 1:
        return  # too small to show
    shade = rng.integers(34, 78)
    draw.rectangle(box, fill=(int(0.8 * shade), int(0.95 * shade), int(1.1 * shade)))
    for start in rng.uniform(left, right, 2):
        stripe = 0.12 * (right - left)
        xs = np.clip([start, start + stripe, start + stripe / 2, start - stripe / 2], left, right)
        corners = [(xs[0], top), (xs[1], top), (xs[2], bottom), (xs[3], bottom)]
        draw.polygon(corners, fill=(int(1.5 * shade), int(1.7 * shade), int(1.9 * shade)))
    if rng.random() < 0.5:
        until = top + rng.uniform(0.2, 0.8) * (bottom - top)
        draw.rectangle((left, top, right, until), fill=(206, 200, 186))
        for y in np.arange(top, until, max(3.0, (bottom - top) / 14)):
            draw.line((left, y, right, y), fill=(140, 134, 122), width=1)


def _small_print(rng: np.random.Generator) -> str:
    words = ["level", "market", "open", "daily", "north gate", "music", "hall", "tickets", "garden", "tram 7", "room"]
    return f"{' '.join(rng.choice(words, 3))} {rng.integers(1, 31)}.{rng.integers(1, 13)}. {rng.integers(8, 22)}:30"


def _worn(picture: Image.Image, px_per_m: float, rng: np.random.Generator) -> Texture:
    """Decode to linear light, fade unevenly, scratch."""
    image = linear_from_srgb(np.asarray(picture, dtype=np.float32) / 255.0)
    shape = image.shape[:2]
    image = image * (1 + 0.07 * fractal_noise(shape, px_per_m / 2, 2, rng, gain=0.75))[..., None]
    area = shape[0] * shape[1] / px_per_m**2
    image = blend(image, 0.55 * image + 0.12, 0.5 * cracks(shape, int(2 + 4 * area), 0.25 * px_per_m, rng, thickness=1))
    return Texture(image=np.clip(image, 0, 1).astype(np.float32), px_per_m=px_per_m)
