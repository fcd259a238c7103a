"""The console with 400 stalls and 100 moving objects: first paint, frames a second, an hour of memory, a restart.

The service is started by this program, with traffic written as its engine would. Chromium is headless and draws by
software. Parts that are not asked for are kept from the results file, each with when and by which commit.

    python -m benchmarks.console [--parts opening,drawing,hour] [--minutes 60] [--pictures FOLDER]
"""

import argparse
import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.protocol import ROOT, describe_machine, print_table, write_results
from tests.twin.console.conftest import CHROMIUM, Page, Running

OBJECTS, LOADS, FPS_S = 100, 5, 10.0
PARTS = ("opening", "drawing", "hour")
SIZES: dict[str, dict[str, Any]] = {
    "desktop": {"viewport": {"width": 1280, "height": 800}, "color_scheme": "light"},
    "dark": {"viewport": {"width": 1280, "height": 800}, "color_scheme": "dark"},
    "phone": {"viewport": {"width": 390, "height": 844}, "color_scheme": "light", "has_touch": True},
}
USEFUL = "!!(window.tiepoint && tiepoint.state.plan && tiepoint.live.tracks.size >= 100 && tiepoint.view.frames > 0)"
ROWS = "[...tiepoint.live.tracks.values()].map(known => known.rows.map(row => row.time))"


def main() -> None:
    """Measure and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="not used")
    parser.add_argument("--parts", default=",".join(PARTS))
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--pictures", type=Path, help="folder to put screenshots into")
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results" / "console.json")
    arguments = parser.parse_args()
    from playwright.sync_api import sync_playwright

    machine = describe_machine()
    with tempfile.TemporaryDirectory() as temporary, sync_playwright() as playwright:
        folder = Path(temporary)
        module = [sys.executable, "-m", "tests.twin.console.town", str(folder)]
        running = Running(lambda port: [*module, str(port), str(OBJECTS)], folder)
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        try:
            parts = {
                "opening": lambda: opening(browser, running.url),
                "drawing": lambda: drawing(browser, running.url, arguments.pictures),
                "hour": lambda: lasting(browser, running, arguments.minutes),
            }
            before = json.loads(arguments.out.read_text()) if arguments.out.exists() else {}
            found: dict[str, Any] = {"objects": OBJECTS, "stalls": 400}
            found |= {part: before[part] for part in PARTS if part in before}
            for part in arguments.parts.split(","):
                told = {key: machine[key] for key in ("date", "commit")} | {"load_before": os.getloadavg()[0]}
                found[part] = parts[part]() | {"measured": told}
        finally:
            browser.close()
            running.stop()
    print_table(["console", ""], [[name, str(value)[:160]] for name, value in found.items()])
    write_results(arguments.out, found, machine)


def opening(browser: Any, url: str) -> dict[str, Any]:
    """Return how long it takes until everyone is drawn, for pages of fresh browsers, seconds."""
    useful, painted = [], []
    for _ in range(LOADS):
        context = browser.new_context(**SIZES["desktop"])
        page = Page(context.new_page())
        begun = time.perf_counter()
        page.goto(url)
        page.until(USEFUL)
        useful.append(time.perf_counter() - begun)
        painted.append(
            page.evaluate("performance.getEntriesByName('first-contentful-paint')[0]?.startTime / 1000") or np.nan
        )
        context.close()
    return {"everyone_drawn_s": useful, "first_contentful_paint_s": painted}


def drawing(browser: Any, url: str, pictures: Path | None) -> dict[str, Any]:
    """Return frames a second while looking, and while the plan is moved, for each size of page."""
    found: dict[str, Any] = {}
    for name, size in SIZES.items():
        context = browser.new_context(**size)
        page = Page(context.new_page())
        page.goto(url)
        page.until(USEFUL)
        still = _rate(page, lambda page: page.wait_for_timeout(100))
        page.focus("#plan")
        moved = _rate(page, lambda page: page.keyboard.press("ArrowLeft" if int(time.time()) % 2 else "ArrowRight"))
        if pictures is not None:
            pictures.mkdir(parents=True, exist_ok=True)
            page.evaluate("tiepoint.view.fit()")
            page.keyboard.press("n")
            page.wait_for_timeout(1500)
            page.screenshot(path=pictures / f"{name}.png")
        found[name] = {"frames_per_s": still, "frames_per_s_moved": moved, "complaints": page.complaints}
        context.close()
    return found


def _rate(page: Page, act: Any) -> float:
    begun, first = time.perf_counter(), page.evaluate("tiepoint.view.frames")
    while time.perf_counter() - begun < FPS_S:
        act(page)
    return float((page.evaluate("tiepoint.view.frames") - first) / (time.perf_counter() - begun))


def lasting(browser: Any, running: Running, minutes: float) -> dict[str, Any]:
    """Return the page's memory each minute of live data, MB, after a collection; the service is restarted half way."""
    context = browser.new_context(viewport={"width": 640, "height": 480})
    page = Page(context.new_page())
    page.goto(running.url)
    page.until(USEFUL)
    session = context.new_cdp_session(page.page)
    heap: list[float] = []
    restarted: dict[str, Any] = {}
    begun = time.monotonic()
    while time.monotonic() - begun < 60.0 * minutes:
        page.wait_for_timeout(60_000 if minutes >= 2 else 5_000)
        session.send("HeapProfiler.collectGarbage")
        heap.append(session.send("Runtime.getHeapUsage")["usedSize"] / 1e6)
        if not restarted and time.monotonic() - begun > 30.0 * minutes:
            restarted = _restart(page, running)
    half = np.array(heap[len(heap) // 5 :])
    hours = np.arange(len(half)) * minutes / max(len(heap), 1) / 60.0
    slope = float(np.polyfit(hours, half, 1)[0]) if len(half) > 2 else None
    context.close()
    return {"minutes": minutes, "heap_mb": heap, "slope_mb_per_hour": slope, "restart": restarted}


def _restart(page: Page, running: Running) -> dict[str, Any]:
    running.kill()
    page.until("document.getElementById('status-text').textContent !== 'live'")
    running.start("go on")
    begun = time.monotonic()
    page.until("document.getElementById('status-text').textContent === 'live'")
    reconnected = time.monotonic() - begun
    page.wait_for_timeout(5000)
    twice = sum(len(times) != len(set(times)) for times in page.evaluate(ROWS))
    mine = page.evaluate("tiepoint.live.tracks.get(1).rows.map(row => row.time)")
    asked = "fetch('v1/twins/town/tracks/history?track=1&limit=5000&since=' + tiepoint.live.tracks.get(1).rows[0].time)"
    stored = page.evaluate(f"{asked}.then(answer => answer.json()).then(page => page.rows.map(row => row.time))")
    missing = len(set(stored) - set(mine) - {each for each in stored if each > mine[-1]})
    return {
        "reconnected_s": reconnected,
        "tracks": page.evaluate("tiepoint.live.tracks.size"),
        "tracks_with_a_row_twice": twice,
        "rows_missing_of_track_1": missing,
    }


if __name__ == "__main__":
    main()
