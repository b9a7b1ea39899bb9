"""What a scan does about settings that are others than those of the one before."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from safetensors.torch import load_file, save_file

from pipeline import config
from pipeline.models import unrelated_texts
from pipeline.models.loaded import Models
from pipeline.models.recipe import recipe_of
from store.schema import Row, Segment
from store.table.store import Store
from tests.support.media import make_video
from tests.support.projects import UserProject
from tests.support.scans import Scan, edit, failed, rows
from tests.support.speech import is_galdos_in_english


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


def with_other_words(project: UserProject) -> Row:
    return edit(project, "a.mp4", transcript=WORDS, segments=(Segment(0.0, 1.0, WORDS),))


@pytest.mark.model
def test_other_sampling_makes_new_frame_vectors_only(heard: UserProject, scan: Scan) -> None:
    before = with_other_words(heard)
    redone = scan("clip.frames=3")
    assert redone.counts == {"embedded": 1}
    assert redone.loaded == {"CLIP"}
    after = rows(heard)["a.mp4"]
    assert (len(before.frame_vectors), len(after.frame_vectors)) == (5, 3)
    assert after.transcript == WORDS
    assert np.array_equal(after.speech, before.speech)


def test_another_clip_keeps_the_transcripts(
    heard: UserProject, scan: Scan, made: Callable[[str], Path], other_clip_dir: Path
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


@pytest.mark.model
def test_other_whisper_settings_keep_the_frame_vectors(heard: UserProject, scan: Scan) -> None:
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
    heard: UserProject, scan: Scan
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
    project: UserProject, scan: Scan, made: Callable[[str], Path]
) -> None:
    project.add(made("portrait.mp4"), "a.mp4")
    small = "decode.max_megapixels=0.001"
    assert scan(small).counts == {"failed": 1}
    assert scan("clip.frames=3").counts == {"embedded": 1}
    assert failed(project) == []


# beside the rows


def test_what_texts_are_judged_by_is_encoded_once_by_the_scan_that_has_clip_at_hand(
    project: UserProject, scan: Scan, made: Callable[[str], Path]
) -> None:
    project.add(made("no_audio.mp4"), "a.mp4")
    scan()
    settings = config.load(project.config)
    with Store.open(settings.store_uri) as store:
        kept = store.get_note(unrelated_texts.note_of(recipe_of(settings)))
        encoded = Models(settings, print).clip().encode_texts(unrelated_texts.TEXTS)
    assert kept is not None
    assert np.allclose(unrelated_texts.unpack(kept), encoded, atol=1e-3)  # kept as float16


# English for CLIP

TO_ENGLISH = "speech.text=english"


def test_english_speech_needs_no_translation(heard: UserProject, scan: Scan) -> None:
    before = with_other_words(heard)
    redone = scan(TO_ENGLISH)
    assert redone.counts == {"embedded": 1}
    assert redone.loaded == {"CLIP"}
    after = rows(heard)["a.mp4"]
    assert (after.transcript, after.translation) == (WORDS, None)
    assert np.array_equal(after.frame_vectors, before.frame_vectors)
    assert scan(TO_ENGLISH).counts == {"unchanged": 1}


@pytest.mark.model
def test_a_translation_makes_the_speech_half_and_nothing_else(
    project: UserProject, scan: Scan
) -> None:
    make_video(project.videos / "a.mp4", seconds=8.4, fps=10, audio="spanish")
    scan()
    first = rows(project)["a.mp4"]
    edit(project, "a.mp4", visual=-first.visual)
    redone = scan(TO_ENGLISH)
    assert redone.counts == {"embedded": 1}
    after = rows(project)["a.mp4"]
    assert np.array_equal(after.visual, -first.visual)
    assert (after.transcript, after.language) == (first.transcript, "es")
    assert [window.text for window in after.speech_windows] == [after.transcript]
    assert after.translation is not None
    english = " ".join(segment.text for segment in after.translation)
    assert is_galdos_in_english(after.translation)
    with_clip = Models(config.load(project.config), print).clip()
    np.testing.assert_allclose(after.speech, with_clip.encode_texts([english])[0], atol=1e-5)
    # What is stored is kept: by another pooling here, by the transcript's own language there.
    redone = scan(TO_ENGLISH, "clip.transcript=first_window")
    assert redone.loaded == {"CLIP"}
    assert rows(project)["a.mp4"].translation == after.translation
    redone = scan()
    assert redone.loaded == {"CLIP"}
    back = rows(project)["a.mp4"]
    assert back.translation is None
    np.testing.assert_allclose(back.speech, first.speech, atol=1e-5)
