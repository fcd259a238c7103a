"""What tells levels that look alike apart: stains, repairs and signs, as each level shows them at one place."""

from twin.telltales.evidence import level_log_odds
from twin.telltales.signs import telltale_signs
from twin.telltales.surfaces import telltale_spots
from twin.telltales.telltale import Telltale, read_telltales, write_telltales

__all__ = [
    "Telltale",
    "level_log_odds",
    "read_telltales",
    "telltale_signs",
    "telltale_spots",
    "write_telltales",
]
