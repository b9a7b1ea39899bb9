"""The plot shows every video, whatever it is called, and needs nothing from anywhere."""

from __future__ import annotations

import base64
import io
import json
import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from pipeline.plot.layout import GREY, TITLE, UNLABELED, groups, layout, to_png
from pipeline.plot.page import Point, to_html
from tests.support.clusters import Clusters, fill, jpeg
from tests.support.program import Run
from tests.support.projects import UserProject


def data_of(page: str) -> Any:
    found = re.search(r'<script id="data" type="application/json">(.*?)</script>', page, re.S)
    assert found
    return json.loads(found[1])


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 40])
@pytest.mark.parametrize("different", [1, 2, 100])
def test_every_video_has_a_place_of_its_own(n: int, different: int) -> None:
    rng = np.random.default_rng(0)
    places = layout(rng.standard_normal((different, 16))[np.arange(n) % different])
    assert places.shape == (n, 2)
    assert np.isfinite(places).all()
    assert abs(places).max() < 1.1
    assert len(np.unique(places.round(6), axis=0)) == n


def test_clusters_stay_together_and_the_picture_is_the_same_every_time() -> None:
    rows = [Clusters(1).row(f"{c}/{i}", c, i) for c in range(3) for i in range(20)]
    vectors = np.stack([np.concatenate([row.visual, row.speech]) for row in rows])
    places = layout(vectors)
    np.testing.assert_array_equal(places, layout(vectors))
    centres = places.reshape(3, 20, 2).mean(axis=1)
    distances = np.linalg.norm(places[:, None] - centres[None], axis=2)
    assert (distances.argmin(axis=1) == np.repeat([0, 1, 2], 20)).mean() >= 0.95


@pytest.mark.parametrize("labels", [1, 9, 20, 200])
def test_labels_have_colours_of_their_own(labels: int) -> None:
    legend = groups([*(f"{i:03}" for i in range(labels)), None])
    assert legend[-1].name == UNLABELED
    assert legend[-1].colour == GREY
    assert [row for group in legend for row in group.rows] == list(range(labels + 1))
    assert len({group.colour for group in legend}) == labels + 1 if labels <= 20 else True


def test_the_picture_takes_any_label() -> None:
    labels = ["_hidden", "$\\frac{1}{$", "a\nb", None]
    png = to_png(layout(np.eye(4)), groups(labels))
    assert Image.open(io.BytesIO(png)).size == (1500, 1200)


@given(st.text(max_size=30), st.text(max_size=30), st.text(max_size=20))
@settings(max_examples=100, deadline=None)
def test_no_name_and_no_words_get_out_of_their_place(path: str, words: str, label: str) -> None:
    hostile = f"</script><script>alert(1)</script><!--{path}"
    points = [Point(hostile, words + hostile, None)]
    page = to_html(np.zeros((1, 2)), groups([label + hostile]), points)
    plain = to_html(np.zeros((1, 2)), groups(["x"]), [Point("x", "x", None)])
    assert page.count("<") == plain.count("<")
    data = data_of(page)
    assert data["points"][0][3:] == [hostile, words + hostile]
    assert data["groups"][0][0] == label + hostile


def test_the_page_asks_for_nothing() -> None:
    page = to_html(np.zeros((1, 2)), groups(["x"]), [Point("p", "t", jpeg(1))])
    assert "default-src 'none'" in page
    bare = page.replace(data_of(page)["thumbnails"][0], "")
    assert not re.search(r"https?:|//[a-z]|src=\"[^\"]|@import|fetch\(", bare)
    picture = base64.b64decode(data_of(page)["thumbnails"][0])
    assert Image.open(io.BytesIO(picture)).size == (64, 36)
    broken = to_html(np.zeros((1, 2)), groups(["x"]), [Point("p", "t", b"\xff\xd8 no")])
    assert data_of(broken)["thumbnails"] == [""]


CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
HOVER = """<script>
const picture = card.querySelector("img"), area = canvas.getBoundingClientRect();
picture.addEventListener("load", () => {
  const { left, top, right, bottom } = card.getBoundingClientRect();
  const seen = { left, top, right, bottom, width: innerWidth, height: innerHeight };
  document.body.dataset.seen = btoa(JSON.stringify({ ...seen, picture: picture.offsetHeight }));
});
canvas.onmousemove({ clientX: area.left + places[0][0], clientY: area.top + places[0][1] });
</script></body>"""
"""Moves the mouse to the first video, and notes where its card is once the picture is loaded, for
which the page's own load event waits."""


@pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium")
@pytest.mark.parametrize("place", [(-1, -1), (1, -1), (0, -1), (1, 1)])
def test_the_card_of_a_video_stays_inside_the_window(
    tmp_path: Path, place: tuple[int, int]
) -> None:
    thumbnail = io.BytesIO()
    Image.new("RGB", (120, 160), "red").save(thumbnail, "JPEG")
    points = [Point("a folder/video.mp4", "words " * 40, thumbnail.getvalue())]
    page = to_html(np.array([place], float), groups(["a folder"]), points)
    file = tmp_path / "page.html"
    file.write_text(page.replace("</body>", HOVER), encoding="utf-8")
    command = [
        str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu", "--window-size=800,500",
        f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom", file.as_uri(),
    ]  # fmt: skip
    dom = subprocess.run(command, capture_output=True, encoding="utf-8", timeout=120, check=True)
    found = re.search('data-seen="(.*?)"', dom.stdout)
    assert found, dom.stderr
    seen = json.loads(base64.b64decode(found[1]))
    assert seen["picture"] == 160
    assert 0 <= seen["left"] <= seen["right"] <= seen["width"]
    assert 0 <= seen["top"] <= seen["bottom"] <= seen["height"]


@pytest.fixture
def project(new_project: Callable[..., UserProject], tmp_path: Path) -> UserProject:
    """Two videos in a store."""
    project = new_project(tmp_path / "project")
    fill(project, [Clusters().row(path, 0, 0) for path in ("a.mp4", "x/1.mp4")])
    return project


@pytest.mark.parametrize("out", ["a file.html/x.png", "a file.html/y/x.html", "a folder.png"])
def test_a_place_that_cannot_be_written_is_an_error_line(
    project: UserProject, run: Run, out: str
) -> None:
    (project.folder / "a file.html").write_text("of a person")
    (project.folder / "a folder.png").mkdir()
    target = str(project.folder / out)
    ended = run("--config", project.config, "plot", "--out", target)
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr.startswith(f"error: {target}: ")
    assert (project.folder / "a file.html").read_text() == "of a person"
    assert not [*project.folder.glob(".new*")]


def test_the_command(tmp_path: Path, run: Run, small_clip_dir: Path, whisper_dir: Path) -> None:
    project = UserProject.make(tmp_path / "project", clip=small_clip_dir, whisper=whisper_dir)
    empty = run("--config", project.config, "plot")
    assert (empty.returncode, "scan the folder first" in empty.stderr) == (1, True)
    rows = [Clusters().row(path, 0, 0) for path in ("a.mp4", "x/1.mp4", "y/<b>.mp4")]
    fill(project, [*rows[:2], replace(rows[2], transcript="words & <i>more</i>")])
    for name in ("made/plot.png", "plot.html"):
        done = run("--config", project.config, "plot", "--out", tmp_path / name)
        assert done.returncode == 0, done.stderr
    assert (tmp_path / "made/plot.png").read_bytes().startswith(b"\x89PNG")
    page = (tmp_path / "plot.html").read_text(encoding="utf-8")
    assert TITLE in page
    assert [point[3] for point in data_of(page)["points"]] == [
        "videos/a.mp4", "videos/x/1.mp4", "videos/y/<b>.mp4",
    ]  # fmt: skip
    assert data_of(page)["points"][2][4] == "words & <i>more</i>"
    assert run("--config", project.config, "plot", "--out", "x.pdf").returncode == 2
    default = run("--config", project.config, "plot", "--json")
    assert json.loads(default.stdout)["labels"] == ["x", "y", UNLABELED]
    assert (project.folder / "artifacts/embeddings_tsne.png").is_file()
