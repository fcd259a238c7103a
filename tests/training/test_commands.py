"""What is documented as ``python -m training.NAME`` runs when it is asked to."""

from pathlib import Path

import pytest

import training

COMMANDS = [path for path in Path(training.__path__[0]).glob("*.py") if "\ndef main(" in path.read_text("utf-8")]


@pytest.mark.parametrize("path", COMMANDS, ids=lambda path: path.stem)
def test_commands_run(path: Path) -> None:
    assert 'if __name__ == "__main__":\n    main()' in path.read_text("utf-8")


def test_there_are_commands() -> None:
    assert {"export", "integers"} <= {path.stem for path in COMMANDS}
