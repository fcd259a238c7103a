"""Matching local features of two images: nearest neighbours both ways, or AdaLAM's local affine consensus."""

from collections.abc import Callable
from typing import Any, Protocol

import faiss
import numpy as np
from numpy.typing import NDArray

from geometry.errors import InputError, nearest_known
from perception.containers import Features, FloatArray, Matches


class Matcher(Protocol):
    """Finds correspondences between the features of two images."""

    def match(self, a: Features, b: Features) -> Matches:
        """Return the matches, best first. Raises ``InputError`` where ``a`` and ``b`` are of different kinds."""
        ...


class MutualRatioMatcher:
    """Mutual nearest neighbours that pass Lowe's ratio test (Lowe 2004) from both sides.

    The score of a match is 1 - (distance to the nearest) / (distance to the second), the smaller one of the two sides.
    """

    def __init__(self, *, ratio: float = 0.8):
        """Keep matches whose nearest neighbour is closer than ``ratio`` times the second; 1 keeps all mutual ones."""
        if not 0 < ratio <= 1:
            raise InputError(f"ratio must lie in (0, 1], got {ratio}", remedy="0.8 suits SIFT, 0.9 to 1 XFeat.")
        self._ratio = ratio

    def match(self, a: Features, b: Features) -> Matches:
        """Return the matches, best first, equal scores in the order of ``a``; an empty side gives none."""
        require_same_kind(a, b)
        if len(a) == 0 or len(b) == 0:
            return NO_MATCHES
        nearest_in_b, ratio_in_b = _nearest_and_ratio(a.descriptors, b.descriptors)
        distinct = np.flatnonzero(ratio_in_b <= self._ratio)
        if len(distinct) == 0:
            return NO_MATCHES
        # Only what passed from one side is searched from the other: the same answer for about half the work.
        partners = nearest_in_b[distinct]
        nearest_in_a, ratio_in_a = _nearest_and_ratio(b.descriptors[partners], a.descriptors)
        worst_ratio = np.maximum(ratio_in_b[distinct], ratio_in_a)
        kept = (nearest_in_a == distinct) & (worst_ratio <= self._ratio)
        return _best_first(distinct[kept], partners[kept], 1.0 - worst_ratio[kept])


class AdalamMatcher:
    """Mutual nearest neighbours kept where their surroundings move alike: AdaLAM (Cavalli et al. 2020) by kornia.

    It keeps matches that the ratio test drops in repetitive places, since it asks for agreement between at least six
    neighbours instead of distinctiveness. Scores are those of ``MutualRatioMatcher``. Deterministic.
    """

    def __init__(self, *, area_ratio: int = 100, min_confidence: int = 200):
        """Set how many times the image is larger than a seed's area, and how sure a seed's local RANSAC must be."""
        self._area_ratio, self._min_confidence = area_ratio, min_confidence

    def match(self, a: Features, b: Features) -> Matches:
        """Return the matches, best first; too few features to agree with each other give none."""
        putative = MutualRatioMatcher(ratio=1.0).match(a, b)
        if len(putative) < 2:
            return NO_MATCHES
        kept = self._consistent(a.take(putative.indices[:, 0]), b.take(putative.indices[:, 1]), 1.0 - putative.scores)
        return Matches(indices=putative.indices[kept], scores=putative.scores[kept])

    def _consistent(self, a: Features, b: Features, ratio: FloatArray) -> NDArray[np.int64]:
        """Return the rows i, ascending, where the match of a[i] and b[i] agrees with its surroundings."""
        import torch
        from kornia.feature.adalam import AdalamFilter, get_adalam_default_config

        config = get_adalam_default_config()
        config["area_ratio"], config["min_confidence"] = self._area_ratio, self._min_confidence
        tensors = [[torch.from_numpy(x) for x in (f.keypoints, np.degrees(f.orientations), f.scales)] for f in (a, b)]
        (pixels_a, angles_deg_a, scales_a), (pixels_b, angles_deg_b, scales_b) = tensors
        kept, inverse_confidence = AdalamFilter(config).filter_matches(
            pixels_a,
            pixels_b,
            putative_matches=torch.arange(len(a)),
            scores=torch.from_numpy(ratio**2),  # its thresholds are tuned to squared distances
            im1shape=a.image_size,
            im2shape=b.image_size,
            o1=angles_deg_a,
            o2=angles_deg_b,
            s1=scales_a,
            s2=scales_b,
            return_dist=True,
        )
        # without any seed kornia hands back a plain ratio test; such matches never reach the confidence
        confident = inverse_confidence[:, 0] <= 1.0 / self._min_confidence
        return np.unique(kept[confident, 0].numpy())


MATCHERS: dict[str, Callable[..., Matcher]] = {"mutual-ratio": MutualRatioMatcher, "adalam": AdalamMatcher}

NO_MATCHES = Matches(indices=np.empty((0, 2), dtype=np.int32), scores=np.empty(0, dtype=np.float32))


def make_matcher(name: str, **options: Any) -> Matcher:
    """Build the matcher called ``name`` (see ``MATCHERS``); raises ``InputError`` for an unknown name."""
    if name not in MATCHERS:
        raise InputError(f"unknown matcher '{name}'", remedy=nearest_known(name, MATCHERS))
    return MATCHERS[name](**options)


def require_same_kind(a: Features, b: Features) -> None:
    """Raise ``InputError`` where two sets of features can't be compared."""
    if a.kind != b.kind or a.descriptors.shape[1] != b.descriptors.shape[1]:
        raise InputError(
            f"features of kind '{a.kind}' can't be matched with '{b.kind}'",
            remedy="Extract both images with the same extractor.",
        )


def _nearest_and_ratio(queries: FloatArray, base: FloatArray) -> tuple[NDArray[np.int64], FloatArray]:
    """Return for every query its nearest row of ``base`` and the ratio of distances nearest / second.

    Without a second row the ratio is 0; where both distances are 0 (duplicates) it is 1: not distinctive.
    """
    squared, index = faiss.knn(np.ascontiguousarray(queries), np.ascontiguousarray(base), k=min(2, len(base)))
    if len(base) == 1:
        return index[:, 0], np.zeros(len(queries), dtype=np.float32)
    near, second = np.sqrt(np.maximum(squared.T, 0.0))
    return index[:, 0], np.divide(near, second, out=np.ones_like(near), where=second > 0)


def _best_first(rows_a: NDArray[np.integer], rows_b: NDArray[np.integer], scores: NDArray[np.floating]) -> Matches:
    order = np.argsort(-scores, kind="stable")
    pairs = np.stack([rows_a, rows_b], axis=1)[order].astype(np.int32)
    return Matches(indices=pairs, scores=scores[order].astype(np.float32))
