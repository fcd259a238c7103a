"""A map of a walk of which nothing is known but the order: laid out, adjusted, and grown by what was left out."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import pycolmap

from geometry import MappingError
from perception import Features
from twin.mapping.by_order import APART, MIN_STEADY, lay_out_walk, regrow
from twin.mapping.capture import Capture
from twin.mapping.correspondence import PairMatches, Recipe, match_pairs
from twin.mapping.pairing import Pair, choose_pairs
from twin.mapping.solving import reconstruct
from twin.mapping.workspace import Workspace
from twin.progress import Progress

logger = logging.getLogger(__name__)


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
    Photos that were left out are registered onto the map, which is adjusted with them and kept if it then places more.
    """
    laid = lay_out_walk(capture, features, matches, recipe, workspace, on_progress)
    if laid is None:
        return None
    first = _mapped(capture, features, matches, laid, recipe, workspace, on_progress)
    grown = regrow(capture, features, matches, first.model, workspace, on_progress)
    if grown is None:
        return first
    try:
        second = _mapped(capture, features, matches, grown, recipe, workspace, on_progress)
    except MappingError as error:
        logger.warning("photos that were registered onto the map do not fit it: %s", error)
        return first
    return second if second.model.num_reg_images() > first.model.num_reg_images() else first


def _mapped(
    capture: Capture,
    features: Sequence[Features],
    matches: PairMatches,
    laid: Capture,
    recipe: Recipe,
    workspace: Workspace,
    on_progress: Progress,
) -> Walked:
    """Map the photos of a capture that have a place in ``laid``, starting there."""
    kept = [each for name, each in zip(capture.names, features, strict=True) if name in laid.names]
    own = capture.without({name: APART for name in capture.names if name not in laid.names})
    pairs = choose_pairs(kept, None, laid)
    seen = _sure(matches, capture.names, own.names) | match_pairs(own, kept, pairs, recipe, workspace, on_progress)
    on_progress("reconstruction", 0, 1)
    model, left_out = reconstruct(laid, kept, seen, recipe.key, workspace, on_progress, is_laid=True)
    return Walked(capture=own, features=kept, pairs=pairs, model=model, left_out=left_out)


def _sure(matches: PairMatches, names: Sequence[str], kept: Sequence[str]) -> PairMatches:
    """Return the matches that are too many for look-alikes, by rows of the photos that were kept."""
    row_of = {name: row for row, name in enumerate(kept)}
    renamed = {(row_of.get(names[a], -1), row_of.get(names[b], -1)): found for (a, b), found in matches.items()}
    return {pair: found for pair, found in renamed.items() if min(pair) >= 0 and len(found) >= MIN_STEADY}
