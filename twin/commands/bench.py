"""tiepoint bench: accuracy and speed on real data, as the checkout's benchmarks/ measure them."""

import subprocess
import sys
from pathlib import Path

import click

ROOT = Path(__file__).parents[2]
ALL = "all"
FOLDER = click.Path(file_okay=False, path_type=Path)


@click.command("bench")
@click.argument("name", required=False)
@click.option("--data", type=FOLDER, help="Folder of the data sets; ../shared/data beside the checkout by default.")
@click.option("--out", type=FOLDER, help="Where NAME.json is written; benchmarks/results by default.")
def command(name: str | None, data: Path | None, out: Path | None) -> None:
    """Run the benchmark NAME or all of them; without NAME, list them.

    Example: tiepoint bench strecha --data ../shared/data
    """
    from geometry.errors import InputError, TiepointError, nearest_known

    folder = ROOT / "benchmarks"
    if not (ROOT / "pyproject.toml").is_file() or not folder.is_dir():
        raise TiepointError(
            "benchmarks are part of the source checkout, not of an installed package",
            where=str(folder),
            remedy="Clone the repository and run there: pip install -e . && tiepoint bench",
        )
    known = benchmark_names(folder)
    if name is None:
        click.echo("\n".join([*known, ALL]))
        return
    if name not in (*known, ALL):
        raise click.UsageError(f"There is no benchmark '{name}'. {nearest_known(name, [*known, ALL])}")
    data = (data or ROOT.parent / "shared" / "data").resolve()
    if not data.is_dir():
        raise InputError("the folder of the data sets is not here", where=str(data), remedy="Name it with --data.")
    failed = [
        each
        for each in (known if name == ALL else [name])
        if not run(each, data, (out or folder / "results").resolve())
    ]
    if failed:
        raise TiepointError(f"failed: {', '.join(failed)}", remedy="The reason stands above, with each.")


def benchmark_names(folder: Path) -> list[str]:
    """Return the names of the modules of a folder that can be run."""
    return sorted(path.stem for path in folder.glob("*.py") if 'if __name__ == "__main__":' in path.read_text("utf-8"))


def run(name: str, data: Path, out: Path) -> bool:
    """Run one benchmark in a process of its own, so that none shares memory or threads; tell whether it succeeded."""
    click.echo(f"== {name}")
    parts = ["--data", str(data), "--out", str(out / f"{name}.json")]
    return subprocess.run([sys.executable, "-m", f"benchmarks.{name}", *parts], cwd=ROOT, check=False).returncode == 0
