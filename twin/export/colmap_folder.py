"""The map as a COLMAP model of its own, in site metres."""

from pathlib import Path

from twin.export.formats import ExportOptions, require_new_folder
from twin.model import Twin


def write(twin: Twin, out: Path, options: ExportOptions) -> None:
    """Write cameras, images, points, rigs and frames into the folder ``out``; as text on demand."""
    require_new_folder(out)
    if options.text:
        twin.reconstruction.write_text(out)
    else:
        twin.reconstruction.write_binary(out)
