"""The page over 100,000 videos, in a real Chromium: cards, scrolling, hovering, moves, weight.

Rows are made up; 60 of them have a file. What a person would wait for is measured inside the page,
from the event to the frame. Suggestions are made up, too: learning from 100,000 videos is what
`tools` measures; the moves are real.
"""

from __future__ import annotations

import argparse
import io
import json
import tempfile
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from PIL import Image

from pipeline.source.presence import look_at
from store.schema import Stamp
from store.table.arrow import rows_from_arrow
from store.table.store import Store
from tests.benchmarks import made
from tests.benchmarks.measure import publish
from tests.support.browsers import opened_browser
from tests.support.media import make_video
from tests.support.pages import served
from tests.support.program import spawning
from tests.support.projects import UserProject, distinct_copy

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page, Route

    from store.schema import Row

FILES = 60
HOVERED = 50
MOVES = 20
LOADS = 5
PER_COMMIT = 10_000

GOALS = {
    "first cards, ms": 500.0,
    "most cards in the page": 300.0,
    "top to end, ms": 300.0,
    "key to next video, ms": 150.0,
    "key to file moved, ms": 150.0,
    "<video> with a source after 50 hovers": 1.0,
    "requests of 50 hovers": 2.0,
    "page, kB loaded": 100.0,
}

# Says when the first card with a video is there; runs before the page's own scripts.
FIRST_CARD = """
new MutationObserver((_, watcher) => {
  if (document.querySelector(".card a.face")) {
    watcher.disconnect();
    requestAnimationFrame(() => { window.firstCard = performance.now(); });
  }
}).observe(document, { childList: true, subtree: true });
"""
TO_END = """async () => {
  const scroller = document.querySelector(".body > .scroll"), began = performance.now();
  const last = document.querySelector(".grid .card").ariaSetSize;
  scroller.scrollTop = scroller.scrollHeight;
  while (!document.querySelector(`.grid .card[aria-posinset="${last}"] a.face`)) {
    await new Promise(requestAnimationFrame);
  }
  return performance.now() - began;
}"""
MOST_CARDS = """async () => {
  const scroller = document.querySelector(".body > .scroll");
  let most = 0;
  for (let step = 0; step <= 200; step++) {
    scroller.scrollTop = (scroller.scrollHeight - scroller.clientHeight) * step / 200;
    await new Promise(requestAnimationFrame);
    most = Math.max(most, document.querySelectorAll(".card").length);
  }
  return most;
}"""
# Notes when the next video is there with a frame to show, and when the server has moved the file.
WATCH_KEY = """() => {
  window.times = { began: 0, clock: 0, next: 0, answered: 0 };
  addEventListener("keydown", () => {
    times.began = performance.now();
    times.clock = Date.now();
    const before = document.querySelector(".stage video:not([hidden])");
    const look = () => {
      const now = document.querySelector(".stage video:not([hidden])");
      if (now && now !== before && now.readyState >= 2) times.next = performance.now();
      else requestAnimationFrame(look);
    };
    look();
  }, { capture: true });
  new MutationObserver(() => {
    if (!document.querySelector("#toast").textContent.includes("→")) return;
    times.answered = performance.now();
  }).observe(document.querySelector("#toast"), { childList: true });
}"""


