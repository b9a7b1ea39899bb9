"""The map of points, in a browser: zoom, pan, pick, choose a region; by mouse, finger and keys."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import pipeline.plot

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.browser

SCRIPT = (Path(pipeline.plot.__file__).parent / "map.js").read_text(encoding="utf-8")
# Four corners in two groups, and a point in the middle, on a canvas of 400 x 400.
CORNERS = {"x": [0, 10, 0, 10, 5], "y": [0, 0, 10, 10, 5], "group": [0, 0, 1, 1, 1]}
MARGIN = 24
PAGE = """
<!DOCTYPE html><style>body { margin: 0 } canvas { width: 400px; height: 400px }</style>
<canvas tabindex="0"></canvas>
<script type="module">
%s
window.seen = [];
const note = (name) => (value) => seen.push([name, value]);
const does = { hover: note("hover"), open: note("open"), region: note("region") };
const points = { ...%s, colours: ["#ff0000", "#0000ff"] };
window.map = new PointMap(document.querySelector("canvas"), points, does);
</script>
"""


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    with browser.new_page(viewport={"width": 400, "height": 400}, has_touch=True) as page:
        errors: list[str] = []
        page.on("pageerror", lambda error: errors.append(error.message))
        page.set_content(PAGE % (SCRIPT, CORNERS))
        draw(page)
        yield page
        assert errors == []


def draw(page: Page) -> None:
    """Wait until what was asked for is drawn: the frame after the next begins."""
    page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")


def place(page: Page, point: int) -> list[float]:
    return page.evaluate("point => map.placeOf(point)", point)


def seen(page: Page, name: str) -> list[Any]:
    return page.evaluate("name => seen.filter(([of]) => of === name).map(([, what]) => what)", name)


def colour(page: Page, x: float, y: float) -> list[int]:
    canvas = "document.querySelector('canvas').getContext('2d')"
    script = f"([x, y]) => [...{canvas}.getImageData(x, y, 1, 1).data]"
    draw(page)
    return page.evaluate(script, [x, y])


def test_all_points_are_in_sight_with_a_margin_and_y_upwards(page: Page) -> None:
    far = 400 - MARGIN
    assert place(page, 0) == pytest.approx([MARGIN, far])
    assert place(page, 3) == pytest.approx([far, MARGIN])
    red, blue = colour(page, MARGIN, far), colour(page, far, MARGIN)
    assert (red[0] > 200, red[2], blue[0], blue[2] > 200) == (True, 0, 0, True)
    assert colour(page, 100, 200)[3] == 0


def test_the_nearest_point_is_picked_if_it_can_be_seen(page: Page) -> None:
    page.mouse.move(MARGIN + 5, MARGIN + 5)
    page.mouse.move(100, 100)
    page.mouse.click(203, 198)
    assert seen(page, "hover") == [2, -1, 4]
    assert seen(page, "open") == [4]
    page.evaluate("map.hidden.add(1)")
    page.mouse.click(203, 198)
    page.evaluate("map.hidden.clear(); map.matches = [1, 1, 1, 1, 0]")
    page.mouse.click(203, 198)
    assert seen(page, "open") == [4, -1, -1]


def test_hidden_groups_are_not_drawn_and_others_than_the_matches_are_faint(page: Page) -> None:
    page.evaluate("map.matches = [1, 1, 1, 1, 0]; map.draw()")
    assert 0 < colour(page, 200, 200)[3] < 40
    page.evaluate("map.hidden.add(1); map.draw()")
    assert colour(page, 200, 200)[3] == 0
    assert colour(page, MARGIN, 400 - MARGIN)[3] > 150


def test_the_wheel_zooms_around_the_mouse_and_a_drag_pans(page: Page) -> None:
    page.mouse.move(*place(page, 1))
    page.mouse.wheel(0, -400)
    page.wait_for_function("map.placeOf(4)[0] < 0")
    assert place(page, 1) == pytest.approx([400 - MARGIN, 400 - MARGIN])
    page.mouse.move(250, 250)
    page.mouse.down()
    page.mouse.move(300, 270)
    page.mouse.up()
    assert place(page, 1) == pytest.approx([400 - MARGIN + 50, 400 - MARGIN + 20])
    assert seen(page, "open") == []
    page.evaluate("map.reset()")
    assert place(page, 4) == pytest.approx([200, 200])


def test_a_drag_with_shift_chooses_the_points_of_a_region(page: Page) -> None:
    page.keyboard.down("Shift")
    page.mouse.move(10, 100)
    page.mouse.down()
    for x, y in ((390, 150), (390, 390), (10, 390)):
        page.mouse.move(x, y, steps=3)
    page.mouse.up()
    assert seen(page, "region") == [[0, 1, 4]]
    assert seen(page, "open") == []


def test_keys_go_from_point_to_point_open_and_zoom(page: Page) -> None:
    page.focus("canvas")
    for key in ("ArrowUp", "ArrowRight", "ArrowDown", "Enter", "ArrowLeft"):
        page.keyboard.press(key)
    assert seen(page, "hover") == [4, 3, 1, 0]
    assert seen(page, "open") == [1]
    page.keyboard.press("+")
    page.keyboard.press("ArrowUp")
    assert all(0 <= at <= 400 for at in place(page, 2))
    page.keyboard.press("0")
    assert place(page, 4) == pytest.approx([200, 200])


def test_two_fingers_zoom_and_a_tap_opens(page: Page) -> None:
    page.touchscreen.tap(*place(page, 4))
    assert seen(page, "open") == [4]
    fingers = page.context.new_cdp_session(page)

    def touch(kind: str, *at: tuple[int, int]) -> None:
        points = [{"x": x, "y": y, "id": i} for i, (x, y) in enumerate(at)]
        fingers.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    touch("touchStart", (180, 200), (220, 200))
    touch("touchMove", (150, 200), (250, 200))
    touch("touchMove", (120, 200), (280, 200))
    touch("touchEnd")
    left, middle = place(page, 0), place(page, 4)
    assert middle == pytest.approx([200, 200], abs=25)
    assert middle[0] - left[0] == pytest.approx(4 * (200 - MARGIN), rel=0.1)
    assert seen(page, "open") == [4]


@pytest.mark.parametrize(
    "points", [{"x": [], "y": [], "group": []}, {"x": [3], "y": [4], "group": [0]}]
)
def test_no_point_or_one_is_a_map_too(page: Page, points: dict[str, list[int]]) -> None:
    page.evaluate("points => map.setPoints({ ...points, colours: ['#ff0000'] })", points)
    page.mouse.click(200, 200)
    assert seen(page, "open") == [len(points["x"]) - 1]


def test_a_closed_map_listens_no_more(page: Page) -> None:
    page.evaluate("map.close()")
    page.mouse.click(200, 200)
    assert seen(page, "open") == []
