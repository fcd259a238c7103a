"""Twins that come as a zip: unpacked under bounds, confined to their folder, and checked before they are there."""

import logging
import re
import shutil
import stat
import tempfile
import zipfile
import zlib
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from secrets import token_hex
from typing import BinaryIO

from geometry import TwinDamagedError, TwinError
from geometry.folders import put_in_place
from twin.service.problems import ServiceError
from twin.store import MANIFEST, problems

logger = logging.getLogger(__name__)

MAX_ENTRIES = 50_000
MAX_RATIO = 200
"""Photos and arrays don't shrink to a 200th; a zip bomb does."""
BLOCK = 1 << 20
MAX_NAME_BYTES = 255
_PART = re.compile(r"[^\x00-\x1f\\:]{1,200}")


def unpack_twin(archive: BinaryIO, home: Path, *, max_bytes: int) -> str:
    """Unpack a twin into a new folder of ``home`` and return its name, the version.

    The zip holds the twin's files, or one folder with them. Raises ``ServiceError``, and leaves nothing, for an archive
    that is no zip, leads out of its folder, is too large or no sound twin.
    """
    staging = Path(tempfile.mkdtemp(prefix=".new-", dir=home))
    try:
        _unpack(archive, staging, max_bytes)
        root = _root(staging)
        try:
            wrong = problems(root)
        except TwinError as error:
            raise ServiceError(422, error.what, where=error.where and Path(error.where).name) from error
        if wrong:
            raise ServiceError(422, "; ".join(wrong[:5]), remedy="Pack the twin's folder as it is.")
        version = f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{token_hex(3)}"
        root.chmod(0o755)
        put_in_place(root, home / version)
        return version
    except (
        zipfile.BadZipFile,
        zipfile.LargeZipFile,
        NotImplementedError,  # zipfile's word for a compression that it can't read
        RuntimeError,
        EOFError,
        UnicodeError,
        zlib.error,
    ) as error:
        raise ServiceError(422, f"the archive can't be read ({error})"[:200], remedy="Send a plain zip.") from error
    except (FileExistsError, NotADirectoryError) as error:
        raise ServiceError(422, "the archive has a file where it has a folder too") from error
    except TwinDamagedError as error:
        raise ServiceError(422, error.what) from error
    except OSError as error:
        logger.error("an upload can't be stored: %s", error)
        raise ServiceError(
            503, f"the archive can't be stored ({error.strerror})", remedy="Make room for it."
        ) from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _unpack(archive: BinaryIO, folder: Path, max_bytes: int) -> None:
    left = max_bytes
    with zipfile.ZipFile(archive) as content:
        entries = content.infolist()
        if len(entries) > MAX_ENTRIES:
            raise ServiceError(413, f"the archive has {len(entries)} entries, the limit is {MAX_ENTRIES}")
        if sum(entry.file_size for entry in entries) > max_bytes:
            raise ServiceError(413, f"unpacked it would be larger than {max_bytes} bytes")
        for entry in entries:
            target = _target(entry, folder)
            if entry.is_dir():
                target.mkdir(parents=True, exist_ok=True)
                continue
            if entry.file_size > BLOCK and entry.file_size > MAX_RATIO * max(entry.compress_size, 1):
                raise ServiceError(413, f"'{entry.filename[:80]}' is packed too tightly to be what it says")
            target.parent.mkdir(parents=True, exist_ok=True)
            with content.open(entry) as source, target.open("xb") as sink:
                while block := source.read(BLOCK):
                    left -= len(block)
                    if left < 0:
                        raise ServiceError(413, f"unpacked it is larger than {max_bytes} bytes")
                    sink.write(block)


def _target(entry: zipfile.ZipInfo, folder: Path) -> Path:
    """Return where an entry goes; a ``ServiceError`` for a name that leads elsewhere, and for links and devices."""
    path = PurePosixPath(entry.filename)
    kind = stat.S_IFMT(entry.external_attr >> 16)
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise ServiceError(422, f"'{entry.filename[:80]}' is packed in an unusual way", remedy="Send a plain zip.")
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise ServiceError(422, f"'{entry.filename[:80]}' is a link or a device")
    if path.is_absolute() or not path.parts or not all(_is_plain(part) for part in path.parts):
        raise ServiceError(422, f"'{entry.filename[:80]}' is not a path within the twin")
    target = folder.joinpath(*path.parts)
    if target.exists() and not (entry.is_dir() and target.is_dir()):
        raise ServiceError(422, f"'{entry.filename[:80]}' occurs twice")
    return target


def _is_plain(part: str) -> bool:
    return part not in (".", "..") and _PART.fullmatch(part) is not None and len(part.encode()) <= MAX_NAME_BYTES


def _root(staging: Path) -> Path:
    inside = list(staging.iterdir())
    if not (staging / MANIFEST).is_file() and len(inside) == 1 and inside[0].is_dir():
        return inside[0]
    return staging
