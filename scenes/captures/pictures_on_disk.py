"""Pictures written one by one into a folder that a killed run can go on with."""

import io
import json
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from geometry.errors import InputError
from geometry.tables import read_bounded, write_atomic
from scenes.captures.views import View

Picture = NDArray[np.uint8]
OnCount = Callable[[int, int], None]

NOTE = ".render.json"
"""Says what a folder is the rendering of."""


def claim_folder(out: Path, digest: str) -> None:
    """Make the folder ``out`` or go on with it; half-written files of a killed run are removed.

    Raises ``InputError`` for a folder that holds something else: its note names another ``digest``, or is missing.
    """
    note = out / NOTE
    content = json.dumps({"digest": digest}).encode()
    make_folder(out)
    if note.exists():
        if read_bounded(note) != content:
            remedy = "Give a new folder, or the facility and the options it was begun with."
            raise InputError("the folder holds another scene, or one with other options", where=str(out), remedy=remedy)
    elif any(path.suffix != ".tmp" for path in out.iterdir()):
        raise InputError(
            "the folder is not empty, and is no scene that was begun", where=str(out), remedy="Give a new one."
        )
    else:
        write_atomic(note, content)
    for partial in out.rglob(".*.tmp"):
        partial.unlink(missing_ok=True)


def make_folder(folder: Path) -> None:
    """Make a folder and those above it; ``InputError`` if that can't be."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        remedy = "Check the permissions and the free space."
        raise InputError(f"can't make the folder: {error.strerror}", where=str(folder), remedy=remedy) from error


def write_pictures(
    folder: Path,
    views: Sequence[View],
    render: Callable[[int], Picture],
    encode: Callable[[int, Picture], bytes],
    on_count: OnCount,
) -> None:
    """Write the pictures of ``views`` that are not in ``folder`` yet, named as the views say.

    ``render`` makes the picture of a view, given by its index, and ``encode`` its file, in a second thread meanwhile.
    Raises ``InputError`` naming the file that can't be written; those before it stay.
    """
    make_folder(folder)
    missing = [i for i, view in enumerate(views) if not (folder / view.image).exists()]
    done = len(views) - len(missing)
    on_count(done, len(views))

    def finish(index: int, picture: Picture) -> None:
        write_atomic(folder / views[index].image, encode(index, picture))

    with ThreadPoolExecutor(max_workers=1) as writer:
        last: Future[None] | None = None
        for index in missing:
            picture = render(index)
            if last is not None:
                last.result()
                on_count(done := done + 1, len(views))
            last = writer.submit(finish, index, picture)
        if last is not None:
            last.result()
            on_count(done + 1, len(views))


def write_png(path: Path, picture: Picture) -> None:
    """Write an sRGB picture (H, W, 3) as PNG, whole or not at all."""
    stream = io.BytesIO()
    Image.fromarray(picture).save(stream, "PNG")
    write_atomic(path, stream.getvalue())
