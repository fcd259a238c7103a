"""What is learned of stalls: which a camera looks at, and whether a vehicle stands in each."""

from typing import Any

import numpy as np

from geometry.floorplan import FloorPlan
from geometry.records import FixedCamera
from scenes.traffic.episode import Episode, occupancy_at, states_at
from twin.events.stall_views import seen_stalls

DRIVES_WITHIN_M = 3.5
"""Of a stall's middle: a vehicle that is not parked there, and may be half in it."""


def stall_labels(plan: FloorPlan, camera: FixedCamera, episode: Episode, moment: float) -> list[dict[str, Any]]:
    """Return of each stall that a camera sees, past walls, its corners (4, 3) site metres and whether it is taken.

    ``taken`` is None where a vehicle is just driving in, out or by.
    """
    taken, states = occupancy_at(episode, moment), states_at(episode, moment)
    is_vehicle = np.array([each.kind != "person" for each in episode.objects], dtype=np.bool_)
    drives = states.position[states.present & (states.stall < 0) & is_vehicle, :2]
    found = []
    for stall, corners in seen_stalls(plan, camera).items():
        apart = np.linalg.norm(drives - corners.mean(axis=0)[:2], axis=1).min(initial=np.inf)
        is_taken = True if stall in taken else None if apart < DRIVES_WITHIN_M else False
        found.append({"stall": stall, "corners": corners.round(4).tolist(), "taken": is_taken})
    return found
