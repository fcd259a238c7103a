"""The architecture, kept true: who may import whom, what a facade offers, and how light the command line starts."""

import ast
import importlib
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[1]
MAY_IMPORT = {
    "geometry": set(),
    "perception": {"geometry"},
    "retrieval": {"geometry"},
    "scenes": {"geometry"},
    "twin": {"geometry", "perception", "retrieval", "scenes"},
}
HEAVY = ("torch", "open3d", "kornia", "pycolmap", "cv2", "scipy")


def sources(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))


def imported_modules(path: Path) -> list[tuple[int, str]]:
    """Return (line, absolute module) of every import of a file, those inside functions too."""
    found = []
    for node in ast.walk(ast.parse(path.read_text("utf-8"), filename=str(path))):
        if isinstance(node, ast.Import):
            found += [(node.lineno, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            found.append((node.lineno, "." * node.level + (node.module or "")))
    return found


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_packages_import_only_what_lies_below_them(package: str) -> None:
    forbidden = MAY_IMPORT.keys() - MAY_IMPORT[package] - {package} | {"tests", "benchmarks", "training"}
    assert sources(package), f"no sources in {package}"
    wrong = [
        f"{path.relative_to(ROOT)}:{line} imports {module}"
        for path in sources(package)
        for line, module in imported_modules(path)
        if module.split(".")[0] in forbidden
    ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_imports_are_absolute(package: str) -> None:
    wrong = [
        f"{path.relative_to(ROOT)}:{line}"
        for path in sources(package)
        for line, module in imported_modules(path)
        if module.startswith(".")
    ]
    assert not wrong, "\n".join(wrong)


def offered(module: ModuleType) -> set[str]:
    """Return the public names of a facade that are ours: not the submodules, nor what it imports for its own use."""
    return {
        name
        for name, value in vars(module).items()
        if not name.startswith("_")
        and not isinstance(value, ModuleType)
        and getattr(value, "__module__", module.__name__).split(".")[0] in MAY_IMPORT
    }


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_all_names_what_the_facade_offers(package: str) -> None:
    module = importlib.import_module(package)
    declared = getattr(module, "__all__", None)
    if declared is None:
        assert not offered(module), f"{package} offers names and has no __all__"
        return
    assert len(declared) == len(set(declared)), "a name is declared twice"
    lazy = {name for name in declared if name not in vars(module)}
    assert all(hasattr(module, name) for name in lazy), "a name is declared that does not exist"
    assert set(declared) - lazy == offered(module)


def test_the_command_line_starts_without_heavy_libraries() -> None:
    """``tiepoint --help`` must not wait seconds for libraries that it does not use."""
    code = f"import sys, twin.cli; print(*sorted(sys.modules.keys() & set({HEAVY!r})))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == []
