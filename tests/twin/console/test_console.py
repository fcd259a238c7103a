"""The console in headless Chromium, against the service itself."""

import time
from typing import Any

import pytest

from tests.twin.console.conftest import Page, Running, page_of

ROWS = "[...tiepoint.live.tracks.values()].map(known => known.rows.map(row => row.time))"


def test_opens_with_everyone_who_is_there_and_without_complaints(opened: Page) -> None:
    opened.until("tiepoint.live.tracks.size === 40")
    opened.until("document.querySelector('#counts dd')?.textContent > 0")
    assert [button.inner_text() for button in opened.query_selector_all("#levels button")] == ["P2", "P1"]
    counts = [int(value.inner_text()) for value in opened.query_selector_all("#counts dd")]
    assert counts[0] + counts[1] == 40
    assert counts[2] + counts[3] == 400
    assert opened.inner_text("#status-text") == "live"
    assert opened.complaints == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(browser: Any, town: Running, scheme: str) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed")
    for page in page_of(browser, town.url, color_scheme=scheme, bypass_csp=True):
        for tab in ("now", "object", "photo", "search", "reports"):
            page.evaluate(f"document.getElementById('tab-{tab}').click()")
            page.wait_for_timeout(300)
            found = axe.Axe().run(page.page).response["violations"]
            assert [(each["id"], each["nodes"][0]["html"]) for each in found] == []


def test_a_click_on_a_vehicle_tells_about_it(opened: Page) -> None:
    at = "(() => { const t = tiepoint.live.at(tiepoint.live.now()).find(t => t.row.level === tiepoint.state.level);"
    x, y, id = opened.evaluate(f"{at} return [...tiepoint.view.pixel(t.x, t.y), t.id]; }})()")
    box = opened.query_selector("#plan").bounding_box()
    opened.mouse.click(box["x"] + x, box["y"] + y)
    opened.until("tiepoint.state.chosen !== null && document.querySelector('#pane-object table')")
    text = opened.inner_text("#pane-object")
    assert f" {opened.evaluate('tiepoint.state.chosen')}" in text
    assert "90 % ellipse" in text
    assert opened.evaluate("tiepoint.state.chosen") == id or opened.evaluate("tiepoint.state.chosen") > 0
    assert opened.complaints == []


def test_keys_move_between_levels_vehicles_and_panes(opened: Page) -> None:
    opened.keyboard.press("]")
    assert opened.evaluate("tiepoint.state.level") == "P2"
    opened.keyboard.press("[")
    assert opened.evaluate("tiepoint.state.level") == "P1"
    opened.keyboard.press("n")
    first = opened.until("tiepoint.state.chosen")
    opened.keyboard.press("n")
    assert opened.until("tiepoint.state.chosen") != first
    opened.keyboard.press("/")
    assert opened.evaluate("document.activeElement.id") == "search-id"
    opened.keyboard.press("Escape")
    opened.focus("#plan")
    before = opened.evaluate("tiepoint.view.centre[0]")
    opened.keyboard.press("ArrowRight")
    assert opened.evaluate("tiepoint.view.centre[0]") > before
    opened.keyboard.press("?")
    assert opened.evaluate("document.getElementById('help').open")


def test_the_past_is_replayed_and_live_comes_back(opened: Page) -> None:
    opened.until("tiepoint.state.first !== null && tiepoint.live.newest - tiepoint.state.first > 30")
    opened.evaluate(
        "(() => { const t = document.getElementById('time'); t.value = tiepoint.state.first + 25;"
        " t.dispatchEvent(new Event('input')); })()"
    )
    opened.until("tiepoint.state.replay && tiepoint.state.replay.world.tracks.size === 40")
    shown = opened.evaluate("tiepoint.state.replay.world.at(tiepoint.state.time).map(t => t.row.time)")
    asked = opened.evaluate("tiepoint.state.time")
    assert len(shown) == 40
    assert all(asked - 1.0 < each <= asked for each in shown)
    opened.click("#play")
    opened.until(f"tiepoint.state.time > {asked} + 0.5")
    opened.click("#live")
    assert opened.evaluate("tiepoint.state.replay") is None
    assert opened.complaints == []


def test_after_a_restart_of_the_service_no_row_is_missing_or_twice(browser: Any, town: Running) -> None:
    for page in page_of(browser, town.url):
        page.until("tiepoint.live.tracks.get(1)?.rows.length > 10")
        town.kill()
        page.until("document.getElementById('status-text').textContent !== 'live'")
        before = page.evaluate(ROWS)
        time.sleep(0.5)
        town.start("go on")
        page.until("document.getElementById('status-text').textContent === 'live'")
        longest = max(map(len, before))
        page.until(f"tiepoint.live.tracks.get(1).rows.length > {longest} + 10")
        for times in page.evaluate(ROWS):
            assert times == sorted(set(times))
        assert page.evaluate("tiepoint.live.tracks.size") == 40
        stored = page.evaluate(
            "fetch('v1/twins/town/tracks/history?track=1&limit=5000').then(answer => answer.json())"
            ".then(({rows}) => rows.map(row => row.time))"
        )
        mine = page.evaluate("tiepoint.live.tracks.get(1).rows.map(row => row.time)")
        expected = [each for each in stored if mine[0] <= each <= mine[-1]]
        assert mine[1:] == [each for each in expected if each > mine[0]]


def test_names_are_never_markup(opened: Page) -> None:
    row = "{...tiepoint.live.tracks.get(1).rows.at(-1), track: 777, class: '<img src=x onerror=alert(1)>'}"
    opened.evaluate(f"tiepoint.live.track({row})")
    opened.until("[...document.querySelectorAll('#objects button')].some(b => b.textContent.includes('<img'))")
    assert opened.query_selector("#objects img") is None


def test_a_photo_for_a_twin_without_a_map_says_why_not(opened: Page, rendered: Any) -> None:
    photo = sorted(rendered.queries.glob("*.jpg"))[0]
    opened.evaluate("document.getElementById('tab-photo').click()")
    opened.set_input_files("#photo-file", str(photo))
    opened.until("document.querySelector('#photo-answer .bad')")
    assert "no map" in opened.inner_text("#photo-answer")


def test_on_a_phone_nothing_is_wider_than_the_screen(browser: Any, town: Running) -> None:
    context = browser.new_context(viewport={"width": 390, "height": 844}, has_touch=True)
    page = Page(context.new_page())
    page.goto(town.url)
    page.until("!!(window.tiepoint && tiepoint.live.tracks.size)")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert page.query_selector("#plan").bounding_box()["height"] > 250
    context.close()
