"""From a twin's folder to a window or a picture, with tracks and photos as asked."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from geometry import InputError, nearest_known, read_cameras
from geometry.tables import write_atomic
from geometry.track_records import read_tracks
from perception import read_image
from twin.model import Twin
from twin.queries import query_camera
from twin.viewer.contents import Contents, Localized, contents_of
from twin.viewer.picture import SHOWN, render
from twin.viewer.viewpoint import Viewpoint, overview, pinhole, through


def look(
    folder: Path,
    *,
    save: Path | None = None,
    tracks: Path | None = None,
    photos: Sequence[Path] = (),
    cameras: Path | None = None,
    camera: str | None = None,
    level: str | None = None,
    mode: str = "photo",
    hidden: Sequence[str] = (),
    size: tuple[int, int] = (1280, 960),
) -> str:
    """Show a twin in a window or, with ``save``, write a picture; return what was done, to print.

    Raises ``InputError`` for a level, a camera or colours that the twin does not have, ``TiepointError`` where
    no window can be opened.
    """
    twin = Twin.open(folder)
    rows = [] if tracks is None else read_tracks(tracks)
    localized = [localize_to_show(twin, path, cameras) for path in photos]
    contents = contents_of(twin, tracks=rows, photos=localized)
    number = _level(contents, level)
    if mode not in contents.modes:
        raise InputError(
            f"landmarks of this twin have no colours by {mode}", remedy=nearest_known(mode, contents.modes)
        )
    viewpoint = _viewpoint(contents, camera, size)
    shown = tuple(layer for layer in SHOWN if layer not in hidden)
    if save is not None:
        write_picture(save, render(contents, viewpoint, shown=shown, level=number, mode=mode))
        return "\n".join([*map(told, localized), f"{save}: drawn by ray casting, without a display"])
    from twin.viewer.window import KEYS, Window

    window = Window(contents, tracks=rows, size=size)
    window.shown, window.level, window.mode = set(shown), number, mode
    window.draw()
    window.look(viewpoint)
    print("\n".join([*map(told, localized), KEYS]))
    window.run()
    return "closed"


def localize_to_show(twin: Twin, path: Path, cameras: Path | None) -> Localized:
    """Localize a photo and keep the landmarks that agree with its pose, none where it is refused."""
    camera = query_camera(twin, path.name, path, () if cameras is None else read_cameras(cameras))
    picture = read_image(path)
    features = twin.extractor().extract(picture.gray)
    answer, choice = twin.localizer().localize_with_choice(path.name, features, camera, picture)
    landmarks = np.zeros((0, 3))
    if choice is not None and answer.status == "ok":
        best = choice.best
        landmarks = np.asarray(twin.landmarks.points)[best.landmark[best.estimate.inliers]]
    return Localized(answer=answer, camera=camera, landmarks=landmarks)


def told(photo: Localized) -> str:
    """Return one line that says where a photo was taken, or why that is not known."""
    answer = photo.answer
    if answer.position is None:
        return f"{answer.image}: refused: {answer.reason}"
    x, y, z = answer.position
    sigma = (answer.position_sigma_m or 0.0) * 1000
    return f"{answer.image}: x {x:.2f} y {y:.2f} z {z:.2f} m, sigma {sigma:.0f} mm, {len(photo.landmarks)} landmarks"


def write_picture(path: Path, picture: np.ndarray) -> None:
    """Write a picture (H, W, 3) as PNG or JPEG, by its suffix. Raises ``InputError`` for another."""
    import cv2

    if path.suffix.lower() not in (".png", ".jpg", ".jpeg"):
        raise InputError("a picture is named *.png or *.jpg", where=str(path), remedy="Choose another --save.")
    done, content = cv2.imencode(path.suffix.lower(), picture[..., ::-1])
    if not done:
        raise InputError("could not be encoded", where=str(path))
    write_atomic(path, content.tobytes())


def _level(contents: Contents, level: str | None) -> int | None:
    if level is None:
        return None
    if level not in contents.names:
        raise InputError(f"there is no level '{level}'", remedy=nearest_known(level, contents.names))
    return contents.names.index(level)


def _viewpoint(contents: Contents, camera: str | None, size: tuple[int, int]) -> Viewpoint:
    if camera is None:
        return overview(contents.around, *size)
    by_id = {fixed.id: fixed for fixed in contents.cameras}
    if camera not in by_id:
        raise InputError(f"there is no fixed camera '{camera}'", remedy=nearest_known(camera, by_id))
    seen = through(by_id[camera])
    width, height = size
    scale = min(width / seen.camera.width, height / seen.camera.height)
    return Viewpoint(
        camera=pinhole(width, height, seen.camera.focal_length_x * scale), cam_from_site=seen.cam_from_site
    )
