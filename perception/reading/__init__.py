"""Reading text in photos; start reading at text_reader.py."""

from perception.reading.board_outline import board_outline
from perception.reading.ctc import fold_text, text_log_likelihoods
from perception.reading.text_reader import ReaderOptions, TextReader, TextReading, text_log_likelihood

__all__ = [
    "ReaderOptions",
    "TextReader",
    "TextReading",
    "board_outline",
    "fold_text",
    "text_log_likelihood",
    "text_log_likelihoods",
]
