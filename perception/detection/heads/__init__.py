"""How exports of known families lay out what they found: one class a layout, chosen by the shapes of the outputs."""

from perception.detection.heads.candidates import Candidates, Head, Shapes, Size
from perception.detection.heads.end_to_end import EndToEndHead
from perception.detection.heads.nanodet import NanodetHead
from perception.detection.heads.own import OwnHead
from perception.detection.heads.rtdetr import RtDetrHead, RtDetrLogitsHead, RtDetrSortedHead
from perception.detection.heads.yolo import Yolov5Head, Yolov8Head
from perception.detection.heads.yolox import YoloxHead

HEADS: dict[str, Head] = {
    head.name: head
    for head in (
        YoloxHead(), Yolov5Head(), Yolov8Head(), EndToEndHead(), RtDetrHead(), RtDetrLogitsHead(),
        RtDetrSortedHead(), NanodetHead(), OwnHead(),
    )
}  # fmt: skip


def layouts(shapes: Shapes, size: Size, classes: int | None) -> list[str]:
    """Return the names of the layouts that outputs of these shapes may have, for a known number of classes or any."""
    found = []
    for name, head in HEADS.items():
        count = None if name == OwnHead.name else head.classes(shapes, size)
        if count is not None and (classes is None or count in (0, classes)):
            found.append(name)
    return found


__all__ = ["HEADS", "Candidates", "Head", "layouts"]
