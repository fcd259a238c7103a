"""What networks call things, and which of our kinds that is."""

import ast
import json
from collections.abc import Mapping, Sequence

from geometry.errors import InputError, nearest_known
from geometry.solids import PRIORS

COCO = (
    "person", "bicycle", "car", "motorcycle", "airplane", "bus", "train", "truck", "boat", "traffic light",
    "fire hydrant", "stop sign", "parking meter", "bench", "bird", "cat", "dog", "horse", "sheep", "cow", "elephant",
    "bear", "zebra", "giraffe", "backpack", "umbrella", "handbag", "tie", "suitcase", "frisbee", "skis", "snowboard",
    "sports ball", "kite", "baseball bat", "baseball glove", "skateboard", "surfboard", "tennis racket", "bottle",
    "wine glass", "cup", "fork", "knife", "spoon", "bowl", "banana", "apple", "sandwich", "orange", "broccoli",
    "carrot", "hot dog", "pizza", "donut", "cake", "chair", "couch", "potted plant", "bed", "dining table", "toilet",
    "tv", "laptop", "mouse", "remote", "keyboard", "cell phone", "microwave", "oven", "toaster", "sink",
    "refrigerator", "book", "clock", "vase", "scissors", "teddy bear", "hair drier", "toothbrush",
)  # fmt: skip
"""The 80 classes of COCO in the order of most exports."""
OTHER_WORDS = {
    "motorbike": "motorcycle",
    "bike": "bicycle",
    "pedestrian": "person",
    "people": "person",
    "lorry": "truck",
    "minivan": "van",
    "vehicle": "vehicle",
}
MAX_CLASSES = 10_000


def known_kinds() -> set[str]:
    """Return the kinds that sizes are known of, and "vehicle" for any."""
    return {*PRIORS, "vehicle"}


def kinds_of(names: Sequence[str], chosen: Mapping[str, str] | None = None) -> tuple[str | None, ...]:
    """Return the kind of each class, None for classes to leave out.

    Without ``chosen`` (class name: kind) a class is kept if its name is a kind or means one. Raises ``InputError`` for
    a class that is not there, and where nothing is left.
    """
    if chosen is None:
        kinds = known_kinds()
        found = [name if name in kinds else OTHER_WORDS.get(name) for name in (each.lower() for each in names)]
    else:
        for name in chosen:
            if name not in names:
                raise InputError(f"the network has no class '{name}'", remedy=nearest_known(name, names))
        found = [chosen.get(name) for name in names]
    if not any(found):
        raise InputError("none of the network's classes is a vehicle or a person", remedy="Map them: class=kind.")
    return tuple(found)


def names_in(metadata: Mapping[str, str]) -> tuple[str, ...] | None:
    """Return the class names that an export carries under ``names``, as JSON or as Python writes a dict or list."""
    text = metadata.get("names")
    if text is None or len(text) > 1_000_000:
        return None
    try:
        content = json.loads(text)
    except ValueError:
        try:
            content = ast.literal_eval(text)
        except (ValueError, SyntaxError, MemoryError, RecursionError) as error:
            raise InputError("the class names in the network's metadata can't be read") from error
    if isinstance(content, dict):
        try:
            content = [content[key] for key in sorted(content, key=int)]
        except (TypeError, ValueError) as error:
            raise InputError("the class names in the network's metadata are not numbered") from error
    if not isinstance(content, list | tuple) or len(content) > MAX_CLASSES:
        raise InputError("the class names in the network's metadata are no list of names")
    return tuple(str(name) for name in content)
