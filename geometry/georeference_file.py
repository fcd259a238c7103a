"""A georeference as people write it: four numbers in a row, or a small YAML or JSON file."""

from dataclasses import fields
from pathlib import Path
from typing import Any

import yaml

from geometry.errors import InputError, nearest_known
from geometry.georeference import Georeference
from geometry.tables import read_bounded

NAMES = tuple(field.name for field in fields(Georeference))
WORDS = "LAT,LON,HEIGHT,HEADING"


def read_georeference(given: str) -> Georeference:
    """Return the georeference that ``LAT,LON,HEIGHT,HEADING`` says, degrees and metres, or that a file holds.

    The file, YAML or JSON, has ``latitude_deg``, ``longitude_deg``, ``height_m`` (ellipsoidal) and ``heading_deg`` (of
    +y, clockwise from north). Raises ``InputError`` for anything else.
    """
    words = given.split(",")
    if len(words) == len(NAMES):
        try:
            return Georeference(*map(float, words))
        except ValueError:
            raise InputError(f"'{given}' is not {WORDS}", remedy="Four numbers, degrees and metres.") from None
    if not Path(given).is_file():
        remedy = f"Give {WORDS}, or a file with {', '.join(NAMES)}."
        raise InputError(f"'{given[:80]}' is neither {WORDS} nor a file", remedy=remedy)
    try:
        content = yaml.safe_load(read_bounded(given))  # JSON is YAML too
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        raise InputError("is neither YAML nor JSON", where=given) from error
    return _of(content, given)


def _of(content: Any, where: str) -> Georeference:
    if not isinstance(content, dict):
        raise InputError(f"holds no names with values: {', '.join(NAMES)} are needed", where=where)
    for name in content.keys() - set(NAMES):
        raise InputError(f"has an unknown '{name}'", where=where, remedy=nearest_known(str(name), NAMES))
    numbers = []
    for name in NAMES:
        value = content.get(name)
        if not isinstance(value, int | float) or isinstance(value, bool):
            raise InputError(f"has no number as {name}", where=where, remedy=f"It needs {', '.join(NAMES)}.")
        numbers.append(float(value))
    return Georeference(*numbers)
