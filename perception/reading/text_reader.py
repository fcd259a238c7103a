"""Text in a photo, read by PP-OCRv4 (detector and recogniser) with the weights of the package rapidocr-onnxruntime.

What is read keeps the recogniser's distribution over symbols, so that "is it P2 or P3?" can be asked later.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from geometry.errors import ImageError, InputError, MissingExtraError
from geometry.frames import pixels_to_opencv
from perception.onnx_network import OnnxNetwork, onnxruntime
from perception.reading.ctc import BLANK, CLASSES, class_of, fold_frames, fold_text, text_log_likelihoods
from perception.reading.text_boxes import text_boxes

Array = NDArray[np.float64]
Pixels = NDArray[np.uint8]

INSTALL = "pip install 'tiepoint[signs]' && pip install --no-deps rapidocr-onnxruntime==1.4.4"
"""Without its declared requirements, one of which would replace OpenCV's contrib build."""

LINE_HEIGHT_PX = 48
"""The height of a line of text that the recogniser takes."""
WIDTH_STEP_PX = 160
"""Lines are padded to multiples of this width: the recogniser is surer of two letters with some room beside them (P1 at
0.53 to 0.99 as it is, 0.87 to 0.96 so), and a reading doesn't depend on what else is in the photo."""
MIN_SPACE, MIN_WORD_PX = 0.07, 16
"""A line is cut where a space is this likely. In the company of letters a 1 is read as I: of eight signs that say
STAIRS P1, three were read right as a line, and the words alone of six of them."""
LEAST_LOG = -30.0
STRIDE_PX = 32
SURE = 0.9
"""A photo whose best reading is surer is upright; otherwise it is also read turned."""
QUARTERS = np.array([[0.0, -1.0], [1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]])
"""Where up may be in a photo, as u, v: a phone is held upright, on either side, or upside down."""


@dataclass(frozen=True, kw_only=True)
class ReaderOptions:
    """How text is looked for.

    threads: of the networks; longest_side_px: to which a photo is scaled for detection, but never by more than
    max_enlargement; min_height_px: of lower lines, in the photo's own pixels, nothing is read; max_aspect: longer lines
    are squeezed; batch: lines read at once
    """

    threads: int = 1
    longest_side_px: int = 1280
    max_enlargement: float = 1.5
    min_height_px: float = 7.0
    max_aspect: float = 12.0
    batch: int = 16


@dataclass(frozen=True, kw_only=True, eq=False)
class TextReading:
    """One line of text in a photo.

    quad: (4, 2) px, first pixel's centre at (0.5, 0.5): top-left, top-right, bottom-right, bottom-left as it is read
    text: as decoded, with spaces and punctuation; confidence: probability of its letters and digits, case apart
    detection: mean probability of there being text inside ``quad``
    log_frames: (T, 38) log probabilities of folded symbols, see ctc.py
    """

    quad: Array
    text: str
    confidence: float
    detection: float
    log_frames: NDArray[np.float32]

    @cached_property
    def folded(self) -> str:
        """The letters and digits of ``text``, upper-case."""
        return fold_text(self.text)

    @property
    def height_px(self) -> float:
        """Mean length of the two upright sides."""
        return float(np.linalg.norm(self.quad[[0, 1]] - self.quad[[3, 2]], axis=1).mean())


