"""Labels of pictures: a line a picture of a .jsonl file, with what is learned of each box; ``training.labelled`` reads
them."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from geometry import InputError, write_atomic
from scenes.captures.boxes import Box
from scenes.objects import VehicleSpec
from training.colours import colour_name

JUDGED_ON = range(101, 104)


def require_other_seed(seed: int) -> None:
    """Raise ``InputError`` for a seed whose renderings networks are judged on."""
    if seed in JUDGED_ON:
        raise InputError(f"seed {seed} is what networks are judged on", remedy="Take another one.")


def label_of(box: Box, spec: Any = None) -> dict[str, Any]:
    """Return what is learned of a box; ``identity`` is the same for look-alikes, None where ``spec`` is unknown."""
    return {
        "object": box.object,
        "identity": None if spec is None else repr(spec),
        "kind": box.kind,
        "colour": colour_name(spec.colour) if isinstance(spec, VehicleSpec) else None,
        "bbox": box.bbox_visible,
        "whole": box.bbox,
        "contact": box.contact,
        "visible": box.visible_fraction,
    }


def write_labels(path: Path, lines: Iterable[dict[str, Any]]) -> None:
    """Write lines, all of them or none, and say how many they are."""
    rows = list(lines)
    write_atomic(path, (json.dumps(line).encode() + b"\n" for line in rows))
    print(f"{path.stem}: {len(rows)} pictures, {sum(len(line['boxes']) for line in rows)} boxes")
