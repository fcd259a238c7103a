"""A page to look at: where photos were taken, how far off the answers are, and how good the map is."""

from twin.report.examples import MatchExample, find_examples
from twin.report.page import write_report

__all__ = ["MatchExample", "find_examples", "write_report"]
