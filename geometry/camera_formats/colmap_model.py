"""A COLMAP model of fixed cameras: one camera and one posed image each, without points, text or binary."""

import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

import pycolmap

from geometry.camera_formats.entry import ImportOptions
from geometry.cameras import camera_from_params
from geometry.errors import InputError
from geometry.folders import put_in_place
from geometry.records import FixedCamera

MAX_IMAGES = 100_000
MODEL_FILES = ("cameras", "images", "points3D", "rigs", "frames")


def read(path: Path, options: ImportOptions | None = None) -> tuple[FixedCamera, ...]:
    """Read the posed images of a model, sorted by name; a name without its suffix is the camera's id."""
    options = options or ImportOptions()
    if not path.is_dir() or not (list(path.glob("cameras.*")) and list(path.glob("images.*"))):
        raise InputError("holds no COLMAP model", where=str(path), remedy="Give the folder of cameras and images.")
    try:
        model = pycolmap.Reconstruction(path)
    except (ValueError, RuntimeError) as error:
        raise InputError(f"unreadable COLMAP model ({error})", where=str(path)) from error
    images = sorted((i for i in model.images.values() if i.has_pose), key=lambda image: image.name)
    if len(images) > MAX_IMAGES:
        raise InputError(f"has {len(images)} images, {MAX_IMAGES} at most", where=str(path))
    ids = [_id(image.name) for image in images]
    if len(set(ids)) != len(ids):
        raise InputError("two images have one name but for their suffix", where=str(path))
    result = []
    for id, image in zip(ids, images, strict=True):
        own = image.camera
        lens = camera_from_params(own.model_name, own.width, own.height, own.params.tolist())
        result.append(FixedCamera.of(id, lens, image.cam_from_world(), level=options.level))
    return tuple(result)


def _id(name: str) -> str:
    path = PurePosixPath(name)
    return "-".join([*path.parts[:-1], path.stem])


def write(path: Path, cameras: Iterable[FixedCamera]) -> None:
    """Write a binary model as the folder ``path``, in one step; COLMAP reads no names with spaces from text.

    An old model is replaced. Raises ``InputError`` where the folder holds anything else, or can't be written.
    """
    model = pycolmap.Reconstruction()
    for number, fixed in enumerate(cameras, start=1):
        lens = fixed.camera()
        lens.camera_id = number
        model.add_camera_with_trivial_rig(lens)
        image = pycolmap.Image(name=f"{fixed.id}.jpg", camera_id=number, image_id=number)
        model.add_image_with_trivial_frame(image, fixed.pose())
    if path.exists():
        _require_model(path)
    staging = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        staging = Path(tempfile.mkdtemp(prefix=f".{path.name}.", suffix=".new", dir=path.parent))
        model.write_binary(staging)
        staging.chmod(0o755)
        put_in_place(staging, path)
    except (OSError, RuntimeError, ValueError) as error:
        raise InputError(f"can't write the model ({error})", where=str(path)) from error
    finally:
        if staging is not None:
            shutil.rmtree(staging, ignore_errors=True)


def _require_model(path: Path) -> None:
    """Raise ``InputError`` for anything but a folder of nothing else than a model, which is replaced as a whole."""
    names = {name + suffix for name in MODEL_FILES for suffix in (".bin", ".txt")}
    other = next((each.name for each in path.iterdir() if each.name not in names), None) if path.is_dir() else path.name
    if other is not None:
        raise InputError(f"holds '{other}', not only a model", where=str(path), remedy="Choose another folder.")
