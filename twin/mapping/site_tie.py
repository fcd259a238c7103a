"""The tie of a finished map to the site: which evidence there is, what it gives, and how sure that is."""

import logging
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import pycolmap
from numpy.typing import NDArray

from geometry import Alignment, MappingError, TagSpecs, TagView, read_control, read_marks
from twin.mapping.capture import Capture, MapInputs, PoseKnowledge
from twin.mapping.joint_tie import tie_jointly, view_name, views_of_tags
from twin.mapping.prior_adjustment import adjust_with_priors
from twin.mapping.quality import percentiles
from twin.mapping.registration import (
    TiePoints,
    add_control,
    add_position_priors,
    add_tags,
    scale_by_tags,
    triangulate_tags,
)
from twin.mapping.tag_sightings import TagSighting
from twin.store import SiteFrame

logger = logging.getLogger(__name__)

Array = NDArray[np.float64]

CORNERS = 4
MIN_CONTRADICTING, MAX_CONTRADICTING_SHARE = 2, 0.2
"""A single tag may have been moved or mistyped since the survey."""


def register(
    inputs: MapInputs,
    capture: Capture,
    model: pycolmap.Reconstruction,
    shape: dict[str, Array],
    tags: TagSpecs | None,
    sightings: list[TagSighting],
    rng: np.random.Generator,
) -> tuple[SiteFrame, dict[str, Any] | None, float]:
    """Move the reconstruction into site; return how it was tied to it, a report, and metres in a unit of the map.

    ``shape`` holds the covariances (6, 6) of the images' poses in the map, by name. Raises ``InputError`` and
    ``DegenerateError`` where the evidence contradicts the map or does not tie it.
    """
    if capture.pose_knowledge is PoseKnowledge.KNOWN:
        return SiteFrame(aligned_by=["poses"], metric=True), None, 1.0
    points, used = TiePoints(), {}
    add_position_priors(points, model, capture)
    used["position priors"] = len(points.names)
    if inputs.control and inputs.marks:
        add_control(points, model, capture, read_control(inputs.control), read_marks(inputs.marks), shape, rng)
    used["control points"] = len(points.names) - sum(used.values())
    triangulated = None
    if tags is not None:
        triangulated = triangulate_tags(model, capture, tags, sightings, shape, rng)
        add_tags(points, triangulated, tags)
    used["tags"] = len(points.names) - sum(used.values())
    if points.names:
        sources = [source for source, count in used.items() if count]
        # Tags that too few photos show for their corners to be triangulated still tie the photos that show them.
        views: list[TagView] = []
        shown: list[TagSighting] = []
        if tags is not None and triangulated is not None:
            left = [s for s in sightings if s.tag not in triangulated.rows]
            views, shown = views_of_tags(model, capture, left, tags, shape)
        alignment, agreed = tie_jointly(points, views, rng)
        if agreed.any() and "tags" not in sources:
            sources.append("tags")
        model.transform(alignment.site_from_map)
        if sources == ["position priors"] and not points.drift:
            # Beside control points or tags the priors would pull the map off these again, and drift would bend it.
            adjust_with_priors(model, capture)
        frame = _frame(alignment, sources)
        report = _alignment_report(alignment, points, frame)
        if tags is not None and shown:
            report["single_views"] = int(agreed.sum())
            wrong = [one for one, good in zip(shown, agreed, strict=True) if not good]
            report["outliers"] += [view_name(capture, one, tags) for one in wrong]
        return frame, report, alignment.site_from_map.scale
    if tags is not None and triangulated is not None and triangulated.rows:
        scale, sigma = scale_by_tags(triangulated, tags)
        model.transform(pycolmap.Sim3d(scale, pycolmap.Rotation3d(), np.zeros(3)))
        covariance = np.zeros((7, 7))
        covariance[0, 0] = (sigma / scale) ** 2
        open_ones = ["position and rotation: only tag sizes are known"]
        frame = SiteFrame(
            aligned_by=["tag sizes"],
            metric=True,
            covariance=covariance.tolist(),
            centroid=[0, 0, 0],
            undetermined=open_ones,
        )
        return frame, None, scale
    logger.warning("nothing ties the map to the site: its unit is arbitrary. Give --poses, --control or --tags.")
    return SiteFrame(aligned_by=[], metric=False, undetermined=["position, rotation and scale"]), None, 1.0


