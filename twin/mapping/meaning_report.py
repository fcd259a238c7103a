"""The sections of quality.json on floors, marks, the plan, signs, textures and the surface."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from geometry import FloorPlan, Floors, PlanDisagreement, PlanFit
from twin.layout import MarkedFloor
from twin.signs import SignLandmark
from twin.surface import Surface
from twin.textures import Textures

SURE = 0.9
"""Texts as probable as this are claimed."""


def floor_report(floors: Floors) -> dict[str, Any]:
    """Return levels with their heights, ramps, and how high the photos were taken."""
    names = [level.name for level in floors.levels]
    return {
        "levels": [
            {
                "level": level.name,
                "elevation": level.elevation,
                "sigma_m": level.elevation_sigma,
                "slope": [float(slope) for slope in level.coefficients[1:]],
                "unevenness_m": float(level.unevenness),
                "area_m2": float(level.area.area),
                "landmarks": int(level.support),
            }
            for level in floors.levels
        ],
        "ramps": [
            {
                "from": names[ramp.lower] if ramp.lower >= 0 else None,
                "to": names[ramp.upper] if ramp.upper >= 0 else None,
                "length_m": float(ramp.s[-1]),
                "rise_m": float(ramp.z[-1] - ramp.z[0]),
                "sigma_m": float(np.max(ramp.sigma)),
                "landmarks": int(ramp.support),
            }
            for ramp in floors.ramps
        ],
        "camera_height_m": floors.camera_height,
        "warnings": list(floors.warnings),
    }


def mark_report(marked: Sequence[MarkedFloor]) -> dict[str, Any]:
    """Return what was read from each level's orthophoto."""
    return {
        floor.level.id: {
            "seen_m2": float((floor.ortho.views > 0).sum() * floor.ortho.m_per_px**2),
            "stripes": len(floor.marks.stripes),
            "arrows": len(floor.marks.arrows),
            "stalls": len(floor.marks.stalls),
        }
        for floor in marked
    }


def plan_report(
    plan: FloorPlan,
    source: str,
    fit: PlanFit | None,
    disagreements: Sequence[PlanDisagreement],
    remarks: Sequence[str],
    doubts: Sequence[str],
) -> dict[str, Any]:
    """Return where the plan comes from, how it fits, and what is odd about it.

    source: "given" in site, "control" by control points, "fitted" to the map, or "proposed" by it
    """
    fitted = {} if fit is None else {"fit": _fit(fit)}
    return {
        "source": source,
        "levels": [level.id for level in plan.levels],
        "stalls": len(plan.stalls),
        **fitted,
        "disagreements": [
            {"kind": d.kind, "level": d.level, "element": d.element, "position": list(d.position), "what": d.what}
            for d in disagreements
        ],
        "remarks": list(remarks),
        "warnings": list(doubts),
    }


def _fit(fit: PlanFit) -> dict[str, Any]:
    turn, x, y, z = np.sqrt(np.diag(fit.covariance)).tolist()
    return {
        "translation": fit.site_from_plan.translation.tolist(),
        "quat_xyzw": fit.site_from_plan.rotation.quat.tolist(),
        "sigma_m": [x, y, z],
        "sigma_deg": float(np.degrees(turn)),
        "explained": fit.explained,
        "runner_up": fit.runner_up,
        "scale": fit.scale,
        "height_residuals_m": fit.height_residuals_m.tolist(),
    }


def sign_report(signs: Sequence[SignLandmark]) -> dict[str, Any]:
    """Return how many texts were found, by kind, and those that are claimed."""
    return {
        "found": len(signs),
        "by_kind": dict(Counter(sign.kind for sign in signs)),
        "claimed": sorted(sign.text for sign in signs if sign.permanent and sign.probability >= SURE),
    }


def texture_report(textures: Textures) -> dict[str, Any]:
    """Return how many patches there are, and where."""
    on_floors, on_ceilings = int((textures.facing > 0).sum()), int((textures.facing < 0).sum())
    return {
        "patches": len(textures),
        "on floors": on_floors,
        "on ceilings": on_ceilings,
        "on walls": len(textures) - on_floors - on_ceilings,
    }


def surface_report(surface: Surface) -> dict[str, Any]:
    """Return how much of the surface was seen, and the elements of the plan that the map takes away or opens."""
    status = Counter(evidence.status for evidence in surface.evidence)
    return {
        "triangles": len(surface.mesh.triangles),
        "seen_share": float(surface.seen.mean()) if surface.seen.size else 0.0,
        "elements": dict(status),
        "cut": {
            evidence.element: {"status": evidence.status, "removed_m2": evidence.removed_m2}
            for evidence in surface.evidence
            if evidence.removed_m2 > 0
        },
    }