class TextReader:
    """Detector and recogniser, loaded once; nothing is ever downloaded."""

    def __init__(self, options: ReaderOptions | None = None):
        """Load the packaged weights; raises ``MissingExtraError`` where the extra ``signs`` isn't installed."""
        self.options = options or ReaderOptions()
        models = _models()
        self._detector = _session(models / "ch_PP-OCRv4_det_infer.onnx", self.options.threads)
        self._recogniser = _session(models / "ch_PP-OCRv4_rec_infer.onnx", self.options.threads)
        listed = self._recogniser.get_modelmeta().custom_metadata_map["character"].splitlines()
        self._symbols = ["", *listed, " "]
        self._classes = np.array([class_of(symbol) for symbol in self._symbols], dtype=np.int64)

    def read(self, pixels: Pixels, up: ArrayLike | None = None) -> list[TextReading]:
        """Return the lines of text of a photo (H, W, 3) uint8 RGB, from top to bottom, from left to right.

        up: (2,) the direction in the picture, u to the right and v down, of what is up in the world, where known, as
        from a pose. Otherwise each quarter turn is tried until something is read surely, and the best one counts for
        the whole photo: a phone is turned as a whole. Raises ``InputError`` for other arrays and ``ImageError`` for
        none.
        """
        _check_pixels(pixels)
        boxes, scores = self.detect(pixels)
        if not len(boxes):
            return []
        if up is not None:
            return self._recognise(pixels, _as_read(boxes, np.asarray(up, dtype=np.float64)), scores)
        tried: list[list[TextReading]] = []
        for quarter in QUARTERS:
            tried.append(self._recognise(pixels, _as_read(boxes, quarter), scores))
            if max((r.confidence for r in tried[-1] if len(r.folded) > 1), default=0.0) >= SURE:
                return tried[-1]
        return max(tried, key=_sureness)

    def read_at(self, pixels: Pixels, quads: ArrayLike) -> list[TextReading | None]:
        """Return what is written at given places: quads (Q, 4, 2) px, top-left corner first; None where nothing is."""
        _check_pixels(pixels)
        places = np.asarray(quads, dtype=np.float64).reshape(-1, 4, 2)
        frames = self._frames([self._line(pixels, quad) for quad in places]) if len(places) else []
        readings = [_reading(quad, [self._decoded(f)], 1.0) for quad, f in zip(places, frames, strict=True)]
        return [reading if reading.folded else None for reading in readings]

    def detect(self, pixels: Pixels) -> tuple[Array, Array]:
        """Return rectangles (N, 4, 2) px around lines of text, in any orientation, and their scores (N,)."""
        height, width = pixels.shape[:2]
        ratio = min(self.options.max_enlargement, self.options.longest_side_px / max(height, width))
        size = [max(1, round(side * ratio / STRIDE_PX)) * STRIDE_PX for side in (width, height)]
        way = cv2.INTER_AREA if ratio < 1 else cv2.INTER_LINEAR
        network_input = _normalised(cv2.resize(pixels, size, interpolation=way))[None]
        text_map = self._detector.run(None, {self._detector.get_inputs()[0].name: network_input})[0][0, 0]
        boxes, scores = text_boxes(text_map)
        boxes *= np.array([width, height]) / size
        sides = np.linalg.norm(boxes - np.roll(boxes, 1, axis=1), axis=2)
        kept = sides.min(axis=1, initial=np.inf) >= self.options.min_height_px
        order = np.lexsort(boxes[kept].mean(axis=1).T)
        return boxes[kept][order], scores[kept][order]

    def _recognise(self, pixels: Pixels, quads: Array, scores: Array) -> list[TextReading]:
        """Read lines, then each word of a line alone: what a letter looks like counts, not what usually follows."""
        lines = [self._line(pixels, quad) for quad in quads]
        whole = self._frames(lines)
        cuts = [self._gaps(frames, line.shape[1]) for frames, line in zip(whole, lines, strict=True)]
        words = [line[:, left:right] for line, cut in zip(lines, cuts, strict=True) for left, right in pairwise(cut)]
        of_words = iter(self._frames(words))
        found: list[TextReading] = []
        for line, quad, score, cut in zip(lines, quads, scores.tolist(), cuts, strict=True):
            parts = [self._decoded(next(of_words)) for _ in pairwise(cut)]
            if len(parts) > 1 and len({fold_text(text) for text, _ in parts}) == 1:  # two faces of a pillar
                shares = np.array(cut) / line.shape[1]
                sides = [_part(quad, left, right) for left, right in pairwise(shares.tolist())]
                found += [_reading(side, [part], score) for side, part in zip(sides, parts, strict=True)]
            else:
                found.append(_reading(quad, parts, score))
        return [reading for reading in found if reading.folded]

    def _frames(self, lines: Sequence[Pixels]) -> list[NDArray[np.float32]]:
        """Return the recogniser's distributions (T, S) for each line, padded on the right to a usual width."""
        widths = np.ceil([line.shape[1] / WIDTH_STEP_PX for line in lines]).astype(np.int64) * WIDTH_STEP_PX
        found: dict[int, NDArray[np.float32]] = {}
        for width in np.unique(widths).tolist():
            alike = np.flatnonzero(widths == width).tolist()
            for start in range(0, len(alike), self.options.batch):
                chosen = alike[start : start + self.options.batch]
                batch = np.zeros((len(chosen), 3, LINE_HEIGHT_PX, width), dtype=np.float32)
                for row, number in zip(batch, chosen, strict=True):
                    row[:, :, : lines[number].shape[1]] = _normalised(lines[number])
                output = self._recogniser.run(None, {self._recogniser.get_inputs()[0].name: batch})[0]
                found.update(zip(chosen, output, strict=True))
        return [found[number] for number in range(len(lines))]

    def _gaps(self, frames: NDArray[np.float32], width: int) -> list[int]:
        """Return the columns of a line at which its words begin and end: its own ends, and where a space is likely."""
        space = frames[:, -1]
        padded = np.pad(space, 1)
        peaks = np.flatnonzero((space >= MIN_SPACE) & (space >= padded[:-2]) & (space > padded[2:]))
        padded_width = -(-width // WIDTH_STEP_PX) * WIDTH_STEP_PX
        cuts = [0]
        for cut in ((peaks + 0.5) * padded_width / len(frames)).astype(int).tolist():
            if min(cut - cuts[-1], width - cut) >= MIN_WORD_PX:
                cuts.append(cut)
        return [*cuts, width]

    def _decoded(self, frames: NDArray[np.float32]) -> tuple[str, Array]:
        """Return the text of the likeliest path and the folded log probabilities (T, 38)."""
        best = frames.argmax(axis=1)
        text = "".join(self._symbols[symbol] for symbol in best[np.diff(best, prepend=-1) != 0].tolist()).strip()
        return text, fold_frames(frames, self._classes)

    def _line(self, pixels: Pixels, quad: Array) -> Pixels:
        """Cut a line out, upright and ``LINE_HEIGHT_PX`` high."""
        right, down = float(np.linalg.norm(quad[1] - quad[0])), float(np.linalg.norm(quad[3] - quad[0]))
        width = max(LINE_HEIGHT_PX // 2, round(LINE_HEIGHT_PX * min(right / down, self.options.max_aspect)))
        size = width, LINE_HEIGHT_PX
        target = pixels_to_opencv(np.array([[0, 0], [1, 0], [1, 1], [0, 1]]) * size)
        warp = cv2.getPerspectiveTransform(pixels_to_opencv(quad).astype(np.float32), target.astype(np.float32))
        line = cv2.warpPerspective(pixels, warp, size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
        return np.asarray(line, dtype=np.uint8)


def _reading(quad: Array, words: Sequence[tuple[str, Array]], score: float) -> TextReading:
    """Join words, with a frame that is surely blank between them."""
    between = np.full((1, CLASSES), -np.inf)
    between[0, BLANK] = 0.0
    pieces = [piece for _, frames in words for piece in (between, frames)]
    log_frames = np.maximum(np.concatenate(pieces[1:]), LEAST_LOG).astype(np.float32)
    text = " ".join(text for text, _ in words if text)
    confidence = float(np.exp(text_log_likelihoods([log_frames], [text])[0, 0]))
    return TextReading(quad=quad, text=text, confidence=confidence, detection=score, log_frames=log_frames)


def _part(quad: Array, left: float, right: float) -> Array:
    """Return the part of a quad (4, 2) between two shares of its length."""
    top, bottom = quad[1] - quad[0], quad[2] - quad[3]
    return np.array([quad[0] + left * top, quad[0] + right * top, quad[3] + right * bottom, quad[3] + left * bottom])


def text_log_likelihood(reading: TextReading, candidates: Sequence[str]) -> Array:
    """Return log P(what is written is the candidate | picture of the line) (K,), natural, case and spaces apart."""
    return text_log_likelihoods([reading.log_frames], candidates)[0]


def _as_read(boxes: Array, up: Array) -> Array:
    """Turn corners of rectangles (N, 4, 2) so that the first is the top-left one as seen by who stands upright."""
    first, second = boxes[:, 1] - boxes[:, 0], boxes[:, 2] - boxes[:, 1]
    clockwise = first[:, 0] * second[:, 1] > first[:, 1] * second[:, 0]
    ordered = np.where(clockwise[:, None, None], boxes, boxes[:, ::-1])
    turns = np.stack([np.roll(ordered, -turn, axis=1) for turn in range(4)])  # (4, N, 4, 2)
    upward = turns[:, :, 0] - turns[:, :, 3]
    upward /= np.linalg.norm(upward, axis=-1, keepdims=True)
    best = (upward @ up).argmax(axis=0)
    return np.asarray(turns[best, np.arange(len(boxes))])


def _sureness(readings: Sequence[TextReading]) -> float:
    return sum(reading.confidence * len(reading.folded) for reading in readings)


def _normalised(picture: Pixels) -> NDArray[np.float32]:
    """Return RGB (H, W, 3) as the networks take it: BGR (3, H, W) in [-1, 1]."""
    return np.ascontiguousarray(picture[:, :, ::-1].transpose(2, 0, 1), dtype=np.float32) / 127.5 - 1.0


def _check_pixels(pixels: Pixels) -> None:
    if pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.dtype != np.uint8:
        raise InputError(f"expected (H, W, 3) uint8 RGB, got {pixels.shape} {pixels.dtype}")
    if pixels.size == 0:
        raise ImageError("an image without pixels can't be read", remedy="Check how it was cropped.")


def _models() -> Path:
    """Return the folder of the weights; the package itself isn't imported, as it sets up logging and downloads."""
    package = find_spec("rapidocr_onnxruntime")
    if package is None or package.origin is None or find_spec("onnxruntime") is None:
        raise MissingExtraError("rapidocr-onnxruntime", INSTALL)
    return Path(package.origin).parent / "models"


def _session(model: Path, threads: int) -> Any:
    options = onnxruntime(INSTALL).SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # idle threads would burn a core each
    options.enable_cpu_mem_arena = False  # lines of all widths would each leave an arena behind
    return OnnxNetwork(model, settings=options, install=INSTALL).session
