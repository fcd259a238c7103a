"""A folder put in the place of another one in a single step, so that a crash leaves the old one or the new one."""

import ctypes
import os
import shutil
from pathlib import Path

_AT_FDCWD = -100
_RENAME_EXCHANGE = 2


def put_in_place(staging: Path, target: Path) -> None:
    """Rename ``staging``, which lies beside it, to ``target``; an old folder is exchanged and lies in ``staging`` then.

    All files are on the disk before and the change is when this returns. Raises ``OSError`` where that can't be.
    """
    _sync_all(staging)
    if not target.exists():
        staging.rename(target)
    elif not _exchange(staging, target):
        # No atomic exchange on this system: between the two renames the old one stands beside under its .old name.
        old = target.with_name(f".{target.name}.old")
        shutil.rmtree(old, ignore_errors=True)
        target.rename(old)
        staging.rename(target)
        shutil.rmtree(old)
    sync(target.parent)


def _exchange(a: Path, b: Path) -> bool:
    """Swap two paths in one step (Linux renameat2); False where the system can't."""
    try:
        renameat2 = ctypes.CDLL(None, use_errno=True).renameat2
    except AttributeError:
        return False
    return renameat2(_AT_FDCWD, os.fsencode(a), _AT_FDCWD, os.fsencode(b), _RENAME_EXCHANGE) == 0


def _sync_all(folder: Path) -> None:
    for path in [*(p for p in folder.rglob("*") if not p.is_symlink() and (p.is_file() or p.is_dir())), folder]:
        sync(path)


def sync(path: Path) -> None:
    """Make sure that a file, or what a folder lists, is on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
