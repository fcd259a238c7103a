"""Truth of the pictures a phone took: poses, and for queries where they are and how hard."""

from collections.abc import Sequence
from os import PathLike

import numpy as np
from scipy.spatial.transform import Rotation

from geometry.floorplan import FloorPlan
from geometry.frames import position_of, quat_xyzw_of
from geometry.interchange import QUERY_COLUMNS, pose_columns
from geometry.location import locate
from geometry.records import PoseTable, TagSpecs
from geometry.tables import write_table
from scenes.building import Building
from scenes.captures.views import View
from scenes.facility import Facility


def true_poses(views: Sequence[View]) -> PoseTable:
    """Return the exact poses of views, as poses.csv holds truth; the sigmas are 0."""
    return PoseTable(
        images=tuple(view.image for view in views),
        positions=np.array([position_of(view.cam_from_site) for view in views]).reshape(-1, 3),
        quats_xyzw=np.array([quat_xyzw_of(view.cam_from_site) for view in views]).reshape(-1, 4),
        sigma_m=np.zeros(len(views)),
        sigma_deg=np.zeros(len(views)),
        time=np.array([view.time for view in views]),
        sequence=tuple(view.sequence for view in views) if any(view.sequence for view in views) else None,
    )


def write_query_truth(
    path: str | PathLike[str], plan: FloorPlan, views: Sequence[View], seen: Sequence[float], evidence: Sequence[int]
) -> None:
    """Write truth/queries.csv: poses, level, zone and stall of the camera, and how hard each photo is."""
    poses = true_poses(views)
    located = locate(plan, poses.positions)
    columns = pose_columns(poses) | {
        "level": [view.level for view in views],
        "zone": [plan.zones[i].id if i >= 0 else "" for i in located.zone],
        "stall": [plan.stalls[i].id if i >= 0 else "" for i in located.stall],
        "seen_fraction": list(seen),
        "level_evidence_px": list(evidence),
    }
    write_table(path, QUERY_COLUMNS, columns)


def surveyed_tags(facility: Facility, building: Building) -> TagSpecs:
    """Return the tags with their true poses; their sigma is what the survey claims."""
    corners = np.array([building.tag_corners[tag.id] for tag in facility.tags]).reshape(-1, 4, 3)
    right, up = corners[:, 1] - corners[:, 0], corners[:, 0] - corners[:, 3]
    axes = np.stack([right, up, np.cross(right, up)], axis=2)
    axes /= np.linalg.norm(axes, axis=1, keepdims=True)
    return TagSpecs(
        families=tuple(tag.family for tag in facility.tags),
        ids=np.array([tag.id for tag in facility.tags], dtype=np.int64),
        size_m=np.array([tag.size_m for tag in facility.tags], dtype=np.float64),
        positions=corners.mean(axis=1),
        quats_xyzw=Rotation.from_matrix(axes).as_quat(canonical=True) if len(axes) else np.zeros((0, 4)),
        sigma_m=np.array([tag.sigma_m for tag in facility.tags], dtype=np.float64),
    )
