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

from perception.reading import fold_text, likely_texts, text_log_likelihoods

Array = NDArray[np.float64]

FAILED_LOOK = 0.05
"""Probability that a view says nothing about the text: hidden in part, cut off, glare."""
ANY_STRING = 0.01
"""What a failed look gives to any one string."""
OTHER_STRINGS = 20.0
"""Among how many strings a view's unexplained doubt is spread: two such views seldom mean the same one."""
VIEW_EXPONENT = 0.5
"""n views weigh as n to this power."""
PAIR_TRUST = 0.85
"""Probability that two like readings whose rays meet, with letters of one size there, are of one text."""


@dataclass(frozen=True, kw_only=True)
class FusedText:
    """The likeliest text, folded, its probability, and the others with theirs, likeliest first."""

    text: str
    probability: float
    alternatives: tuple[tuple[str, float], ...]


def fuse_texts(frames: Sequence[ArrayLike], vocabulary: Sequence[str] = ()) -> FusedText:
    """Weigh the texts that views may show, and the words of ``vocabulary``, by all frames (T, 38) log probabilities.

    What none of the candidates explains goes to "another text", so that no probability is made up by having few
    candidates. Two views that agree may still be of two texts whose rays meet by chance: only a third settles it.
    """
    read = [text for line in frames for text in likely_texts(line)]
    candidates = [text for text in dict.fromkeys([*read, *map(fold_text, vocabulary)]) if text]
    if not candidates:
        return FusedText(text="", probability=0.0, alternatives=())
    probabilities = fused_probabilities(text_log_likelihoods(frames, candidates))[:-1]
    probabilities *= PAIR_TRUST if len(frames) < 3 else 1.0
    order = np.argsort(-probabilities, kind="stable").tolist()
    ranked = [(candidates[k], round(float(probabilities[k]), 6)) for k in order]
    others = tuple((text, probability) for text, probability in ranked[1:4] if probability > 1e-4)
    return FusedText(text=ranked[0][0], probability=ranked[0][1], alternatives=others)


def fused_probabilities(log_likelihoods: ArrayLike) -> Array:
    """Return probabilities (K + 1,) of K texts and of any other, from log P(text | view) (R, K).

    That of any other is the sum over ``OTHER_STRINGS`` strings between which each view's remainder is divided.
    """
    per_view = np.exp(np.asarray(log_likelihoods, dtype=np.float64))
    other = np.maximum(1.0 - per_view.sum(axis=1, keepdims=True), 0.0) / OTHER_STRINGS
    believed = (1 - FAILED_LOOK) * np.hstack([per_view, other]) + FAILED_LOOK * ANY_STRING
    scores = np.log(believed).sum(axis=0) * len(per_view) ** (VIEW_EXPONENT - 1)
    scores[-1] += np.log(OTHER_STRINGS)
    weights = np.exp(scores - scores.max())
    return np.asarray(weights / weights.sum())


def usual_spelling(texts: Sequence[str], folded: str) -> str:
    """Return how most readings of a folded text spell it, with spaces and punctuation; the first of equals."""
    spelled = Counter(text for text in texts if fold_text(text) == folded)
    return spelled.most_common(1)[0][0] if spelled else folded
