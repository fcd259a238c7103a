"""By how much small patches of one picture are shifted in another that shows nearly the same, with covariances.

A gain and an offset of brightness a patch are free, so that light and exposure may differ. A patch on a line is shifted
across the line only: its covariance is long along it.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from geometry.errors import InputError

Array = NDArray[np.float64]
Image = NDArray[np.float32]

DAMPING = 0.01
"""Of the larger eigenvalue of a patch's structure tensor: steps along a line are held back."""
NOISE_CORRELATION = 4.0
"""Residuals of neighbouring pixels go together; variances are so many times larger than if they did not."""
FLOOR_PX, CEILING_PX = 0.05, 40.0


@dataclass(frozen=True, kw_only=True, eq=False)
class Shifts:
    """What became of N patches.

    shifts: (N, 2) pixels; covariances: (N, 2, 2); scores: (N,) normalised correlation at the shift, -1 where it left
    the picture or did not settle
    """

    shifts: Array
    covariances: Array
    scores: Array


def smoothed(gray: ArrayLike, sigma_px: float = 1.0) -> Image:
    """Return a picture (H, W) as float32, smoothed."""
    return np.asarray(cv2.GaussianBlur(np.asarray(gray, dtype=np.float32), (0, 0), sigma_px), np.float32)


def patch_shifts(
    reference: Image, frame: Image, centres: ArrayLike, *, half: int = 7, search: int = 0, iterations: int = 20
) -> Shifts:
    """Measure where patches around ``centres`` (N, 2) px of ``reference`` are in ``frame``, both (H, W), smoothed.

    search: pixels around the same place that are searched by correlation first; without it, shifts beyond some pixels
    are missed. Then inverse-compositional Lucas-Kanade (Baker and Matthews 2004).
    """
    if reference.shape != frame.shape or reference.ndim != 2:
        raise InputError(f"pictures must be of one size, got {reference.shape} and {frame.shape}")
    at = np.asarray(centres, dtype=np.float64).reshape(-1, 2)
    if not len(at):
        return Shifts(shifts=np.empty((0, 2)), covariances=np.empty((0, 2, 2)), scores=np.empty(0))
    rows, columns = np.mgrid[-half : half + 1, -half : half + 1]
    offsets = np.stack([columns.ravel(), rows.ravel()], axis=1).astype(np.float64)
    template, norm = _normalised(_sampled(reference, at, offsets))
    gradients = [
        _sampled(cv2.Sobel(reference, cv2.CV_32F, *order, ksize=3, scale=0.125), at, offsets)
        for order in ((1, 0), (0, 1))
    ]
    slopes = np.stack([_projected(g / norm[:, None], template) for g in gradients], axis=1)
    tensor = slopes @ slopes.transpose(0, 2, 1)
    largest = np.linalg.eigvalsh(tensor)[:, 1]
    damped = tensor + np.eye(2) * (DAMPING * largest + 1e-9)[:, None, None]
    start = _searched(reference, frame, at, half, search) if search else np.zeros_like(at)
    shifts = start.copy()
    for _ in range(iterations):
        moved, _ = _normalised(_sampled(frame, at + shifts, offsets))
        step = np.linalg.solve(damped, np.einsum("nkp,np->nk", slopes, moved - template)[..., None])[..., 0]
        shifts -= np.clip(step, -2.0, 2.0)
        if np.abs(step).max() < 0.005:
            break
    moved, _ = _normalised(_sampled(frame, at + shifts, offsets))
    scores = np.einsum("np,np->n", moved, template)
    size = np.array(reference.shape[::-1])
    inside = ((at + shifts >= half) & (at + shifts <= size - half)).all(axis=1)
    settled = np.linalg.norm(shifts - start, axis=1) < max(4.0, half * 0.8)
    variance = ((moved - template) ** 2).sum(axis=1) / (len(offsets) - 4) * NOISE_CORRELATION
    return Shifts(
        shifts=shifts,
        covariances=_covariances(tensor, variance),
        scores=np.where(inside & settled, scores, -1.0),
    )


