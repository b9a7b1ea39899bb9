"""What a scan does about what has happened to files and settings since the one before."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.torch import load_file, save_file

from pipeline import config, home, neutral
from pipeline.errors import SettingsError
from pipeline.flow import Flow, Summary
from pipeline.models import Models
from pipeline.recipe import recipe_of
from pipeline.report import Report
from pipeline.vision import ClipEncoder
from store.schema import Row, Timed
from store.table import Store
from tests.project import Project, distinct_copy

COUNTS = ("embedded", "unchanged", "moved", "copied", "removed", "failed")


@dataclass(frozen=True)
class Scanned:
    """What a scan did, without what is zero, and the lines that it wrote."""

    counts: dict[str, int]
    lines: str

    @property
    def loaded(self) -> set[str]:
        """The models that it loaded."""
        return {name for name in ("CLIP", "Whisper") if f"Loading {name}" in self.lines}


Scan = Callable[..., Scanned]


@pytest.fixture
def project(tmp_path: Path, small_clip_dir: Path, whisper_dir: Path) -> Project:
    """An empty one."""
    return Project.make(tmp_path / "project", clip=small_clip_dir, whisper=whisper_dir)


@pytest.fixture(scope="module")
def _heard(
    tmp_path_factory: pytest.TempPathFactory,
    small_clip_dir: Path,
    whisper_dir: Path,
    made: Callable[[str], Path],
) -> Project:
    folder = tmp_path_factory.mktemp("heard") / "project"
    project = Project.make(folder, clip=small_clip_dir, whisper=whisper_dir)
    project.add(made("speech.mp4"), "a.mp4")
    assert run_flow(project).embedded == 1
    return project


@pytest.fixture
def heard(project: Project, _heard: Project) -> Project:
    """The project of the test with one speech, a.mp4, that was scanned."""
    return Project(shutil.copytree(_heard.folder, project.folder, dirs_exist_ok=True))


@pytest.fixture
def scan(project: Project, capsys: pytest.CaptureFixture[str]) -> Scan:
    """`scan("clip.frames=3", ...)`: one run over the project."""

    def scan(*overrides: str) -> Scanned:
        summary = run_flow(project, overrides)
        counts = {name: getattr(summary, name) for name in COUNTS}
        return Scanned({k: v for k, v in counts.items() if v}, capsys.readouterr().err)

    return scan


def run_flow(project: Project, overrides: tuple[str, ...] = ()) -> Summary:
    settings = config.load(project.config, overrides)
    with Store.open(settings.store_uri, writer=True) as store:
        return Flow(settings, home.chosen(settings).collection, store, Report()).scan()


def rows(project: Project) -> dict[str, Row]:
    """Everything that is in the store, by path."""
    with Store.open(str(project.store)) as store:
        return store.rows(sorted(store.known()))


def failed(project: Project) -> list[str]:
    with Store.open(str(project.store)) as store:
        return [failure.path for failure in store.failures()]


def offline(project: Project) -> list[str]:
    with Store.open(str(project.store)) as store:
        return sorted(path for path, row in store.known().items() if row.offline)


def edit(project: Project, path: str, **changes: object) -> Row:
    """Mark a row with values that no model would make, to see whether a scan keeps them."""
    with Store.open(str(project.store), writer=True) as store:
        row = replace(store.rows([path])[path], **changes)  # type: ignore[arg-type]
        store.upsert([row])
    return row


def same_vectors(one: Row, other: Row) -> bool:
    return bool(
        np.array_equal(one.visual, other.visual) and np.array_equal(one.speech, other.speech)
    )


# files


def test_a_touched_file_keeps_its_vectors(
    project: Project, scan: Scan, made: Callable[[str], Path]
) -> None:
    file = project.add(made("no_audio.mp4"), "a.mp4")
    assert scan().counts == {"embedded": 1}
    before = rows(project)["a.mp4"]
    os.utime(file, (1_400_000_000, 1_400_000_000))
    again = scan()
    assert again.counts == {"unchanged": 1}
    assert not again.loaded
    after = rows(project)["a.mp4"]
    assert after.mtime_ns == 1_400_000_000 * 10**9
    assert same_vectors(before, after)


def test_a_file_put_into_a_category_takes_its_row_along(heard: Project, scan: Scan) -> None:
    file = heard.videos / "a.mp4"
    before = rows(heard)["a.mp4"]
    (heard.videos / "soccer").mkdir()
    file.rename(heard.videos / "soccer" / "a.mp4")
    moved = scan()
    assert moved.counts == {"moved": 1}
    assert not moved.loaded
    (after,) = rows(heard).values()
    assert (before.label, after.label) == (None, "soccer")
    assert (after.path, after.transcript) == ("soccer/a.mp4", before.transcript)
    assert same_vectors(before, after)


def test_a_renamed_category_takes_its_rows_along(
    project: Project, scan: Scan, made: Callable[[str], Path]
) -> None:
    for number in range(3):
        distinct_copy(made("no_audio.mp4"), project.videos / f"old/{number}.mp4", number)
    assert scan().counts == {"embedded": 3}
    (project.videos / "old").rename(project.videos / "new")
    assert scan().counts == {"moved": 3}
    assert {row.label for row in rows(project).values()} == {"new"}


def test_a_copy_has_a_row_of_its_own(
    project: Project, scan: Scan, made: Callable[[str], Path]
) -> None:
    project.add(made("no_audio.mp4"), "a.mp4")
    scan()
    project.add(made("no_audio.mp4"), "pets/b.mp4")
    copied = scan()
    assert copied.counts == {"unchanged": 1, "copied": 1}
    assert not copied.loaded
    both = rows(project)
    assert same_vectors(both["a.mp4"], both["pets/b.mp4"])
    assert (both["a.mp4"].label, both["pets/b.mp4"].label) == (None, "pets")


def test_one_content_under_two_names_is_embedded_once(
    project: Project, scan: Scan, made: Callable[[str], Path]
) -> None:
    for name in ("a.mp4", "b.mp4", "pets/c.mp4"):
        project.add(made("no_audio.mp4"), name)
    assert scan().counts == {"embedded": 1, "copied": 2}
    assert len(rows(project)) == 3


def test_a_broken_content_fails_under_each_of_its_names(
    project: Project, scan: Scan, made: Callable[[str], Path]
) -> None:
    for name in ("a.mp4", "b.mp4"):
        project.add(made("not_a_video.mp4"), name)
    assert scan().counts == {"failed": 2}
    assert failed(project) == ["a.mp4", "b.mp4"]


def test_a_replaced_file_is_embedded_anew(
    project: Project, scan: Scan, made: Callable[[str], Path]
) -> None:
    project.add(made("no_audio.mp4"), "a.mp4")
    scan()
    before = rows(project)["a.mp4"]
    project.add(made("portrait.mp4"), "a.mp4")
    assert scan().counts == {"embedded": 1}
    after = rows(project)["a.mp4"]
    assert after.content_hash != before.content_hash
    assert (after.width, after.height) == (120, 214)
    assert not np.allclose(before.visual, after.visual, atol=1e-3)


def test_two_files_that_change_places_end_with_their_own_vectors(
    project: Project, scan: Scan, made: Callable[[str], Path]
) -> None:
    project.add(made("no_audio.mp4"), "a.mp4")
    project.add(made("portrait.mp4"), "b.mp4")
    scan()
    before = rows(project)
    project.add(made("portrait.mp4"), "a.mp4")
    project.add(made("no_audio.mp4"), "b.mp4")
    swapped = scan()
    assert not swapped.loaded
    after = rows(project)
    assert same_vectors(before["a.mp4"], after["b.mp4"])
    assert same_vectors(before["b.mp4"], after["a.mp4"])
    assert scan().counts == {"unchanged": 2}


def test_a_deleted_file_takes_its_row_along(
    project: Project, scan: Scan, made: Callable[[str], Path]
) -> None:
    project.add(made("no_audio.mp4"), "a.mp4")
    file = project.add(made("portrait.mp4"), "pets/b.mp4")
    broken = project.add(made("not_a_video.mp4"), "broken.mp4")
    assert scan().counts == {"embedded": 2, "failed": 1}
    shutil.rmtree(file.parent)
    broken.unlink()
    assert scan().counts == {"unchanged": 1, "removed": 1}
    assert list(rows(project)) == ["a.mp4"]
    assert failed(project) == []


def test_a_mended_file_is_no_longer_a_failure(
    project: Project, scan: Scan, made: Callable[[str], Path]
) -> None:
    project.add(made("not_a_video.mp4"), "a.mp4")
    assert scan().counts == {"failed": 1}
    again = scan()
    assert again.counts == {"failed": 1}
    assert not again.loaded
    project.add(made("no_audio.mp4"), "a.mp4")
    assert scan().counts == {"embedded": 1}
    assert failed(project) == []


def test_a_file_that_broke_loses_the_vectors_of_what_it_was(
    project: Project, scan: Scan, made: Callable[[str], Path]
) -> None:
    project.add(made("no_audio.mp4"), "a.mp4")
    scan()
    project.add(made("not_a_video.mp4"), "a.mp4")
    assert scan().counts == {"failed": 1}
    assert rows(project) == {}
    assert failed(project) == ["a.mp4"]


# a drive that is not there


def test_rows_of_an_unplugged_drive_are_kept(
    project: Project, scan: Scan, made: Callable[[str], Path]
) -> None:
    project.add(made("no_audio.mp4"), "a.mp4")
    project.add(made("portrait.mp4"), "pets/b.mp4")
    scan()
    plugged, elsewhere = project.videos, project.folder / "elsewhere"
    plugged.rename(elsewhere)
    with pytest.raises(SettingsError, match=r"data\.dir"):
        scan()
    plugged.mkdir()  # an empty mount point
    unplugged = scan()
    assert unplugged.counts == {}
    assert "kept, as offline" in unplugged.lines
    assert offline(project) == ["a.mp4", "pets/b.mp4"]
    plugged.rmdir()
    elsewhere.rename(plugged)
    back = scan()
    assert back.counts == {"unchanged": 2}
    assert not back.loaded
    assert offline(project) == []


def test_so_many_at_once_are_not_taken_for_deleted(
    project: Project, scan: Scan, made: Callable[[str], Path]
) -> None:
    for number in range(30):
        distinct_copy(made("no_audio.mp4"), project.videos / f"{number % 6}/{number}.mp4", number)
    assert scan().counts == {"embedded": 30}
    for folder in range(5):
        shutil.rmtree(project.videos / str(folder))
    doubted = scan()
    assert doubted.counts == {"unchanged": 5}
    assert "store.max_vanished" in doubted.lines
    assert len(offline(project)) == 25


# settings


@pytest.fixture
def other_clip_dir(small_clip_dir: Path, tmp_path: Path) -> Path:
    """The small CLIP, whose every vector points the other way."""
    folder = tmp_path / "clip-other"
    shutil.copytree(small_clip_dir, folder)
    weights = load_file(folder / "open_clip_model.safetensors")
    for name in ("visual.proj", "text_projection"):
        weights[name] = -weights[name]
    save_file(weights, folder / "open_clip_model.safetensors")
    return folder


WORDS = "not one word of this was said"


def with_other_words(project: Project) -> Row:
    return edit(project, "a.mp4", transcript=WORDS, segments=(Timed(0.0, 1.0, WORDS),))


def test_other_sampling_makes_new_frame_vectors_only(heard: Project, scan: Scan) -> None:
    before = with_other_words(heard)
    redone = scan("clip.frames=3")
    assert redone.counts == {"embedded": 1}
    assert redone.loaded == {"CLIP"}
    after = rows(heard)["a.mp4"]
    assert (len(before.frame_vectors), len(after.frame_vectors)) == (5, 3)
    assert after.transcript == WORDS
    assert np.array_equal(after.speech, before.speech)


def test_another_clip_keeps_the_transcripts(
    heard: Project, scan: Scan, made: Callable[[str], Path], other_clip_dir: Path
) -> None:
    heard.add(made("no_audio.mp4"), "b.mp4")
    scan()
    before = rows(heard)
    with_other_words(heard)
    redone = scan(f"clip.model=local-dir:{other_clip_dir}")
    assert redone.counts == {"embedded": 2}
    assert redone.loaded == {"CLIP"}
    after = rows(heard)
    np.testing.assert_allclose(after["a.mp4"].visual, -before["a.mp4"].visual, atol=1e-4)
    np.testing.assert_allclose(after["b.mp4"].visual, -before["b.mp4"].visual, atol=1e-4)
    assert after["a.mp4"].transcript == WORDS
    assert [window.text for window in after["a.mp4"].speech_windows] == [WORDS]
    assert not after["b.mp4"].speech.any()
    assert after["b.mp4"].speech_status == before["b.mp4"].speech_status == "no_audio"


def test_other_whisper_settings_keep_the_frame_vectors(heard: Project, scan: Scan) -> None:
    before = with_other_words(heard)
    edit(heard, "a.mp4", visual=-before.visual)
    redone = scan("whisper.language=en")
    assert redone.counts == {"embedded": 1}
    assert "Whisper" in redone.loaded
    after = rows(heard)["a.mp4"]
    assert np.array_equal(after.visual, -before.visual)
    assert "fellow Americans" in after.transcript
    assert "fellow Americans" in after.speech_windows[0].text


def test_a_file_that_moved_while_the_settings_changed_keeps_its_words(
    heard: Project, scan: Scan
) -> None:
    file = heard.videos / "a.mp4"
    with_other_words(heard)
    file.rename(heard.videos / "b.mp4")
    redone = scan("clip.frames=3")
    assert redone.counts == {"embedded": 1, "removed": 1}
    assert redone.loaded == {"CLIP"}
    (after,) = rows(heard).values()
    assert (after.path, after.transcript) == ("b.mp4", WORDS)


def test_a_file_that_failed_is_tried_again_with_other_settings(
    project: Project, scan: Scan, made: Callable[[str], Path]
) -> None:
    project.add(made("portrait.mp4"), "a.mp4")
    small = "decode.max_megapixels=0.001"
    assert scan(small).counts == {"failed": 1}
    assert scan("clip.frames=3").counts == {"embedded": 1}
    assert failed(project) == []


# beside the rows


def test_what_texts_are_judged_by_is_encoded_once_by_the_scan_that_has_clip_at_hand(
    project: Project, scan: Scan, made: Callable[[str], Path]
) -> None:
    def no_clip() -> ClipEncoder:
        raise AssertionError("encoded again")

    project.add(made("no_audio.mp4"), "a.mp4")
    scan()
    settings = config.load(project.config)
    with Store.open(settings.store_uri) as store:
        kept = neutral.vectors(store, recipe_of(settings), no_clip)
        encoded = Models(settings, print).clip().encode_texts(neutral.TEXTS)
    assert np.allclose(kept, encoded, atol=1e-3)  # kept as float16
