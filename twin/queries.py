"""Localizing photo files: reading, choosing the camera, and turning what is wrong with one photo into its refusal."""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pycolmap
from numpy.typing import NDArray

from geometry import CameraRule, ImageError, InputError, camera_for, camera_from_exif, check_size
from perception import Extractor, Features, Picture, list_images, read_image
from twin.hints import Hint
from twin.localization import Localization, refusal, with_place
from twin.localizer import Choice, Localizer, reweighed
from twin.mapping.capture import lens_key
from twin.model import Twin
from twin.sequences import Steps, weights


def localize_images(
    twin: Twin,
    images: Iterable[tuple[str, Path]],
    rules: Sequence[CameraRule] = (),
    *,
    localizer: Localizer | None = None,
    hints: Mapping[str, Hint] | None = None,
) -> Iterator[Localization]:
    """Yield the answer for each (name, file); a file that can't be used is refused by name and the rest goes on.

    hints: what is known of a photo beforehand, by its name

    The camera is that of the first rule that matches the name, else the map's camera of the same lens by EXIF, else
    what EXIF says. ``seconds`` counts reading and features too. Raises ``InputError`` for a name given twice.
    """
    localizer = localizer or twin.localizer()
    extractor = twin.extractor()
    seen: set[str] = set()
    for name, path in images:
        if name in seen:
            raise InputError(f"the image '{name}' is given twice", remedy="Give every image once.")
        seen.add(name)
        hint = None if hints is None else hints.get(name)
        yield localize_image(twin, localizer, extractor, name, path, rules, hint)


def localize_image(
    twin: Twin,
    localizer: Localizer,
    extractor: Extractor,
    name: str,
    path: Path,
    rules: Sequence[CameraRule],
    hint: Hint | None = None,
) -> Localization:
    """Return the answer for one photo file; what is wrong with the file becomes the reason of a refusal."""
    start = time.perf_counter()
    try:
        return localize_file(twin, localizer, extractor, name, path, rules, hint)
    except (ImageError, InputError) as error:
        return _unusable(name, error, start)


def localize_together(
    twin: Twin,
    images: Sequence[tuple[str, Path]],
    steps: Steps,
    rules: Sequence[CameraRule] = (),
    *,
    localizer: Localizer | None = None,
) -> list[Localization]:
    """Return the answers for photos of one rig or walk, in their order, each weighed by the others' poses.

    A file that can't be used is refused by name and says nothing of the others. Raises ``InputError`` for a name given
    twice.
    """
    localizer = localizer or twin.localizer()
    extractor = twin.extractor()
    if len({name for name, _ in images}) < len(images):
        raise InputError("an image is given twice", remedy="Give every image once.")
    alone: list[Localization] = []
    choices: list[Choice | None] = []
    for name, path in images:
        start, choice = time.perf_counter(), None
        try:
            query = _read(twin, extractor, name, path, rules)
            answer, choice = localizer.localize_with_choice(name, query.features, query.camera, query.picture)
        except (ImageError, InputError) as error:
            answer = _unusable(name, error, start)
        alone.append(_timed(answer, start))
        choices.append(choice)
    answers = []
    for answer, choice, weight in zip(alone, choices, weights(choices, steps), strict=True):
        if choice is not None:
            again = reweighed(choice, weight)
            answer = localizer.answer(answer.image, again, coarse=answer.coarse, seconds=answer.seconds)
        answers.append(_placed(answer, twin))
    return answers


def localize_file(
    twin: Twin,
    localizer: Localizer,
    extractor: Extractor,
    name: str,
    path: Path,
    rules: Sequence[CameraRule],
    hint: Hint | None = None,
) -> Localization:
    """Return the answer for one photo file. Raises ``ImageError`` or ``InputError`` for what is wrong with the file."""
    return localize_file_with_matches(twin, localizer, extractor, name, path, rules, hint)[0]


def localize_file_with_matches(
    twin: Twin,
    localizer: Localizer,
    extractor: Extractor,
    name: str,
    path: Path,
    rules: Sequence[CameraRule],
    hint: Hint | None = None,
) -> tuple[Localization, NDArray[np.float64]]:
    """As ``localize_file``, with the matches (N, 5) that agree with the pose: u, v in pixels, x, y, z in site.

    The pixels are of the upright photo; a refused one has no matches.
    """
    start = time.perf_counter()
    query = _read(twin, extractor, name, path, rules)
    weigh = None if hint is None or hint.is_empty else partial(hint.weights, plan=twin.plan)
    answer, choice = localizer.localize_with_choice(name, query.features, query.camera, query.picture, weigh)
    matches = np.zeros((0, 5))
    if choice is not None and answer.status == "ok":
        agree = choice.best.estimate.inliers
        points = np.asarray(twin.landmarks.points)[choice.best.landmark[agree]]
        matches = np.hstack([query.features.keypoints[choice.best.feature[agree]], points])
    return _timed(_placed(answer, twin), start), matches


@dataclass(frozen=True, eq=False)
class _Query:
    """A photo file that can be used: its picture, the camera to assume, and what is found in it."""

    picture: Picture
    camera: pycolmap.Camera
    features: Features


def _read(twin: Twin, extractor: Extractor, name: str, path: Path, rules: Sequence[CameraRule]) -> _Query:
    picture = read_image(path, name=name)
    camera = query_camera(twin, name, path, rules)
    check_size(camera, picture.size, where=name)
    return _Query(picture, camera, extractor.extract(picture.gray))


def _unusable(name: str, error: ImageError | InputError, start: float) -> Localization:
    """Return the refusal of a photo whose file can't be used."""
    return refusal(name, f"{error.what}. {error.remedy or ''}".strip(), seconds=time.perf_counter() - start)


def _placed(answer: Localization, twin: Twin) -> Localization:
    """Name the level, zone and stall of an answer, where the twin knows them."""
    return with_place(answer, twin.plan) if twin.plan is not None and twin.is_in_site else answer


def _timed(answer: Localization, start: float) -> Localization:
    return answer.model_copy(update={"seconds": round(time.perf_counter() - start, 4)})


def query_camera(twin: Twin, name: str, path: Path, rules: Sequence[CameraRule]) -> pycolmap.Camera:
    """Return the camera to assume for a photo. Raises ``InputError`` where no focal length is known."""
    given = camera_for(name, rules)
    if given is not None:
        return given
    from_exif, has_focal = camera_from_exif(path)
    known = twin.camera_like(lens_key(from_exif))
    if known is not None:
        return known
    if not has_focal:
        raise InputError(
            "its focal length is unknown: no EXIF, and no camera of this size in the map",
            where=name,
            remedy="Give --cameras.",
        )
    return from_exif


def name_images(paths: Iterable[Path]) -> list[tuple[str, Path]]:
    """Return (name, file) of photos given as files or folders; in a folder the name is the path within it."""
    named: list[tuple[str, Path]] = []
    for path in paths:
        if path.is_dir():
            named += [(name, path / name) for name in list_images(path)]
        else:
            named.append((path.name, path))
    return named
