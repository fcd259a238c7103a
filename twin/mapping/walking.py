"""A map of a walk of which nothing is known but the order: laid out, adjusted, and grown by what was left out."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pycolmap

from geometry import MappingError
from perception import Features
from twin.mapping.by_order import APART, GROWN_ROUNDS_PX, LAYOUT_ROUNDS_PX, MIN_STEADY, lay_out_walk, regrow
from twin.mapping.capture import Capture
from twin.mapping.continuity import require_continuous
from twin.mapping.correspondence import PairMatches, Recipe, match_pairs
from twin.mapping.look_alikes import require_no_look_alikes
from twin.mapping.pairing import Pair, choose_pairs
from twin.mapping.reconstruction import placed_images
from twin.mapping.solving import reconstruct
from twin.mapping.workspace import Workspace
from twin.progress import Progress

logger = logging.getLogger(__name__)

KEPT, MOVED = 0.95, 0.02
"""Share of a map's photos that a larger one must have, and of its extent by which these may have moved there."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Walked:
    """The photos of a walk that hang together, without poses, their features and pairs, and the map of them.

    left_out: of these photos, the names of those that the map does not place, and why
    """

    capture: Capture
    features: list[Features]
    pairs: list[Pair]
    model: pycolmap.Reconstruction
    left_out: dict[str, str]


def map_walk(
    capture: Capture,
    features: list[Features],
    matches: PairMatches,
    recipe: Recipe,
    workspace: Workspace,
    on_progress: Progress,
) -> Walked | None:
    """Map a walk by its order; None where most photos don't hang together. Raises as ``settle`` does.

    matches: putative, of look-alikes and neighbours
    Photos that were left out are registered onto the map, which is adjusted with them, and kept if that is better.
    """
    laid = lay_out_walk(capture, features, matches, recipe, workspace, on_progress)
    if laid is None:
        return None
    first = _mapped(capture, features, matches, laid, {}, LAYOUT_ROUNDS_PX, recipe, workspace, on_progress)
    try:
        grown = regrow(capture, features, matches, first.model, workspace, on_progress)
        if grown is None:
            return first
        second = _mapped(
            capture, features, matches, grown, first.left_out, GROWN_ROUNDS_PX, recipe, workspace, on_progress
        )
        _require_better(first, second)
    except (MappingError, RuntimeError, ValueError, IndexError) as error:  # pycolmap raises any of the last three
        logger.warning("photos that were left out can't be added to the map: %s", error)
        return first
    return second


def _require_better(first: Walked, second: Walked) -> None:
    """Raise ``MappingError`` unless a map that was grown has the photos of the one before where that has them, and
    others, which nothing contradicts."""
    before, after = ({image.name: image for image in placed_images(each.model)} for each in (first, second))
    kept = sorted(before.keys() & after.keys())
    if len(after) <= len(before) or len(kept) < KEPT * len(before):
        raise MappingError(f"{len(after)} photos are placed, {len(kept)} of the {len(before)} that were")
    was, now = (np.array([each[name].projection_center() for name in kept]) for each in (before, after))
    most = MOVED * float(np.ptp(was, axis=0).max())
    fit = pycolmap.estimate_sim3d_robust(now, was, pycolmap.RANSACOptions(max_error=most, random_seed=0))
    off = np.inf if fit is None else np.linalg.norm(fit["tgt_from_src"] * now - was, axis=1)
    if np.mean(off < most) < KEPT:
        raise MappingError("the photos that were placed are elsewhere now")
    require_continuous(second.model, force=False)
    new = {row for row, name in enumerate(second.capture.names) if name not in before}
    asked = [pair for pair in second.pairs if not new.isdisjoint(pair)]
    for pairs in (second.pairs, asked):
        require_no_look_alikes(second.model, pairs, force=False)


def _mapped(
    capture: Capture,
    features: Sequence[Features],
    matches: PairMatches,
    laid: Capture,
    reasons: Mapping[str, str],
    gates_px: Sequence[float],
    recipe: Recipe,
    workspace: Workspace,
    on_progress: Progress,
) -> Walked:
    """Map the photos of a capture that have a place in ``laid``, starting there; the others have reasons, or hang on
    nothing."""
    kept = [each for name, each in zip(capture.names, features, strict=True) if name in laid.names]
    own = capture.without({name: reasons.get(name, APART) for name in capture.names if name not in laid.names})
    pairs = choose_pairs(kept, None, laid)
    seen = _sure(matches, capture.names, own.names) | match_pairs(own, kept, pairs, recipe, workspace, on_progress)
    on_progress("reconstruction", 0, len(gates_px))
    model, left_out = reconstruct(laid, kept, seen, recipe.key, workspace, on_progress, gates_px)
    return Walked(capture=own, features=kept, pairs=pairs, model=model, left_out=left_out)


def _sure(matches: PairMatches, names: Sequence[str], kept: Sequence[str]) -> PairMatches:
    """Return the matches that are too many for look-alikes, by rows of the photos that were kept."""
    row_of = {name: row for row, name in enumerate(kept)}
    renamed = {(row_of.get(names[a], -1), row_of.get(names[b], -1)): found for (a, b), found in matches.items()}
    return {pair: found for pair, found in renamed.items() if min(pair) >= 0 and len(found) >= MIN_STEADY}
