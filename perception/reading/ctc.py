"""What a text recogniser's output says about strings: connectionist temporal classification (CTC).

A recogniser gives each column ("frame") of a line of text a distribution over symbols and a blank. The probability of
a string is that of all paths which spell it (Graves et al. 2006, section 4.1), so that any strings can be compared, not
only the one decoded. Here symbols are folded: cases and accents count as one, and what isn't a letter or a digit counts
as blank. That leaves 38 of several thousand symbols to keep.
"""

import unicodedata
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from geometry.errors import InputError

Array = NDArray[np.float64]

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
BLANK, OTHER = 0, len(LETTERS) + 1
CLASSES = len(LETTERS) + 2
"""Blank, then ``LETTERS``, then every letter of another script."""
_FLOOR = 1e-12
_NEVER = -1e30  # finite, as logaddexp of two -inf is NaN with a warning
_INDEX = {letter: number for number, letter in enumerate(LETTERS, start=1)}


def fold_text(text: str) -> str:
    """Return the upper-case letters and digits of a text, without accents: EXITP2 of "Exit: P2"."""
    plain = unicodedata.normalize("NFKD", text).upper()
    return "".join(letter for letter in plain if letter in _INDEX)


def class_of(symbol: str) -> int:
    """Return the class of a recogniser's symbol: a letter's, blank for punctuation and signs, ``OTHER`` else."""
    folded = fold_text(symbol)
    if len(folded) == 1:
        return _INDEX[folded]
    return OTHER if any(unicodedata.category(letter)[0] in "LN" for letter in symbol) else BLANK


def fold_frames(probabilities: ArrayLike, classes: NDArray[np.int64]) -> Array:
    """Return log probabilities (..., T, CLASSES) of frames (..., T, S) whose symbols have ``classes`` (S,)."""
    frames = np.asarray(probabilities, dtype=np.float64)
    order = np.argsort(classes, kind="stable")
    starts = np.searchsorted(classes[order], np.arange(CLASSES))
    present = np.flatnonzero(np.diff([*starts, len(classes)]))
    folded = np.zeros((*frames.shape[:-1], CLASSES))
    folded[..., present] = np.add.reduceat(frames[..., order], starts[present], axis=-1)
    folded = np.maximum(folded, _FLOOR)
    return np.asarray(np.log(folded / folded.sum(axis=-1, keepdims=True)))


def best_path(log_frames: ArrayLike) -> str:
    """Decode frames (T, CLASSES) to the string of the likeliest path; letters of other scripts are left out."""
    best = np.asarray(log_frames).argmax(axis=1)
    kept = best[np.diff(best, prepend=-1) != 0]
    return "".join(LETTERS[number - 1] for number in kept.tolist() if number not in (BLANK, OTHER))


def likely_texts(log_frames: ArrayLike, least: float = 0.02) -> list[str]:
    """Return the string of the likeliest path of frames (T, CLASSES) and those with one letter read otherwise.

    The letter is replaced by its runner-up at the frame where it is likeliest, left out where that is blank, if the
    runner-up has at least the probability ``least``.
    """
    frames = np.asarray(log_frames, dtype=np.float64)
    if not len(frames):
        return [""]
    best = frames.argmax(axis=1)
    runs = np.split(np.arange(len(best)), np.flatnonzero(np.diff(best)) + 1)
    peaks = [run[frames[run, best[run[0]]].argmax()] for run in runs if best[run[0]] not in (BLANK, OTHER)]
    letters = [LETTERS[best[peak] - 1] for peak in peaks]
    texts = ["".join(letters)]
    for number, peak in enumerate(peaks):
        order = np.argsort(-frames[peak])
        other = int(order[1] if order[0] == best[peak] else order[0])
        if frames[peak, other] > np.log(least) and other != OTHER:
            replaced = LETTERS[other - 1] if other != BLANK else ""
            texts.append("".join([*letters[:number], replaced, *letters[number + 1 :]]))
    return texts


def text_log_likelihoods(frames: Sequence[ArrayLike], candidates: Sequence[str]) -> Array:
    """Return log P(string | line) (R, K) of R lines, frames (T, CLASSES) each, and K candidates, folded here.

    The forward algorithm over all lines and candidates at once; a line is padded with frames that are surely blank,
    which changes nothing. An empty candidate is the probability that nothing is written. A candidate with more letters
    than there are frames has next to none. Raises ``InputError`` for frames of another shape.
    """
    lines = [np.asarray(line, dtype=np.float64) for line in frames]
    for line in lines:
        if line.ndim != 2 or line.shape[1] != CLASSES:
            raise InputError(f"frames are (T, {CLASSES}) log probabilities, got {line.shape}")
    if not lines or not candidates:
        return np.zeros((len(lines), len(candidates)))
    padded = np.full((len(lines), max(len(line) for line in lines), CLASSES), _NEVER)
    padded[:, :, BLANK] = 0.0
    for number, line in enumerate(lines):
        padded[number, : len(line)] = line
    symbols, ends = _extended(candidates)
    return _forward(padded, symbols, ends)


def _extended(candidates: Sequence[str]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return symbols (K, S) of candidates with a blank around every letter, and where each ends (K,)."""
    spelled = [[_INDEX[letter] for letter in fold_text(text)] for text in candidates]
    longest = max(len(letters) for letters in spelled)
    symbols = np.full((len(spelled), 2 * longest + 1), BLANK, dtype=np.int64)
    for row, letters in zip(symbols, spelled, strict=True):
        row[1 : 2 * len(letters) : 2] = letters
    return symbols, np.array([2 * len(letters) for letters in spelled], dtype=np.int64)


def _forward(frames: Array, symbols: NDArray[np.int64], ends: NDArray[np.int64]) -> Array:
    """Sum over paths: alpha (R, K, S) is the probability of all that lead to a symbol (Graves, equations 6 and 7)."""
    skips = np.zeros(symbols.shape, dtype=bool)
    skips[:, 2:] = (symbols[:, 2:] != BLANK) & (symbols[:, 2:] != symbols[:, :-2])
    alpha = np.full((len(frames), *symbols.shape), _NEVER)
    alpha[:, :, 0] = 0.0  # before the first frame, as if after a blank
    for time in range(frames.shape[1]):
        step = np.full_like(alpha, _NEVER)
        step[:, :, 1:] = alpha[:, :, :-1]
        jump = np.full_like(alpha, _NEVER)
        jump[:, :, 2:] = alpha[:, :, :-2]
        jump = np.where(skips, jump, _NEVER)
        alpha = np.logaddexp(np.logaddexp(alpha, step), jump) + frames[:, time][:, symbols]
        alpha = np.maximum(alpha, _NEVER)
    rows = np.arange(len(symbols))
    last, before = alpha[:, rows, ends], alpha[:, rows, np.maximum(ends - 1, 0)]
    return np.asarray(np.where(ends > 0, np.logaddexp(last, before), last))
