"""The browser console: plain files without a build step, which the service serves at its root."""

from pathlib import Path


def static_files() -> Path:
    """Return the folder of the console's pages, styles and scripts."""
    return Path(__file__).parent / "static"
