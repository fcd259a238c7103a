"""Where the photos of a capture show listed tags, found once and kept in the workspace."""

from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from geometry import TagSpecs
from perception import detect_tags, read_image
from twin.mapping.capture import Capture
from twin.mapping.workspace import Workspace, digest
from twin.progress import Progress

CORNER_SIGMA_PX = 0.3


@dataclass(frozen=True, kw_only=True, eq=False)
class TagSighting:
    """A tag in a photo: ``image`` is its index in the capture, ``tag`` a row of tags.csv, ``corners`` (4, 2) px."""

    image: int
    tag: int
    corners: NDArray[np.float64]


def find_tags(capture: Capture, tags: TagSpecs, workspace: Workspace, on_progress: Progress) -> list[TagSighting]:
    """Return all sightings of the tags of tags.csv, in the order of the photos; other tags are none of ours."""
    row_of = {key: row for row, key in enumerate(zip(tags.families, tags.ids.tolist(), strict=True))}
    found = []
    for image, name in enumerate(capture.names):
        on_progress("tags", image, len(capture.names))
        for family in sorted(set(tags.families)):
            key = digest("tags", family, capture.digests[image])
            stored = workspace.arrays("tags", key, partial(_detected, capture, image, name, family))
            for tag_id, corners in zip(stored["ids"].tolist(), stored["corners"], strict=True):
                if (family, tag_id) in row_of:
                    found.append(TagSighting(image=image, tag=row_of[family, tag_id], corners=corners))
    on_progress("tags", len(capture.names), len(capture.names))
    return found


def _detected(capture: Capture, image: int, name: str, family: str) -> dict[str, NDArray]:
    detections = detect_tags(read_image(capture.path(image), name=name).gray, family)
    return {"ids": detections.ids, "corners": np.asarray(detections.corners, dtype=np.float64).reshape(-1, 4, 2)}
