"""The error tree: one root, one class per meaning, each with what, where and what to do next.

TiepointError
├── InputError            a file, row or value given by the user is wrong
│   └── ImageError        an image can't be read, or is not what it claims to be
├── DegenerateError       the geometry asked about is not determined by the data
├── MappingError          the map can't be built from this capture
├── TwinError             a twin on disk can't be used
│   ├── TwinDamagedError  missing files, wrong checksums, half-written content
│   └── TwinFormatError   written by a newer Tiepoint
├── MissingExtraError     an optional dependency is not installed
└── CancelledError        the caller asked to stop

A failed localization is not an error: it is a value with a status.
"""

from collections.abc import Iterable
from difflib import get_close_matches


class TiepointError(Exception):
    """Root of every error Tiepoint raises on purpose.

    ``what`` says what is wrong, ``where`` names the file, row or element, ``remedy`` says what to do next.
    """

    def __init__(self, what: str, *, where: str | None = None, remedy: str | None = None) -> None:
        self.what, self.where, self.remedy = what, where, remedy
        text = f"{where}: {what}" if where else what
        super().__init__(f"{text}. {remedy}" if remedy else text)


class InputError(TiepointError):
    """A file, row or value given by the user is wrong."""


class ImageError(InputError):
    """An image can't be read, or is not what it claims to be."""


class DegenerateError(TiepointError):
    """The geometry asked about is not determined by the data."""


class MappingError(TiepointError):
    """The map can't be built from this capture."""


class TwinError(TiepointError):
    """A twin on disk can't be used."""


class TwinDamagedError(TwinError):
    """A twin on disk has missing files, wrong checksums or half-written content."""


class TwinFormatError(TwinError):
    """A twin on disk was written by a newer Tiepoint."""


class MissingExtraError(TiepointError):
    """An optional dependency is not installed."""

    def __init__(self, package: str, install: str) -> None:
        """Name the package and the shell command that installs it."""
        super().__init__(f"the optional package '{package}' is not installed", remedy=f"Install it with: {install}")


class CancelledError(TiepointError):
    """The caller asked to stop; what was finished so far is kept for a rerun."""


def nearest_known(unknown: str, known: Iterable[str]) -> str:
    """Return a remedy that names the known word nearest to ``unknown``, or all of them."""
    words = sorted(known)
    close = get_close_matches(unknown, words, n=1)
    return f"Did you mean '{close[0]}'?" if close else f"Known: {', '.join(words)}."
