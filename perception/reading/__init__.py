"""Reading text in photos; start reading at text_reader.py."""

from perception.reading.boards import board_outline
from perception.reading.ctc import fold_text, likely_texts, text_log_likelihoods
from perception.reading.text_reader import ReaderOptions, TextReader, TextReading, text_log_likelihood

__all__ = [
    "ReaderOptions",
    "TextReader",
    "TextReading",
    "board_outline",
    "fold_text",
    "likely_texts",
    "text_log_likelihood",
    "text_log_likelihoods",
]
