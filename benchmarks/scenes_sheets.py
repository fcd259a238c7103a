"""The contact sheets of docs/scenes.md: what each facility of the library looks like, at full quality.

python -m benchmarks.scenes_sheets [--out FOLDER]
"""

import argparse
from pathlib import Path

from PIL import Image

from scenes import CaptureOptions
from scenes.captures import contact_sheet, moved_sheet
from scenes.captures.contact_sheet import TILE_PX
from scenes.library import SCENES, facility

MOVED = "garage-bumped"
JPEG_QUALITY = 85


def main() -> None:
    """Render a sheet a facility."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("docs/scenes"), help="folder to write to")
    out = parser.parse_args().out
    options = CaptureOptions(quality="full", width=TILE_PX[0], height=TILE_PX[1])
    for name in SCENES:
        site = facility(name)
        sheet = moved_sheet(site, options=options) if name == MOVED else contact_sheet(site, options=options)
        Image.fromarray(sheet).save(out / f"{name}.jpg", quality=JPEG_QUALITY)
        print(out / f"{name}.jpg", flush=True)


if __name__ == "__main__":
    main()