def contradicting_tags(alignment: dict[str, Any] | None) -> list[str]:
    """Return the tags, of a report as ``register`` returns it, all of whose corners contradict the rest of the tie."""
    corners = Counter(name.rpartition(" corner ")[0] for name in (alignment or {}).get("outliers", ()))
    return [tag for tag, count in corners.items() if tag and count == CORNERS]


def elsewhere(alignment: dict[str, Any] | None) -> list[str]:
    """Return the tags that the map shows elsewhere than the rest of the tie has them, by one photo or by several."""
    return list(dict.fromkeys([*contradicting_tags(alignment), *_contradicting_views(alignment or {})]))


def _contradicting_views(tie: dict[str, Any]) -> list[str]:
    """Return the tags that a single photo shows, and elsewhere than the rest of the tie has them."""
    return list(dict.fromkeys(name.partition(" in ")[0] for name in tie.get("outliers", ()) if " in " in name))


def agreeing(
    capture: Capture, sightings: Sequence[TagSighting], tags: TagSpecs, alignment: dict[str, Any] | None
) -> list[TagSighting]:
    """Return the sightings of tags that the tie did not find elsewhere; none where no tag tied the map to the site."""
    tie = alignment or {}
    if not (tie.get("tags") or tie.get("single_views")):
        return []
    wrong = {*contradicting_tags(alignment), *tie["outliers"]}
    return [
        s
        for s in sightings
        if f"{tags.families[s.tag]} {tags.ids[s.tag]}" not in wrong and view_name(capture, s, tags) not in wrong
    ]


def require_unfolded(alignment: dict[str, Any] | None, *, force: bool) -> list[str]:
    """Return what contradicts the map; raise ``MappingError`` where that is too much to be tags that were moved.

    A map of which a part was put where it looks alike shows its tags there too. With ``force`` it is only logged.
    """
    tie = alignment or {}
    wrong = elsewhere(alignment)
    used = (tie.get("tags") or 0) + (tie.get("single_views") or 0) + len(_contradicting_views(tie))
    if len(wrong) < MIN_CONTRADICTING or len(wrong) <= MAX_CONTRADICTING_SHARE * used:
        return []
    what = f"{len(wrong)} of {used} surveyed tags are elsewhere in the map: parts that look alike are folded into one"
    if not force:
        raise MappingError(
            what,
            where=", ".join(wrong[:6]),
            remedy="Check tags.csv, give honest sigmas in --poses, take photos closer together. --force publishes it.",
        )
    logger.warning("%s", what)
    return wrong


def _frame(alignment: Alignment, sources: list[str]) -> SiteFrame:
    return SiteFrame(
        aligned_by=sources,
        metric=True,
        covariance=alignment.covariance.tolist(),
        centroid=alignment.centroid.tolist(),
        chi2_per_dof=alignment.chi2_per_dof,
        undetermined=list(alignment.undetermined),
    )


def _alignment_report(alignment: Alignment, points: TiePoints, frame: SiteFrame) -> dict[str, Any]:
    lengths = np.linalg.norm(alignment.residuals_m, axis=1)
    return {
        "by": frame.aligned_by,
        "points": len(lengths),
        "tags": sum(name.endswith(f" corner {CORNERS - 1}") for name in points.names),
        "outliers": [name for name, used in zip(points.names, alignment.inliers, strict=True) if not used],
        "residuals_m": percentiles(lengths),
        "chi2_per_dof": alignment.chi2_per_dof,
        "sigma_m": float(np.sqrt(np.linalg.eigvalsh(alignment.covariance[4:, 4:])[-1])),
        "undetermined": list(alignment.undetermined),
    }
