import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from geometry.errors import ImageError, InputError
from perception.images import image_quality, list_images, read_image

RED, GREEN, BLUE, GRAY = (255, 0, 0), (0, 255, 0), (0, 0, 255), (128, 128, 128)
QUADRANTS = np.array([[RED, GREEN], [BLUE, GRAY]], dtype=np.uint8).repeat(8, axis=0).repeat(16, axis=1)  # (16, 32, 3)


def _corners(pixels: np.ndarray) -> list[tuple[int, ...]]:
    height, width = pixels.shape[:2]
    spots = [(2, 2), (2, width - 3), (height - 3, 2), (height - 3, width - 3)]
    return [tuple((np.round(pixels[y, x] / 128.0) * 128).clip(0, 255).astype(int).tolist()) for y, x in spots]


def _png_header_only(width: int, height: int) -> bytes:
    body = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + body + struct.pack(">I", zlib.crc32(body))


@pytest.mark.parametrize("suffix", ["png", "bmp", "tif", "webp", "jpg"])
def test_formats_agree(tmp_path: Path, suffix: str) -> None:
    file = tmp_path / f"a.{suffix}"
    Image.fromarray(QUADRANTS).save(file, quality=95)
    picture = read_image(file)
    assert picture.size == (32, 16)
    assert picture.pixels.dtype == np.uint8
    assert picture.name == str(file)
    assert _corners(picture.pixels) == [RED, GREEN, BLUE, GRAY]
    assert picture.gray.shape == (16, 32)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "CMYK", "YCbCr"])
def test_modes_become_rgb(tmp_path: Path, mode: str) -> None:
    source = Image.fromarray(QUADRANTS).convert(mode)
    file = tmp_path / "a.tif" if mode in ("CMYK", "YCbCr") else tmp_path / "a.png"
    source.save(file)
    pixels = read_image(file).pixels
    assert pixels.shape == (16, 32, 3)
    expected = source.convert("RGB")
    np.testing.assert_allclose(pixels.astype(int), np.asarray(expected, dtype=int), atol=2)


def test_transparent_palette_keeps_its_colours(tmp_path: Path) -> None:
    source = Image.fromarray(QUADRANTS).convert("P", palette=Image.Palette.ADAPTIVE)
    source.save(tmp_path / "a.png", transparency=bytes([0, 128, 255, 255]))
    assert _corners(read_image(tmp_path / "a.png").pixels) == [RED, GREEN, BLUE, GRAY]


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_16_bit_is_scaled_not_clipped(tmp_path: Path, suffix: str) -> None:
    ramp = np.linspace(0, 65535, 64, dtype=np.uint16).reshape(8, 8)
    Image.fromarray(ramp).save(tmp_path / f"a.{suffix}")
    gray = read_image(tmp_path / f"a.{suffix}").pixels[:, :, 0]
    np.testing.assert_allclose(gray, ramp / 257.0, atol=0.51)


def test_float_pixels_are_refused(tmp_path: Path) -> None:
    Image.fromarray(np.zeros((4, 4), dtype=np.float32)).save(tmp_path / "a.tif")
    with pytest.raises(ImageError, match=r"a\.tif.*32-bit"):
        read_image(tmp_path / "a.tif")


