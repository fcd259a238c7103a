"""The twin and its engine: mapping, localizing, evaluation, files on disk and the command line.

Names are loaded when first used, so that the command line starts quickly.
"""

from importlib import import_module
from typing import Any

_HOMES = {
    "DemoOptions": "twin.demo",
    "Localization": "twin.localization",
    "Localizer": "twin.localizer",
    "LocalizerOptions": "twin.localizer",
    "MapInputs": "twin.mapping",
    "MapOptions": "twin.mapping",
    "Twin": "twin.model",
    "evaluate_localization": "twin.evaluate",
    "localize_images": "twin.queries",
    "map_images": "twin.mapping",
    "update_map": "twin.mapping",
    "read_localizations": "twin.localization",
    "run_demo": "twin.demo",
    "write_localizations": "twin.localization",
    "write_report": "twin.report",
}

__all__ = [
    "DemoOptions",
    "Localization",
    "Localizer",
    "LocalizerOptions",
    "MapInputs",
    "MapOptions",
    "Twin",
    "evaluate_localization",
    "localize_images",
    "map_images",
    "read_localizations",
    "run_demo",
    "update_map",
    "write_localizations",
    "write_report",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'twin' has no attribute '{name}'")
    return getattr(import_module(_HOMES[name]), name)
