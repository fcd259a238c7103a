"""What requests left half-done when their service was killed: photos, unpacked archives, versions half deleted."""

import logging
import shutil
import time
from pathlib import Path

logger = logging.getLogger(__name__)

GRACE_S = 24 * 3600.0
"""What is newer may be another service's on the same folder; no request takes so long."""


def remove_leftovers(uploads: Path, twins: Path) -> None:
    """Remove them from the folder of uploads and from those of the twins' versions."""
    before = time.time() - GRACE_S
    for path in (*uploads.glob("photo-*"), *twins.glob("*/.new-*"), *twins.glob("*/.gone-*")):
        try:
            if path.stat().st_mtime >= before:
                continue
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()
        except OSError as error:
            logger.warning("a leftover can't be removed: %s", error)
