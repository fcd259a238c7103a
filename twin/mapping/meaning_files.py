"""What was found of the facility, written into the folder of a twin; ``twin.model`` reads it."""

from pathlib import Path

from geometry import write_plan
from twin.floors_file import write_floors
from twin.layout import write_ortho
from twin.mapping.meaning import Meaning
from twin.model import FLOORS_FILE, LAYOUT_FOLDER, PLAN_FILE, SIGNS_FILE, TELLTALES_FOLDER, TEXTURES_FOLDER
from twin.signs import write_signs
from twin.telltales import write_telltales
from twin.textures import write_textures


def write_meaning(folder: Path, meaning: Meaning) -> None:
    """Write the parts that there are."""
    if meaning.plan is not None:
        write_plan(folder / PLAN_FILE, meaning.plan)
    if meaning.floors is not None:
        write_floors(folder / FLOORS_FILE, meaning.floors)
    if meaning.marked:
        (folder / LAYOUT_FOLDER).mkdir()
    for floor in meaning.marked:
        write_ortho(folder / LAYOUT_FOLDER, floor.level.id, floor.ortho)
    if meaning.signs is not None:
        write_signs(folder / SIGNS_FILE, meaning.signs)
    if meaning.textures is not None:
        (folder / TEXTURES_FOLDER).mkdir()
        write_textures(folder / TEXTURES_FOLDER, meaning.textures)
    if meaning.telltales:
        (folder / TELLTALES_FOLDER).mkdir()
        write_telltales(folder / TELLTALES_FOLDER, meaning.telltales)
    if meaning.surface is not None:
        meaning.surface.save(folder)
