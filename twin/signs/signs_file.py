"""signs.json: the texts of a site on disk."""

import json
from collections.abc import Sequence
from pathlib import Path

from geometry import InputError, TwinDamagedError, read_bounded, write_atomic
from twin.signs.landmark import SignLandmark

FORMAT = 1


def write_signs(path: Path, signs: Sequence[SignLandmark]) -> None:
    """Write signs, one a line; they read back equal."""
    lines = ",\n".join(json.dumps(sign.to_dict()) for sign in signs)
    write_atomic(path, f'{{"format": {FORMAT}, "signs": [\n{lines}\n]}}\n'.encode())


def read_signs(path: Path) -> tuple[SignLandmark, ...]:
    """Read signs. Raises ``TwinDamagedError`` for a file that is not what ``write_signs`` writes."""
    try:
        content = json.loads(read_bounded(path))
        if content["format"] != FORMAT:
            raise ValueError(f"format {content['format']}")
        return tuple(SignLandmark(**record) for record in content["signs"])
    except (OSError, ValueError, KeyError, TypeError, InputError) as error:
        raise TwinDamagedError(f"unreadable ({error})", where=str(path), remedy="Restore it or map again.") from error
