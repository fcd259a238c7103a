"""The package's public list, and that importing it loads nothing heavy."""

import subprocess
import sys

import scenes


def test_every_public_name_exists() -> None:
    assert sorted(scenes.__all__, key=str) == sorted(set(scenes.__all__), key=str)
    assert all(hasattr(scenes, name) for name in scenes.__all__)


def test_import_is_light() -> None:
    code = "import sys, scenes; print([m for m in ('open3d', 'torch', 'kornia', 'matplotlib') if m in sys.modules])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
