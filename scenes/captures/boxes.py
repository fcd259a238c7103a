"""Where objects are in the frames of fixed cameras (truth/boxes.jsonl)."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from geometry.errors import InputError
from geometry.interchange import read_cameras_json
from geometry.jsonl import read_jsonl
from geometry.tables import Column, read_table
from scenes.captures.clocks import read_clocks

Share = Annotated[float, Field(ge=0, le=1)]
Bbox = tuple[float, float, float, float]
FRAME_COLUMNS = (Column("camera", str), Column("frame", str), Column("time", float))


class Box(BaseModel):
    """One object in one frame: a line of boxes.jsonl.

    time: of the exposure, by the camera's own clock
    bbox, bbox_visible: (x1, y1, x2, y2) px, edges of the pixels that would show the object if nothing stood before
        it, and of those that show it; none where another object hides all of it
    visible_fraction: share of the former pixels that are among the latter; both only count inside the picture
    contact: (u, v) px of ``position``, hidden or not, perhaps outside the picture; none where it has no image
    position: (x, y, z) of the ground under the object's middle, site metres
    heading: radians counter-clockwise from site +x; size: (length, width, height) metres
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False, validate_by_name=True)

    camera: str
    time: float
    object: str
    kind: Annotated[str, Field(alias="class")]
    bbox: Bbox
    bbox_visible: Bbox | None
    visible_fraction: Share
    contact: tuple[float, float] | None
    position: tuple[float, float, float]
    heading: float
    size: tuple[float, float, float]

    def row(self) -> dict[str, Any]:
        """Return the line of boxes.jsonl."""
        return self.model_dump(by_alias=True)


@dataclass(frozen=True, kw_only=True)
class FrameBoxes:
    """All boxes of one frame, none for an empty one.

    time: of the exposure, by the camera's own clock; utc: the same moment by a right clock
    image_size: (width, height) px
    """

    camera: str
    time: float
    utc: float
    image_size: tuple[int, int]
    boxes: tuple[Box, ...]


def in_frames(boxes: Iterable[Box], frames: Sequence[FrameBoxes]) -> Iterator[FrameBoxes]:
    """Yield ``frames``, which are empty and in order, with the boxes, in the same order, that belong in them.

    Raises ``InputError`` for a box of a frame that is not there or comes too late.
    """
    groups = groupby(boxes, key=lambda box: (box.camera, box.time))
    key, members = next(groups, (None, iter(())))
    for frame in frames:
        inside: tuple[Box, ...] = ()
        if key == (frame.camera, frame.time):
            inside = tuple(members)
            key, members = next(groups, (None, iter(())))
        yield replace(frame, boxes=inside)
    if key is not None:
        raise InputError(f"boxes of camera '{key[0]}' at {key[1]} belong to no frame, or are out of order")


def read_boxes(scene: Path) -> Iterator[FrameBoxes]:
    """Yield the frames of a rendered scene's folder with their true boxes, camera after camera."""
    table = read_table(scene / "fixed" / "frames.csv", FRAME_COLUMNS)
    sizes = {c.id: (c.width, c.height) for c in read_cameras_json(scene / "truth" / "cameras.json")}
    clocks = read_clocks(scene / "truth" / "clocks.csv")
    frames = []
    for row, (camera, time) in enumerate(zip(table.text("camera"), table.numbers("time").tolist(), strict=True)):
        if camera not in sizes or camera not in clocks:
            raise InputError(f"camera '{camera}' has no clock or lens in truth/", where=table.where(row, "camera"))
        utc = float(clocks[camera].utc(time))
        frames.append(FrameBoxes(camera=camera, time=time, utc=utc, image_size=sizes[camera], boxes=()))
    return in_frames(read_jsonl(scene / "truth" / "boxes.jsonl", Box), frames)
