"""How much a photo's readings speak for each known sign: log-likelihood ratios against any text of the site."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from perception.reading import TextReading, fold_text, text_log_likelihoods
from twin.signs.landmark import SignLandmark

MISREAD = 0.02
"""Probability that a reading says nothing of what is written: the floor of any ratio is its logarithm."""
UNLISTED = 0.3
"""Share of readable texts that are no known sign: plates, posters, what was put up since."""
LETTER_CHOICES = 36.0


def place_likelihood(readings: Sequence[TextReading], signs: Sequence[SignLandmark]) -> NDArray[np.float64]:
    """Return log P(reading | it shows the sign) - log P(reading | it shows any text) (R, S), natural.

    By Bayes' rule the ratio is P(text | picture) over the text's frequency: that among ``signs``, mixed with strings at
    random. A text that stands everywhere says little, one that stands once about the log of the number of signs; a text
    that isn't there costs at most ``log(MISREAD)``. Signs that aren't permanent say nothing.
    """
    texts = [fold_text(sign.text) for sign in signs]
    likelihoods = np.exp(text_log_likelihoods([reading.log_frames for reading in readings], texts))
    counted = Counter(texts)
    frequency = np.array(
        [(1 - UNLISTED) * counted[text] / len(texts) + UNLISTED * LETTER_CHOICES ** -len(text) for text in texts]
    )
    known = np.array([sign.probability * sign.permanent for sign in signs])
    belief = (1 - MISREAD) * known
    return np.asarray(np.log(belief * likelihoods / frequency + 1 - belief + 1e-300)) if texts else likelihoods