ARE_LOADED = """() =>
  [...document.querySelectorAll(".stage video")].every(({ readyState }) => readyState > 1)
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000, help="(default: 100,000)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        project = make_project(Path(folder) / "project", options.rows)
        with spawning() as spawn, served(spawn, project) as address, opened_browser() as browser:
            found = measure(browser, address, project)
    rows = [
        {"rows": options.rows, "what": what, "measured": value, "goal": GOALS.get(what),
         "reached": value <= GOALS[what] if what in GOALS else None}
        for what, value in found.items()
    ]  # fmt: skip
    publish("page", rows)


def make_project(folder: Path, rows: int) -> UserProject:
    """A store of made-up rows, of which the first in the order of names have files."""
    project = UserProject.make(folder, clip=Path("unused"), whisper=Path("unused"))
    project.config.write_text('data.dir = "videos"\nstore.uri = "store"\n', encoding="utf-8")
    picture = io.BytesIO()
    Image.linear_gradient("L").resize((256, 256)).save(picture, "JPEG", quality=60)
    thumbnail = pa.scalar(picture.getvalue(), pa.binary())
    with Store.open(str(project.store), writer=True) as store:
        for first in range(0, rows, PER_COMMIT):
            numbers = range(first, min(first + PER_COMMIT, rows), made.BLOCK_ROWS)
            tables = [made.to_arrow(made.block(n // made.BLOCK_ROWS), 1) for n in numbers]
            table = pa.concat_tables(tables).combine_chunks()
            place = table.schema.get_field_index("thumbnail")
            field = table.schema.field(place)
            pictures = pa.array([thumbnail.as_py()] * len(table), field.type)
            store.videos.upsert(table.set_column(place, field, pictures))
        store.upsert(real_rows(project))
        store.upkeep(force=True)
    return project


def real_rows(project: UserProject) -> list[Row]:
    """Files that play, and their rows."""
    clip = project.folder / "clip.mp4"
    make_video(clip, width=640, height=360)
    rows = rows_from_arrow(made.to_arrow(made.block(10**6), 1))[:FILES]
    found = []
    for number, row in enumerate(rows):
        name = f"000-{number:02}.mp4"
        stamp = look_at(distinct_copy(clip, project.videos / name, number))
        assert isinstance(stamp, Stamp)
        size, mtime_ns = stamp
        found.append(replace(row, path=name, label=None, size=size, mtime_ns=mtime_ns))
    return found


def measure(browser: Browser, address: str, project: UserProject) -> dict[str, float]:
    found: dict[str, float] = {}
    with browser.new_page(viewport={"width": 1920, "height": 1080}) as page:
        page.add_init_script(FIRST_CARD)
        page.goto(address)  # the server reads the table's columns once
        first_card(page)
        found["page, kB loaded"] = weight(page)
        loads = []
        for _ in range(LOADS):
            page.reload()
            loads.append(first_card(page))
        found["first cards, ms"] = median(loads)
        found["top to end, ms"] = page.evaluate(TO_END)
        found["most cards in the page"] = page.evaluate(MOST_CARDS)
        found |= hovers(page)
    with browser.new_page(viewport={"width": 1920, "height": 1080}) as page:
        found |= moves(page, address, project)
    return found


def first_card(page: Page) -> float:
    page.wait_for_function("() => window.firstCard")
    return float(page.evaluate("window.firstCard"))


def weight(page: Page) -> float:
    """Thousands of bytes as they are sent, of everything but answers: markup, style, scripts."""
    sizes = page.evaluate(
        """["navigation", "resource"].flatMap((type) => performance.getEntriesByType(type))
        .filter(({ name }) => !/[/](api|thumb|media)[/]/.test(name))
        .map(({ encodedBodySize }) => encodedBodySize)"""
    )
    return float(sum(sizes)) / 1000


def hovers(page: Page) -> dict[str, float]:
    """The mouse goes over 50 cards, and rests on the last."""
    requests: list[str] = []
    page.evaluate("document.querySelector('.body > .scroll').scrollTop = 0")
    page.wait_for_selector(".card[aria-posinset='1'] a.face")
    page.on("request", lambda request: requests.append(request.url))
    boxes = page.evaluate(
        "[...document.querySelectorAll('.card')].sort((a, b) => a.ariaPosInSet - b.ariaPosInSet)"
        f".slice(0, {HOVERED}).map((card) => card.getBoundingClientRect().toJSON())"
    )
    for box in boxes:
        page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 4)
    page.wait_for_selector("video.hover.on")
    sources = page.locator("video[src]").count()
    return {
        "<video> with a source after 50 hovers": float(sources),
        "requests of 50 hovers": float(sum("/media/" in url for url in requests)),
    }


def moves(page: Page, address: str, project: UserProject) -> dict[str, float]:
    """Enter, 20 times, in the view Sort; a file has moved when its file system says so."""
    answer = page.request.get(f"{address}/api/videos?unlabeled=1&limit={FILES}").json()
    guess = [{"name": "label01", "probability": 0.9, "witnesses": []}]
    items = [{"video": video, "folders": guess, "sure": True} for video in answer["videos"]]

    def suggest(route: Route) -> None:
        content = {"total": len(items), "sure": len(items), "items": items, "remark": None}
        route.fulfill(content_type="application/json", body=json.dumps(content | {"version": 1}))

    page.route("**/api/suggestions*", suggest)
    page.goto(f"{address}/?view=sort")
    page.wait_for_selector(".choice")
    page.evaluate(WATCH_KEY)
    shown, moved, answered = [], [], []
    for number in range(MOVES):
        page.wait_for_function(ARE_LOADED)
        page.evaluate("Object.assign(times, { next: 0, answered: 0 })")
        page.keyboard.press("Enter")
        page.wait_for_function("() => times.next && times.answered")
        times: dict[str, Any] = page.evaluate("times")
        target = project.videos / "label01" / f"000-{number:02}.mp4"
        shown.append(times["next"] - times["began"])
        moved.append(target.stat().st_ctime_ns / 1e6 - times["clock"])
        answered.append(times["answered"] - times["began"])
    return {
        "key to next video, ms": median(shown),
        "key to file moved, ms": median(moved),
        "key to its answer, ms": median(answered),
    }


if __name__ == "__main__":
    main()
