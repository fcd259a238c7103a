"""The documentation kept true: its Python runs, its commands exist, its links lead somewhere."""

import re
import shlex
import shutil
import tomllib
from pathlib import Path
from unittest.mock import patch

import click
import pytest

from perception import EXTRACTORS
from scenes import check, read_facility
from tests.conftest import Rendered
from twin.cli import tiepoint
from twin.commands.bench import ALL, benchmark_names

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
PAGES = [
    *(ROOT / name for name in ("README.md", "CHANGELOG.md", "benchmarks/README.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
]
FENCE = re.compile(r"^```(?P<language>\w+)\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\((?!https?:)(?P<file>[^)#\s]*)(?:#(?P<anchor>[^)\s]+))?\)")
NUMBER = re.compile(r"-?\d+(?:\.\d+)?")


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def blocks(language: str) -> list:
    """Return (page, line of the first line of code, code) of every fenced block of a language, as test parameters."""
    found = []
    for page in PAGES:
        text = page.read_text("utf-8")
        for block in FENCE.finditer(text):
            if block["language"] == language:
                line = text.count("\n", 0, block.start("body")) + 1
                found.append(pytest.param(page, line, block["body"], id=f"{name_of(page)}:{line}"))
    return found


def commands(first_words: str) -> list:
    """Return every command line of the ``sh`` blocks that begins with one of some words, as test parameters."""
    found = []
    for _, line, body in (block.values for block in blocks("sh")):
        for command in body.replace("\\\n", " ").splitlines():
            words = shlex.split(command, comments=True)
            program = [word for word in words if not re.match(r"[A-Z_]+=", word)]
            if program and re.fullmatch(first_words, program[0]):
                found.append(pytest.param(program, id=f"{line}: {' '.join(program)}"))
    return found


@pytest.fixture
def garage(rendered: Rendered, small_twin: Path, tmp_path: Path) -> Path:
    """A folder with all that the examples speak of: my-garage and query.jpg."""
    shutil.copytree(small_twin, tmp_path / "my-garage")
    shutil.copy(min(rendered.queries.glob("*.jpg")), tmp_path / "query.jpg")
    return tmp_path


@pytest.mark.parametrize(("page", "line", "code"), blocks("python"))
def test_python_runs(
    page: Path,
    line: int,
    code: str,
    request: pytest.FixtureRequest,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Every block stands alone; a text block right below it shows what it prints, numbers aside."""
    needs_twin = "my-garage" in code
    monkeypatch.chdir(request.getfixturevalue("garage") if needs_twin else tmp_path)
    with patch.dict(EXTRACTORS):
        exec(compile("\n" * (line - 1) + code, str(page), "exec"), {"__name__": "example"})
    below = re.match(r"```\n+```text\n(.*?)```", page.read_text("utf-8").split(code, 1)[1], re.DOTALL)
    if below:
        assert NUMBER.sub("#", capsys.readouterr().out) == NUMBER.sub("#", below[1])


@pytest.mark.parametrize(("page", "line", "code"), [each for each in blocks("yaml") if "levels:" in each.values[2]])
def test_facilities_in_yaml_pass_their_checks(page: Path, line: int, code: str, tmp_path: Path) -> None:
    (tmp_path / "facility.yaml").write_text(code, "utf-8")
    check(read_facility(tmp_path / "facility.yaml"))


@pytest.mark.parametrize("words", commands("tiepoint"))
def test_tiepoint_commands_parse(words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(click.Path, "convert", lambda self, value, param, ctx: Path(value))  # no file is there
    command, rest = tiepoint, words[1:]
    while isinstance(command, click.Group):
        verb, *rest = rest
        command = command.get_command(click.Context(command), verb)
    assert command is not None, f"there is no verb '{verb}'"
    context = command.make_context(verb, rest)
    if verb == "bench":
        assert context.params["name"] in (None, ALL, *benchmark_names(ROOT / "benchmarks"))


@pytest.mark.parametrize("words", commands("make"))
def test_make_targets_exist(words: list[str]) -> None:
    targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
    assert set(words[1:]) <= set(targets)


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_lead_to_a_page_and_a_heading(page: Path) -> None:
    for link in LINK.finditer(page.read_text("utf-8")):
        target = (page.parent / link["file"]) if link["file"] else page
        assert target.exists(), f"{link['file']} is not there"
        assert link["anchor"] is None or link["anchor"] in anchors(target), f"no heading for {link[0]}"


def anchors(page: Path) -> set[str]:
    """Return what the headings of a page are called in links."""
    headings = re.findall(r"^#+ (.*)$", page.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_figures_stand_between_their_marks() -> None:
    text = README.read_text("utf-8")
    start, end = text.index("<!-- figures:start -->"), text.index("<!-- figures:end -->")
    assert start < end
    assert "|" in text[start:end], "no table between the marks"


def test_every_dependency_has_its_reason() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    page = (ROOT / "docs" / "decisions" / "0001-dependencies.md").read_text("utf-8").lower()
    names = [re.split("[><=]", requirement)[0] for requirement in project["dependencies"]]
    assert [name for name in names if f"`{name}`" not in page] == []


def test_every_package_is_on_the_readmes_map() -> None:
    text = README.read_text("utf-8")
    folders = [path.name for path in ROOT.iterdir() if path.is_dir() and any(path.glob("*.py"))]
    assert [folder for folder in folders if f"{folder}/" not in text] == []
