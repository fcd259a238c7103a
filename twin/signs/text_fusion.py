"""One text from several readings of it, with probabilities.

Each view gives P(string | picture). Views of one sign are products of independent looks only in part: they share the
font, the dirt and the reader's habits. Hence a view is believed only so far (a mixture with what a failed look would
say), and n views count as sqrt(n).
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from perception.reading import fold_text, text_log_likelihoods

Array = NDArray[np.float64]

FAILED_LOOK = 0.05
"""Probability that a view says nothing about the text: hidden in part, cut off, glare."""
ANY_STRING = 1e-3
"""What a failed look gives to any one string."""
VIEW_EXPONENT = 0.5
"""n views weigh as n to this power."""


@dataclass(frozen=True, kw_only=True)
class FusedText:
    """The likeliest text, folded, its probability, and the others with theirs, likeliest first."""

    text: str
    probability: float
    alternatives: tuple[tuple[str, float], ...]


def fuse_texts(frames: Sequence[ArrayLike], texts: Sequence[str], vocabulary: Sequence[str] = ()) -> FusedText:
    """Weigh the texts that views read, and the words of ``vocabulary``, by all views' frames (T, 38) log probabilities.

    What none of the candidates explains goes to "another text", so that no probability is made up by having few
    candidates.
    """
    candidates = list(dict.fromkeys([*map(fold_text, texts), *map(fold_text, vocabulary)]))
    probabilities = fused_probabilities(text_log_likelihoods(frames, candidates))[:-1]
    order = np.argsort(-probabilities, kind="stable").tolist()
    ranked = [(candidates[k], round(float(probabilities[k]), 6)) for k in order]
    others = tuple((text, probability) for text, probability in ranked[1:4] if probability > 1e-4)
    return FusedText(text=ranked[0][0], probability=ranked[0][1], alternatives=others)


def fused_probabilities(log_likelihoods: ArrayLike) -> Array:
    """Return probabilities (K + 1,) of K texts and of any other, from log P(text | view) (R, K)."""
    per_view = np.exp(np.asarray(log_likelihoods, dtype=np.float64))
    other = np.maximum(1.0 - per_view.sum(axis=1, keepdims=True), 0.0)
    believed = (1 - FAILED_LOOK) * np.hstack([per_view, other]) + FAILED_LOOK * ANY_STRING
    scores = np.log(believed).sum(axis=0) * len(per_view) ** (VIEW_EXPONENT - 1)
    weights = np.exp(scores - scores.max())
    return np.asarray(weights / weights.sum())


def usual_spelling(texts: Sequence[str], folded: str) -> str:
    """Return how most readings of a folded text spell it, with spaces and punctuation; the first of equals."""
    spelled = Counter(text for text in texts if fold_text(text) == folded)
    return spelled.most_common(1)[0][0] if spelled else folded
