"""A map of a walk of which nothing is known but the order: laid out and adjusted."""

from collections.abc import Sequence
from dataclasses import dataclass

import pycolmap

from perception import Features
from twin.mapping.by_order import APART, MIN_STEADY, MIN_TORN, lay_out_walk
from twin.mapping.capture import Capture
from twin.mapping.correspondence import PairMatches, Recipe, match_pairs
from twin.mapping.pairing import Pair, choose_pairs
from twin.mapping.solving import reconstruct
from twin.mapping.workspace import Workspace
from twin.progress import Progress


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
    """
    laid = lay_out_walk(capture, features, matches, recipe, workspace, on_progress)
    if laid is None:
        return None
    kept = [each for name, each in zip(capture.names, features, strict=True) if name in laid.names]
    own = capture.without({name: APART for name in capture.names if name not in laid.names})
    pairs = choose_pairs(kept, None, laid)
    seen = _sure(matches, capture.names, own.names) | match_pairs(own, kept, pairs, recipe, workspace, on_progress)
    on_progress("reconstruction", 0, 1)
    model, left_out = reconstruct(laid, kept, seen, recipe.key, workspace, on_progress, is_laid=True)
    return Walked(capture=own, features=kept, pairs=pairs, model=model, left_out=left_out)


def _sure(matches: PairMatches, names: Sequence[str], kept: Sequence[str]) -> PairMatches:
    """Return the matches that are too many for look-alikes, by rows of the photos that were kept.

    Those of a photo and the next one are so many sooner: where the layout puts the two apart they tell of the tear.
    """
    row_of = {name: row for row, name in enumerate(kept)}
    sure = {
        (row_of.get(names[a], -1), row_of.get(names[b], -1)): found
        for (a, b), found in matches.items()
        if len(found) >= (MIN_TORN if b - a == 1 else MIN_STEADY)
    }
    return {pair: found for pair, found in sure.items() if min(pair) >= 0}
