"""Everything that is embedded plays in a real browser, and shows the right frame after a seek."""

from __future__ import annotations

import base64
import io
import itertools
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from pipeline.source.presence import look_at
from store.table.store import Store
from tests.support.api import Client
from tests.support.api import open_page as serve
from tests.support.media import make_video, read_frame_number
from tests.support.projects import UserProject
from tests.support.rows import make_row

FPS = 10
SECONDS = 1.5
AT = 0.85  # in the middle of frame 8
WAIT_MS = 60_000  # for the previews of all: other work may run on the machine

CONTAINERS = {
    "h264": ("mp4", "mov", "mkv", "avi"),
    "hevc": ("mp4", "mov", "mkv"),
    "vp9": ("mp4", "mkv", "webm"),
    "av1": ("mp4", "mkv", "webm"),
    "mpeg4": ("mp4", "mov", "mkv", "avi"),
}
SOUNDS = {"silent": None, "tone": "tone"}
CLIPS: dict[str, dict[str, Any]] = {
    f"{codec}-{sound}.{suffix}": {"codec": codec, "audio": SOUNDS[sound]}
    for codec, suffixes in CONTAINERS.items()
    for suffix, sound in itertools.product(suffixes, SOUNDS)
} | {
    "turned.mp4": {"rotation": 90},
    "turned.mov": {"rotation": 270, "codec": "hevc", "audio": "tone"},
    "upside-down.mkv": {"rotation": 180, "codec": "mpeg4"},
    "odd.webm": {"codec": "vp9", "width": 161, "height": 121},
    "odd-444.mp4": {"width": 131, "height": 97, "pix_fmt": "yuv444p"},
    "ten-bit.mp4": {"codec": "hevc", "pix_fmt": "yuv420p10le"},
}

# Plays a video as the page does, then shows one moment; a picture of it, or what went wrong.
PLAY = """async ([url, at]) => {
  let answer;
  do {
    answer = await fetch(url, { headers: { Range: "bytes=0-0" } });
    if (answer.status === 202) await new Promise((done) => setTimeout(done, 50));
  } while (answer.status === 202);
  if (!answer.ok) return [await answer.text()];
  const video = document.createElement("video");
  const heard = (name) => new Promise((done, fail) => {
    video.addEventListener(name, done, { once: true });
    video.addEventListener("error", () => fail(new Error(video.error.message)), { once: true });
  });
  video.muted = true;
  const loaded = heard("loadeddata");
  video.src = url;
  await loaded;
  await video.play();
  video.pause();
  const sought = heard("seeked");
  video.currentTime = at;
  await sought;
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [video.videoWidth, video.videoHeight];
  const pen = canvas.getContext("2d", { willReadFrequently: true });
  const isBlack = () => pen.getImageData(0, 0, canvas.width, canvas.height).data
    .every((value, place) => place % 4 === 3 || value < 16);
  const until = performance.now() + 10000;
  do {  // on a busy machine the picture may be painted later than the event comes
    await new Promise(requestAnimationFrame);
    pen.drawImage(video, 0, 0);
  } while (isBlack() && performance.now() < until);
  return [null, canvas.toDataURL("image/png").split(",")[1]];
}"""


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory, whisper_dir: Path) -> Iterator[Client]:
    """A page over all of the clips."""
    folder = tmp_path_factory.mktemp("clips") / "project"
    project = UserProject.make(folder, clip=Path("unused"), whisper=whisper_dir)
    rows = []
    for number, (name, how) in enumerate(CLIPS.items()):
        file = project.videos / name
        make_video(file, seconds=SECONDS, fps=FPS, pictures=number, **how)
        stamp = look_at(file)
        assert stamp is not None
        row = make_row(name, number, d=8)
        rows.append(
            replace(row, size=stamp.size, mtime_ns=stamp.mtime_ns, duration_seconds=SECONDS)
        )
    with Store.open(str(project.store), writer=True) as store:
        store.upsert(rows)
    with serve(project) as page:
        yield page


@pytest.fixture(scope="module")
def address(clips: Client) -> str:
    return f"http://127.0.0.1:{clips.port}"


@pytest.fixture
def page(open_page: Callable[..., Page]) -> Page:
    page = open_page("/?view=status")
    page.set_default_timeout(WAIT_MS)
    return page


def test_each_codec_plays_from_each_container(page: Page, clips: Client) -> None:
    wrong = {}
    for video in clips.get("/api/videos", limit=200)["videos"]:
        name = video["name"]
        error, *png = page.evaluate(PLAY, [video["media"]["url"], AT])
        if error:
            wrong[name] = error
            continue
        picture = np.asarray(Image.open(io.BytesIO(base64.b64decode(png[0]))).convert("RGB"))
        try:
            frame = read_frame_number(picture)
        except ValueError as unreadable:
            wrong[name] = f"{unreadable}, of {picture.shape}"
            continue
        if abs(frame - int(AT * FPS)) > 1:
            wrong[name] = f"shows frame {frame} at {AT} s"
    assert wrong == {}


def test_a_preview_is_said_to_be_one(open_page: Callable[..., Page], clips: Client) -> None:
    page = open_page(f"/?open={clips.key('mpeg4-tone.avi')}")
    expect(page.locator("#player .over")).to_have_text("preview")
    page.wait_for_function("() => document.querySelector('#player video').currentTime > 0")
