"""What tracks are: their kinds and colours, by what the boxes that show them say together."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geometry.solids import Family, size_prior
from geometry.track_records import FrameRecord, TrackRow
from perception.appearance.pooling import pool_shares
from perception.shares import MAX_NAMES, TOLD, Shares, told_shares

LEAST = 0.02
"""What is less likely is not written."""
LEAST_TELLING = 0.5
"""Share of a track's boxes that must say something, for all to be said by them."""

Told = Mapping[str, float]
Box = tuple[float, float, float, float]
Key = tuple[str, float, Box, Family]


def described(rows: Sequence[TrackRow], told: Mapping[int, Mapping[str, Told]]) -> tuple[TrackRow, ...]:
    """Return rows with what is ``told`` of their tracks: the likeliest kind, and all kinds and colours in ``meta``.

    A size that was the usual one of the kind before, as of what is parked, becomes that of the kind now; one that was
    measured stays.
    """
    found = []
    for row in rows:
        own = told.get(row.track)
        if not own:
            found.append(row)
            continue
        kind = next(iter(own.get("kinds", {})), row.kind)
        usual = kind != row.kind and row.size == tuple(size_prior(row.kind).size)
        size = tuple(size_prior(kind).size) if usual else row.size
        meta = row.meta | {name: dict(shares) for name, shares in own.items()}
        found.append(row.model_copy(update={"kind": kind, "size": size, "meta": meta}))
    return tuple(found)


def tell(rows: Iterable[TrackRow], frames: Iterable[FrameRecord]) -> dict[int, dict[str, dict[str, float]]]:
    """Return of each vehicle's track how likely each kind and colour is, likeliest first, by the boxes of its rows.

    Nothing is told of a track of whose boxes less than half say something. What a detection's ``meta`` says that is no
    share, or is of a person, counts as not said.
    """
    known: dict[Key, dict[str, dict[str, float]]] = {}
    for frame in frames:
        for each in frame.detections:
            if size_prior(each.kind).family == "vehicle" and (said := _said(each.meta)):
                known[frame.camera, frame.time, each.bbox, "vehicle"] = said
    seen: dict[int, set[Key]] = {}
    for row in rows:
        if size_prior(row.kind).family == "vehicle":
            boxes = seen.setdefault(row.track, set())
            boxes.update((each.camera, each.time, each.bbox, "vehicle") for each in row.observations)
    told = {}
    for track, boxes in seen.items():
        own = {
            name: _pooled(telling)
            for name in TOLD
            if (telling := [(key, known[key][name]) for key in sorted(boxes) if name in known.get(key, {})])
            and len(telling) >= LEAST_TELLING * len(boxes)
        }
        if own:
            told[track] = own
    return told


def _said(meta: Mapping[str, Any]) -> dict[str, dict[str, float]]:
    """Return what a vehicle's ``meta`` says of kinds and colours."""
    said = {name: shares for name in TOLD if (shares := told_shares(meta, name))}
    if any(size_prior(kind).family != "vehicle" for kind in said.get("kinds", {})):
        del said["kinds"]
    return said


def _pooled(said: Sequence[tuple[Key, Told]]) -> dict[str, float]:
    mass: dict[str, float] = {}
    for _, shares in said:
        for name, share in shares.items():
            mass[name] = mass.get(name, 0.0) + share
    names = sorted(sorted(mass), key=lambda name: -mass[name])[:MAX_NAMES]
    values: NDArray[np.float64] = np.array([[shares.get(name, 0.0) for name in names] for _, shares in said])
    pooled = pool_shares(values, [box for (_, _, box, _), _ in said], [camera for (camera, *_), _ in said])
    return Shares(names=tuple(names), values=pooled[None]).named(0, LEAST)
