"""What tracks are: their kinds and colours, by what the boxes that show them say together."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from geometry.solids import size_prior
from geometry.track_records import FrameRecord, Observation, TrackRow
from perception.appearance.pooling import pool_shares

TOLD = ("kinds", "colours")
"""Under these names a detection's ``meta`` has probabilities by name, and so has a track's row."""
LEAST = 0.005
Shares = Mapping[str, float]
Box = tuple[float, float, float, float]


def described(rows: Sequence[TrackRow], told: Mapping[int, Mapping[str, Shares]]) -> tuple[TrackRow, ...]:
    """Return rows with what is ``told`` of their tracks: the likeliest kind, and all kinds and colours in ``meta``.

    A size that was the usual one of the kind before becomes that of the kind now.
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
        found.append(
            row.model_copy(update={"kind": kind, "size": size, "meta": row.meta | {k: dict(v) for k, v in own.items()}})
        )
    return tuple(found)


def tell(rows: Iterable[TrackRow], frames: Iterable[FrameRecord]) -> dict[int, dict[str, dict[str, float]]]:
    """Return of each track how likely each kind and colour is, likeliest first, by the boxes of its rows.

    Tracks of whose boxes no detection says anything are left out. Boxes that say nothing don't count.
    """
    known = {
        (frame.camera, frame.time, each.bbox): each.meta
        for frame in frames
        for each in frame.detections
        if any(name in each.meta for name in TOLD)
    }
    seen: dict[int, dict[tuple[str, float, Box], Observation]] = {}
    for row in rows:
        for each in row.observations:
            if (key := (each.camera, each.time, each.bbox)) in known:
                seen.setdefault(row.track, {})[key] = each
    return {
        track: {
            name: _pooled([(own[key], known[key][name]) for key in own if name in known[key]])
            for name in TOLD
            if any(name in known[key] for key in own)
        }
        for track, own in seen.items()
    }


def _pooled(said: Sequence[tuple[Observation, Shares]]) -> dict[str, float]:
    names = sorted({name for _, shares in said for name in shares})
    values: NDArray[np.float64] = np.array([[shares.get(name, 0.0) for name in names] for _, shares in said])
    boxes = [each.bbox for each, _ in said]
    shares = pool_shares(values, boxes, [each.camera for each, _ in said])
    order = np.argsort(-shares, kind="stable").tolist()
    return {names[i]: round(float(shares[i]), 4) for i in order if shares[i] >= LEAST}
