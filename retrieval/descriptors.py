"""One vector an image: the residuals of its local descriptors to the visual words, aggregated (VLAD)."""

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from retrieval.vocabulary import Vocabulary

FloatArray = NDArray[np.float32]


def aggregate(vocabulary: Vocabulary, descriptors: FloatArray) -> FloatArray:
    """Return the global descriptor (K * D,) float32 of an image from its local descriptors (N, D) float32.

    VLAD (Jegou et al. 2010) with intra-normalisation (Arandjelovic and Zisserman 2013) and a signed square root; unit
    length, so that the inner product is the cosine. An image without features gives the zero vector. Raises
    ``InputError`` where the descriptors aren't of the vocabulary's dimension or not finite.
    """
    words = vocabulary.words_of(descriptors)
    members = sparse.csr_array(
        (np.ones(len(words), dtype=np.float32), (words, np.arange(len(words)))), shape=(len(vocabulary), len(words))
    )
    counts = np.bincount(words, minlength=len(vocabulary)).astype(np.float32)
    residuals = members @ descriptors - counts[:, None] * vocabulary.centers
    blocks = _unit_rows(residuals)  # a word that repeats all over an image must not outweigh the others
    rooted = np.sign(blocks) * np.sqrt(np.abs(blocks))
    return _unit_rows(rooted.reshape(1, -1))[0]


def _unit_rows(rows: FloatArray) -> FloatArray:
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(np.divide(rows, lengths, out=np.zeros_like(rows), where=lengths > 0), dtype=np.float32)
