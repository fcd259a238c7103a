"""A photo dropped on the page of a service with a map."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.twin.console.conftest import Page, Running
from twin import Twin


@pytest.fixture(scope="module")
def serving(small_twin: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    pytest.importorskip("fastapi", reason="the extra 'serve' is not installed")
    folder = tmp_path_factory.mktemp("serving")
    call = "import sys; from twin.cli import main; main(sys.argv[1:])"
    options = ["--data", str(folder / "data"), "--workers", "1"]

    def command(port: int) -> list[str]:
        return [sys.executable, "-c", call, "serve", str(small_twin), "--port", str(port), *options]

    running = Running(command, folder)
    yield running
    running.stop()


def test_a_photo_is_placed_with_its_landmarks(browser: Any, serving: Running, small_twin: Path, rendered: Any) -> None:
    twin = Twin.open(small_twin)
    name = twin.landmarks.views[5]
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    page = Page(context.new_page())
    page.goto(serving.url)
    page.until("!!(window.tiepoint && tiepoint.state.plan)")
    page.evaluate("document.getElementById('tab-photo').click()")
    page.set_input_files("#photo-file", str(rendered.walk / name))
    page.until("document.querySelector('#photo-answer .answer')")
    assert "Found" in page.inner_text("#photo-answer")
    drawn = page.evaluate("tiepoint.state.photo")
    truth = twin.view_positions[5]
    assert drawn["position"] == pytest.approx(truth[:2].tolist(), abs=0.05)
    assert len(drawn["landmarks"]) == int(page.inner_text("#photo-answer tr:nth-last-child(2) td"))
    assert page.complaints == []
    context.close()
