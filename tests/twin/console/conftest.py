"""A service with a town and its traffic in a process of its own, and pages of headless Chromium."""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[3]
CHROMIUM = next(
    (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None
)
PATIENCE_S = 90.0


class Page:
    """A browser's page that waits by asking, as the console's policy forbids code from strings."""

    def __init__(self, page: Any) -> None:
        self.page, self.complaints = page, []  # type: ignore[var-annotated]
        page.on("console", lambda m: self.complaints.append(m.text) if m.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def __getattr__(self, name: str) -> Any:
        return getattr(self.page, name)

    def until(self, expression: str) -> Any:
        end = time.monotonic() + PATIENCE_S
        while time.monotonic() < end:
            value = self.page.evaluate(expression)
            if value:
                return value
            time.sleep(0.05)
        pytest.fail(f"never came true: {expression}; {self.complaints}")


class Running:
    """A service that can be killed and started again on the same data."""

    def __init__(self, command: Callable[[int], list[str]], folder: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.command, self.log = command(self.port), folder / "log"
        self.url = f"http://127.0.0.1:{self.port}/"
        self.start()

    def start(self, *more: str) -> None:
        with self.log.open("ab") as log:
            environment = os.environ | {"OMP_NUM_THREADS": "1"}
            self.process = subprocess.Popen([*self.command, *more], cwd=ROOT, stdout=log, stderr=log, env=environment)
        end = time.monotonic() + PATIENCE_S
        while time.monotonic() < end and self.process.poll() is None:
            try:
                urllib.request.urlopen(f"{self.url}v1/ready", timeout=5).close()
                return
            except (urllib.error.URLError, OSError):
                time.sleep(0.1)
        pytest.fail(f"the service did not start: {self.log.read_text()[-2000:]}")

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.kill()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Playwright holds an event loop while it is there, so that it must not outlive the module: others run theirs."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if CHROMIUM is None:
        pytest.skip("Chromium is not installed: no browser to open the console in")
    with playwright.sync_playwright() as started:
        chromium = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    pytest.importorskip("fastapi", reason="the extra 'serve' is not installed")
    folder = tmp_path_factory.mktemp("town")
    running = Running(
        lambda port: [sys.executable, "-m", "tests.twin.console.town", str(folder), str(port), "40"], folder
    )
    yield running
    running.stop()


@pytest.fixture
def opened(browser: Any, town: Running) -> Iterator[Page]:
    yield from page_of(browser, town.url)


def page_of(browser: Any, url: str, **context: Any) -> Iterator[Page]:
    whole = browser.new_context(viewport={"width": 1280, "height": 800}, **context)
    page = Page(whole.new_page())
    page.goto(url)
    page.until("!!(window.tiepoint && tiepoint.state.plan && tiepoint.live.tracks.size)")
    yield page
    whole.close()