def structure(gray: Image, half: int = 7) -> tuple[Image, Image]:
    """Return the larger and the smaller eigenvalue (H, W) of the structure tensor, mean over a patch, gray values^2."""
    gx, gy = (cv2.Sobel(gray, cv2.CV_32F, *order, ksize=3, scale=0.125) for order in ((1, 0), (0, 1)))
    size = (2 * half + 1, 2 * half + 1)
    xx, yy, xy = (cv2.blur(product, size) for product in (gx * gx, gy * gy, gx * gy))
    root = np.sqrt((xx - yy) ** 2 / 4 + xy**2)
    return np.asarray((xx + yy) / 2 + root), np.asarray((xx + yy) / 2 - root)


def spread_patches(strength: Image, allowed: NDArray[np.bool_], cell: int = 16) -> Array:
    """Return the centres (N, 2) px of the strongest allowed pixel of each cell that is a maximum of ``strength``."""
    height, width = strength.shape
    value = np.where(allowed, strength, -1.0)
    rows, columns = height // cell, width // cell
    blocks = value[: rows * cell, : columns * cell].reshape(rows, cell, columns, cell).transpose(0, 2, 1, 3)
    flat = blocks.reshape(rows, columns, -1)
    best = flat.argmax(axis=2)
    some = flat.max(axis=2) > 0
    r, c = np.nonzero(some)
    place = best[r, c]
    return np.stack([c * cell + place % cell + 0.5, r * cell + place // cell + 0.5], axis=1).astype(np.float64)


def _sampled(image: Image, at: Array, offsets: Array) -> Array:
    """Return brightness (N, P) at ``at`` (N, 2) + ``offsets`` (P, 2), bilinear; OpenCV's first pixel is at 0."""
    where = (at[:, None] + offsets - 0.5).astype(np.float32)
    chunks = [
        cv2.remap(image, part[..., 0], part[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        for part in np.array_split(where, max(1, len(where) // 16_000 + 1))
    ]
    return np.concatenate(chunks).astype(np.float64)


def _normalised(values: Array) -> tuple[Array, Array]:
    centred = values - values.mean(axis=1, keepdims=True)
    norm = np.maximum(np.linalg.norm(centred, axis=1), 1e-6)
    return centred / norm[:, None], norm


def _projected(slope: Array, template: Array) -> Array:
    """Take out of gradients (N, P) what an offset and a gain explain."""
    slope = slope - slope.mean(axis=1, keepdims=True)
    return np.asarray(slope - np.einsum("np,np->n", slope, template)[:, None] * template)


def _covariances(tensor: Array, variance: Array) -> Array:
    values, axes = np.linalg.eigh(tensor)
    spread = np.clip(variance[:, None] / np.maximum(values, 1e-12), FLOOR_PX**2, CEILING_PX**2)
    return np.einsum("nik,nk,njk->nij", axes, spread, axes)


def _searched(reference: Image, frame: Image, at: Array, half: int, search: int) -> Array:
    """Return the best whole-pixel shift (N, 2) within ``search`` by normalised correlation."""
    corner = np.round(at - 0.5).astype(int)
    found = np.zeros_like(at)
    for row, (u, v) in enumerate(corner.tolist()):
        patch = reference[v - half : v + half + 1, u - half : u + half + 1]
        top, left = max(v - half - search, 0), max(u - half - search, 0)
        window = frame[top : v + half + search + 1, left : u + half + search + 1]
        if patch.shape != (2 * half + 1, 2 * half + 1) or min(window.shape) < 2 * half + 1 or v < half or u < half:
            continue
        _, _, _, place = cv2.minMaxLoc(cv2.matchTemplate(window, patch, cv2.TM_CCOEFF_NORMED))
        found[row] = place[0] + left + half - u, place[1] + top + half - v
    return found
