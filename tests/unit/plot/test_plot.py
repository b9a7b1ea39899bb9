"""The plot shows every video, whatever it is called, and needs nothing from anywhere."""

from __future__ import annotations

import base64
import io
import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import unquote, urljoin, urlsplit

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from pipeline.plot.layout import layout
from pipeline.plot.legend import GREY, TITLE, UNLABELED, caption, groups, natural
from pipeline.plot.page import Folder, Point, link_of, to_html
from pipeline.plot.png import to_png
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


@pytest.mark.parametrize(
    ("names", "ordered"),
    [
        (["label10", "label2", "Label1"], ["Label1", "label2", "label10"]),
        (["b", "10", "a", "9"], ["9", "10", "a", "b"]),
        (["x٣", "x2", "x²", ""], ["", "x2", "x²", "x٣"]),
    ],
)
def test_labels_are_in_the_order_in_which_people_count(
    names: list[str], ordered: list[str]
) -> None:
    assert [group.name for group in groups(names)] == ordered


@given(st.lists(st.text(max_size=8)), st.randoms())
def test_any_names_have_one_order(names: list[str], random: Random) -> None:
    ordered = sorted(names, key=natural)
    random.shuffle(names)
    assert sorted(names, key=natural) == ordered


def picture(places: list[list[float]], labels: list[str | None]) -> np.ndarray:
    png = to_png(np.array(places, float), groups(labels), caption(len(labels), "a_$folder$"))
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).astype(np.int16)


def coloured(pixels: np.ndarray) -> np.ndarray:
    """Bool `[h, w]`: whether a pixel is neither white, grey nor black."""
    red, green, blue = np.moveaxis(pixels, 2, 0)  # a tenth of the time of `ptp` over the last axis
    most, least = (each(each(red, green), blue) for each in (np.maximum, np.minimum))
    found: np.ndarray = most - least > 60
    return found


def test_the_legend_of_the_picture_stands_beside_the_points() -> None:
    few = picture([[-1, -1], [1, 1]], ["a", "a"])
    many = picture([[-1, -1]] * 40, [f"{i}" * 60 for i in range(40)])
    assert few.shape[0] == pytest.approx(many.shape[0], abs=4)  # not higher, only wider
    assert few.shape[1] < many.shape[1]
    right = np.flatnonzero((few.max(axis=2) < 150).mean(axis=0) > 0.7)[-1]  # of the frame
    columns = np.flatnonzero(coloured(few).any(axis=0))
    assert columns.min() < right < columns.max()
    spots = np.flatnonzero(coloured(many).any(axis=0))
    assert np.count_nonzero(np.diff(spots) > 50) == 2  # between the points and each column


def test_the_unlabeled_lie_behind() -> None:
    """Of two videos at one place the labeled one is seen; the legend adds a spot of each colour."""
    above = picture([[0, 0], [0, 0]], ["a", None])
    alone = picture([[0, 0]], ["a"])
    assert coloured(above).sum() == pytest.approx(coloured(alone).sum(), rel=0.1)


def test_the_picture_takes_any_label() -> None:
    labels = ["_hidden", "$\\frac{1}{$", "a\nb", "\\", None]
    assert picture([[0, 0]] * 5, labels).size > 1_000_000


def page_of(*points: Point, labels: list[str | None], folder: Folder | None = None) -> str:
    places = np.zeros((len(points), 2))
    return to_html(places, groups(labels), points, folder or Folder("videos", "./videos"))


@given(st.text(max_size=30), st.text(max_size=30), st.text(max_size=20))
def test_no_name_and_no_words_get_out_of_their_place(path: str, words: str, label: str) -> None:
    hostile = f"</script><script>alert(1)</script>{{{{map}}}}<!--{path}"
    point = Point(hostile, words + hostile, None)
    page = page_of(point, labels=[label + hostile], folder=Folder(hostile, "./x"))
    plain = page_of(Point("x", "x", None), labels=["x"])
    assert page.count("<") == plain.count("<")
    data = data_of(page)
    assert (data["paths"], data["transcripts"]) == ([hostile], [words + hostile])
    assert data["groups"][0]["name"] == label + hostile


def test_the_page_asks_for_nothing() -> None:
    page = page_of(Point("p", "t", jpeg(1)), labels=["x"])
    assert "default-src 'none'" in page
    bare = page.replace(data_of(page)["thumbnails"][0], "")
    assert not re.search(r"https?:|src=\"[^\"]|@import|fetch\(|\bimport\b", bare)
    thumbnail = base64.b64decode(data_of(page)["thumbnails"][0])
    assert Image.open(io.BytesIO(thumbnail)).size == (64, 36)
    broken = page_of(Point("p", "t", b"\xff\xd8 no"), labels=["x"])
    assert data_of(broken)["thumbnails"] == [""]


@pytest.mark.parametrize("name", ["videos", "a b#c?d%20e", "javascript:alert(1)", "ü"])
def test_the_link_leads_from_the_page_to_the_folder(tmp_path: Path, name: str) -> None:
    page = tmp_path / "made/plot.html"
    for root in (tmp_path / name, tmp_path / "made" / name, tmp_path):
        linked = urljoin(page.as_uri(), link_of(root, page))
        assert Path(unquote(urlsplit(linked).path)) == root


def test_a_place_that_cannot_be_written_is_an_error_line(
    new_project: Callable[..., UserProject], tmp_path: Path, run: Run
) -> None:
    project = new_project(tmp_path / "project")
    fill(project, [Clusters().row(path, 0, 0) for path in ("a.mp4", "x/1.mp4")])
    (project.folder / "a file.html").write_text("of a person")
    (project.folder / "a folder.png").mkdir()
    for out in ("a file.html/x.png", "a file.html/y/x.html", "a folder.png"):
        target = str(project.folder / out)
        ended = run("--config", project.config, "plot", "--out", target)
        assert (ended.returncode, ended.stdout) == (1, "")
        assert ended.stderr.startswith(f"error: {target}: ")
    assert (project.folder / "a file.html").read_text() == "of a person"
    assert not [*project.folder.glob(".new*")]


def test_the_command(tmp_path: Path, run: Run, small_clip_dir: Path, whisper_dir: Path) -> None:
    project = UserProject.make(tmp_path / "project", clip=small_clip_dir, whisper=whisper_dir)
    empty = run("--config", project.config, "plot")
    assert (empty.returncode, "nothing to plot" in empty.stderr) == (1, True)
    rows = [Clusters().row(path, 0, 0) for path in ("a.mp4", "x/1.mp4", "y/<b>.mp4")]
    fill(project, [*rows[:2], replace(rows[2], transcript="words & <i>more</i>")])
    for name in ("made/plot.png", "plot.html"):
        done = run("--config", project.config, "plot", "--out", tmp_path / name)
        assert done.returncode == 0, done.stderr
    assert (tmp_path / "made/plot.png").read_bytes().startswith(b"\x89PNG")
    page = (tmp_path / "plot.html").read_text(encoding="utf-8")
    assert f"<h1>{TITLE}</h1><p>3 videos in videos</p>" in page
    assert data_of(page)["folder"] == "videos/"
    assert data_of(page)["paths"] == ["a.mp4", "x/1.mp4", "y/<b>.mp4"]
    assert data_of(page)["transcripts"][2] == "words & <i>more</i>"
    assert run("--config", project.config, "plot", "--out", "x.pdf").returncode == 2
    default = run("--config", project.config, "plot", "--json")
    assert json.loads(default.stdout)["labels"] == ["x", "y", UNLABELED]
    assert (project.folder / "artifacts/embeddings_tsne.png").is_file()
