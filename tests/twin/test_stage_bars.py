"""Bars on a terminal: they end where the stage does, also where it learns on the way how much there is to do."""

import io

import pytest

from twin.commands.progress import StageBars


class Terminal(io.StringIO):
    """A terminal that keeps what was drawn."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("steps", [[(0, 1), (0, 7), (3, 7), (7, 7)], [(0, 7), (5, 7), (6, 7), (5, 7), (6, 7), (7, 7)]])
def test_a_bar_is_full_at_the_end_and_not_before(monkeypatch: pytest.MonkeyPatch, steps: list[tuple[int, int]]) -> None:
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    bars = StageBars()
    for done, total in steps[:-1]:
        bars("reconstruction", done, total)
    assert "100%" not in terminal.getvalue()
    bars("reconstruction", *steps[-1])
    bars.close()
    assert "100%" in terminal.getvalue()


def test_in_a_pipe_nothing_is_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    pipe = io.StringIO()
    monkeypatch.setattr("sys.stderr", pipe)
    bars = StageBars()
    bars("reconstruction", 1, 2)
    bars.close()
    assert pipe.getvalue() == ""
