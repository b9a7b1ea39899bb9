"""What an actor decodes is what the embedder makes of it, under the file's own name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from pipeline.cluster import actors
from pipeline.config import load
from pipeline.models.preprocess import Preprocess
from pipeline.records import Needs, Task, VideoFile
from pipeline.speech import SpeechStatus, Transcript
from store.schema import Segment
from tests.support.projects import UserProject

SPANISH = Transcript(SpeechStatus.SPEECH, (Segment(0.0, 1.0, "no preguntes"),), "es", 0.9)
PREPROCESS = Preprocess((64, 64), (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
SPEECH_ALONE = Needs(visual=False, transcript=False, speech=True, moments=False)


@pytest.mark.parametrize(("text", "again"), [("english", True), ("transcript", False)])
def test_words_without_the_translation_that_is_wanted_are_heard_again(
    new_project: Callable[..., UserProject],
    tmp_path: Path,
    made: Callable[[str], Path],
    monkeypatch: pytest.MonkeyPatch,
    text: str,
    again: bool,
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    notes = SimpleNamespace(answer=lambda value, *_: value)
    monkeypatch.setattr(actors, "_Notes", lambda: notes)
    project = new_project(tmp_path / "here")
    location = project.add(made("speech.mp4"), "a.mp4")
    stat = location.stat()
    file = VideoFile("a.mp4", location, stat.st_size, stat.st_mtime_ns)
    (tmp_path / "there").symlink_to(project.videos)
    there = [f"speech.text={text}", f"ray.data_dir={tmp_path / 'there'}"]
    actor = actors.DecoderActor(load(project.config, there))
    task = Task(file, "hash", SPEECH_ALONE, "a.mp4")
    nbytes, decoded = actor.decode(task, SPANISH, PREPROCESS)
    assert decoded is not None
    assert decoded.task.file == file
    assert decoded.task.needs.transcript is bool(decoded.windows) is again
    assert decoded.frames is None
    assert nbytes == decoded.nbytes == sum(each.samples.nbytes for each in decoded.windows)