@pytest.mark.parametrize("suffix", ["jpg", "png", "tif", "webp"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied_exactly_once(tmp_path: Path, orientation: int, suffix: str) -> None:
    stored_from_upright = {  # what a camera with this orientation stores
        1: lambda a: a,
        2: np.fliplr,
        3: lambda a: np.rot90(a, 2),
        4: np.flipud,
        5: lambda a: np.transpose(a, (1, 0, 2)),
        6: lambda a: np.rot90(a, 1),
        7: lambda a: np.rot90(np.transpose(a, (1, 0, 2)), 2),
        8: lambda a: np.rot90(a, -1),
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    file = tmp_path / f"a.{suffix}"
    Image.fromarray(np.ascontiguousarray(stored_from_upright(QUADRANTS))).save(file, exif=exif, quality=95)
    picture = read_image(file)
    assert picture.size == (32, 16)
    assert _corners(picture.pixels) == [RED, GREEN, BLUE, GRAY]


def test_exif_names_the_camera(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x010F], exif[0x0110] = "Maker", "Model 7"
    exif.get_ifd(0x8769)[0xA405] = 26
    Image.fromarray(QUADRANTS).save(tmp_path / "a.jpg", exif=exif)
    picture = read_image(tmp_path / "a.jpg", name="walk/a.jpg")
    assert (picture.name, picture.camera_model, picture.focal_35mm_mm) == ("walk/a.jpg", "Maker Model 7", 26.0)


@pytest.mark.parametrize("suffix", ["png", "webp", "tif"])
def test_first_frame_of_an_animation(tmp_path: Path, suffix: str) -> None:
    frames = [Image.new("RGB", (16, 16), colour) for colour in (RED, GREEN)]
    frames[0].save(tmp_path / f"a.{suffix}", save_all=True, append_images=frames[1:], lossless=True)
    assert _corners(read_image(tmp_path / f"a.{suffix}").pixels) == [RED] * 4


def _damaged(tmp_path: Path, case: str) -> Path:
    file = tmp_path / f"{case}.jpg"
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    contents = {"empty": b"", "text": b"this is not a photo\n" * 9, "pixels": _png_header_only(20_000, 20_000)}
    contents |= {"some_pixels": _png_header_only(10_000, 9_500), "gif": b"GIF89a" + bytes(64), "pdf": b"%PDF-1.4\n"}
    if case in ("truncated_jpeg", "truncated_png", "truncated_webp", "truncated_bmp"):
        Image.fromarray(noise).save(file, format=case.split("_")[1].upper())
        file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    elif case == "folder":
        file.mkdir()
    elif case in contents:
        file.write_bytes(contents[case])
    return file


@pytest.mark.parametrize(
    ("case", "reason"),
    [
        ("missing", "no such file"),
        ("folder", "not a regular file"),
        ("empty", "empty"),
        ("text", "not an image"),
        ("gif", "not an image"),
        ("pdf", "not an image"),
        ("pixels", "pixels"),
        ("some_pixels", "pixels"),
        ("truncated_jpeg", "decoded"),
        ("truncated_png", "decoded"),
        ("truncated_webp", "decoded"),
        ("truncated_bmp", "decoded"),
    ],
)
def test_bad_files_are_refused_by_name_and_with_a_remedy(tmp_path: Path, case: str, reason: str) -> None:
    file = _damaged(tmp_path, case)
    with pytest.raises(ImageError, match=reason) as caught:
        read_image(file)
    assert caught.value.where == str(file)
    assert caught.value.remedy


def test_limits_can_be_set(tmp_path: Path) -> None:
    Image.fromarray(QUADRANTS).save(tmp_path / "a.png")
    with pytest.raises(ImageError, match="32x16"):
        read_image(tmp_path / "a.png", max_pixels=511)
    with pytest.raises(ImageError, match="bytes"):
        read_image(tmp_path / "a.png", max_bytes=10)
    assert read_image(tmp_path / "a.png", max_pixels=512).size == (32, 16)


def test_list_images_sorts_and_skips(tmp_path: Path) -> None:
    for name in ("b.JPG", "a/c.png", "a/.hidden.png", ".trash/d.png", "notes.txt", "a-b.webp"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "link.jpg").symlink_to(tmp_path / "b.JPG")
    assert list_images(tmp_path) == ("a-b.webp", "a/c.png", "b.JPG", "link.jpg")


@pytest.mark.parametrize("target_is_folder", [False, True])
def test_links_out_of_the_folder_are_refused(tmp_path: Path, target_is_folder: bool) -> None:
    outside, inside = tmp_path / "outside", tmp_path / "inside"
    outside.mkdir()
    inside.mkdir()
    (outside / "x.jpg").write_bytes(b"x")
    (inside / "l.jpg").symlink_to(outside if target_is_folder else outside / "x.jpg")
    with pytest.raises(InputError, match="out of the folder"):
        list_images(inside)


def test_list_images_of_nothing(tmp_path: Path) -> None:
    assert list_images(tmp_path) == ()
    with pytest.raises(InputError, match="not a folder"):
        list_images(tmp_path / "absent")


def test_quality_falls_with_blur_and_ignores_dimming() -> None:
    gray = np.random.default_rng(0).integers(20, 230, (120, 160), dtype=np.uint8)
    gray = cv2.GaussianBlur(gray, (0, 0), 1.0)
    blurred, dim = cv2.GaussianBlur(gray, (0, 0), 2.0), (gray // 4).astype(np.uint8)
    sharp = image_quality(gray).sharpness
    assert image_quality(blurred).sharpness < 0.2 * sharp
    assert image_quality(dim).sharpness == pytest.approx(sharp, rel=0.15)  # rounding to 8 bit adds a little


def test_quality_of_flat_images() -> None:
    black, white = np.zeros((8, 8), dtype=np.uint8), np.full((8, 8), 255, dtype=np.uint8)
    assert image_quality(black).sharpness == 0.0
    assert (image_quality(black).dark_share, image_quality(black).bright_share) == (1.0, 0.0)
    assert (image_quality(white).dark_share, image_quality(white).bright_share) == (0.0, 1.0)
    with pytest.raises(ImageError, match="without pixels"):
        image_quality(black[:0])
