"""What the program exports is what the plain recipe of tests/support/reference.py gives.

With a real-size CLIP of random weights and real Whisper, on clips of every kind. The same with all
of the real media takes minutes, and runs where REFERENCE_ON_ALL_MEDIA is set:

    REFERENCE_ON_ALL_MEDIA=1 python -m pytest tests/quality/test_against_reference.py -s
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import torch

from store.table.store import Store
from tests.support.program import Run
from tests.support.projects import UserProject
from tests.support.reference import Reference

ON_ALL_MEDIA = "REFERENCE_ON_ALL_MEDIA"
TOLERANCE = 1e-3  # of 1 - cosine

# Colours of high dynamic range are brought to 8 bits by FFmpeg, whose version in OpenCV's wheels
# does it otherwise than PyAV's.
OTHER_COLOURS = frozenset({"media__hlg10-color-test.mp4"})

# Where they go: a label, or none.
CLIPS = {
    "speech.mp4": "talk/speech.mp4",
    "late_start.mp4": "talk/late_start.mp4",
    "vp9.webm": "talk/vp9.webm",
    "no_audio.mp4": "mute/no_audio.mp4",
    "silent_audio.mp4": "mute/silent_audio.mp4",
    "music.mp4": "music.mp4",
    "rotated_90.mp4": "turned/rotated_90.mp4",
    "rotated_270.mov": "turned/rotated_270.mov",
    "portrait.mp4": "portrait.mp4",
    "variable_rate.mkv": "variable_rate.mkv",
    "b_frames.mp4": "b_frames.mp4",
    "hevc.mp4": "codecs/hevc.mp4",
    "av1.mp4": "codecs/av1.mp4",
    "mpeg4.avi": "codecs/mpeg4.avi",
    "ten_bit.mp4": "codecs/ten_bit.mp4",
    "odd_size.webm": "odd_size.webm",
    "wide_pixels.mp4": "wide_pixels.mp4",
    "one_frame.mp4": "one_frame.mp4",
    "cut_short.mkv": "broken/cut_short.mkv",
    "audio_only.mp4": "broken/audio_only.mp4",
    "zero_bytes.mp4": "broken/zero_bytes.mp4",
}
CLEAR_SPEECH = frozenset({"lecture/nasa_13013.mp4", "talk/speech.mp4"})


@dataclass(frozen=True, eq=False)
class Collection:
    """A folder of videos as one of the two sees it: everything by the path in the folder.

    Args:
        labels: of each video, None without one.
        features: float32 `[1024]` each.
        transcripts: what is said.
    """

    labels: dict[str, str | None]
    features: dict[str, np.ndarray]
    transcripts: dict[str, str]

    @classmethod
    def of(cls, labeled: Any, unlabeled: Any, transcripts: Mapping[str, str]) -> Collection:
        """From what the artifacts hold."""
        names = [labeled["label_names"][label] for label in labeled["labels"].tolist()]
        paths = [*labeled["video_paths"], *unlabeled["video_paths"]]
        rows = torch.cat([labeled["features"], unlabeled["features"]]).numpy()
        return cls(
            dict.fromkeys(paths, None) | dict(zip(labeled["video_paths"], names, strict=True)),
            dict(zip(paths, rows, strict=True)),
            dict(transcripts),
        )


def exported(project: UserProject) -> Collection:
    out = project.folder / "artifacts"
    parts = [
        torch.load(out / f"{kind}labeled_embeddings.pt", weights_only=True) for kind in ("", "un")
    ]
    transcripts = json.loads((out / "transcripts.json").read_text(encoding="utf-8"))
    for part in parts:
        part["video_paths"] = [path.removeprefix("videos/") for path in part["video_paths"]]
    return Collection.of(*parts, {k.removeprefix("videos/"): v for k, v in transcripts.items()})


@dataclass(frozen=True, eq=False)
class Comparison:
    """Both views of a collection.

    Args:
        indices: of the frames that the reference takes, by path.
    """

    ours: Collection
    theirs: Collection
    indices: dict[str, list[int]]
    project: UserProject

    @property
    def paths(self) -> list[str]:
        return list(self.theirs.features)

    def visual_distances(self) -> dict[str, float]:
        """1 - cosine, after the mean of all (of the reference's) is taken away from each."""
        mean = np.mean([self.theirs.features[path][:512] for path in self.paths], axis=0)
        return {
            path: distance(
                self.ours.features[path][:512] - mean, self.theirs.features[path][:512] - mean
            )
            for path in self.paths
        }

    def speech_distances(self) -> dict[str, float]:
        """1 - cosine, where both heard the same, and anything at all."""
        heard = [p for p in self.paths if self.theirs.transcripts[p]]
        return {
            path: distance(self.ours.features[path][512:], self.theirs.features[path][512:])
            for path in heard
            if self.ours.transcripts[path] == self.theirs.transcripts[path]
        }

    def other_frames(self) -> dict[str, tuple[list[int], list[int]]]:
        """The indices of the frames that we and the reference took, where they differ."""
        with Store.open(str(self.project.store)) as store:
            rows = store.rows(self.paths)
        taken = {
            path: nearest(times_of(self.project.videos / path), rows[path].frame_times)
            for path in self.paths
        }
        return {p: (taken[p], self.indices[p]) for p in self.paths if taken[p] != self.indices[p]}


def distance(a: np.ndarray, b: np.ndarray) -> float:
    return float(1 - a @ b / (np.linalg.norm(a) * np.linalg.norm(b)))


def times_of(path: Path) -> np.ndarray:
    """When each frame is shown, by decoding all of them; seconds from the first.

    AVI stores no times but a rate, and FFmpeg's are wrong there where there are B frames.
    """
    with av.open(str(path), metadata_errors="replace") as container:
        stream = container.streams.video[0]
        times = np.array([frame.time for frame in container.decode(stream)])
        if container.format.name == "avi":
            return np.arange(len(times)) / float(stream.average_rate)
    return times - times[0]


def nearest(times: np.ndarray, wanted: np.ndarray) -> list[int]:
    return [int(np.abs(times - each).argmin()) for each in wanted]


def words(text: str) -> list[str]:
    """Without punctuation and case."""
    return re.findall(r"[\w']+", text.lower())


def share_of_other_words(said: Iterable[tuple[str, str]]) -> float:
    """Of the reference's words, those that we did not hear, and those that only we heard."""
    other = total = 0
    for ours, theirs in said:
        matcher = SequenceMatcher(None, words(theirs), words(ours), autojunk=False)
        changes = [each for each in matcher.get_opcodes() if each[0] != "equal"]
        other += sum(max(end - start, until - since) for _, start, end, since, until in changes)
        total += len(words(theirs))
    return other / total


def transcripts(project: UserProject, run: Run, *settings: str) -> dict[str, str]:
    """What the program hears with other settings, by path."""
    for command in ("scan", "export"):
        finished = run("--config", project.config, *settings, command)
        assert finished.returncode == 0, finished.stderr
    return exported(project).transcripts


def compare(
    project: UserProject,
    run: Run,
    reference: Reference,
    *,
    timeout: float = 600,
) -> Comparison:
    for command in ("scan", "export"):
        finished = run("--config", project.config, command)
        assert finished.returncode == 0, finished.stderr
    artifacts = reference.extract(project.videos)
    theirs = Collection.of(artifacts["labeled"], artifacts["unlabeled"], artifacts["transcripts"])
    return Comparison(exported(project), theirs, artifacts["indices"], project)


@pytest.fixture(scope="module")
def reference(clip_dir: Path, whisper_dir: Path) -> Reference:
    return Reference(f"local-dir:{clip_dir}", whisper_dir)


@pytest.fixture
def project(tmp_path: Path, clip_dir: Path, whisper_dir: Path) -> UserProject:
    return UserProject.make(tmp_path / "project", clip=clip_dir, whisper=whisper_dir)


@pytest.mark.timeout(1200)
def test_on_clips_of_every_kind(
    project: UserProject,
    run: Run,
    reference: Reference,
    made: Callable[[str], Path],
    clips: tuple[Path, ...],
) -> None:
    for name, path in CLIPS.items():
        project.add(made(name), path)
    for clip in clips:
        project.add(clip, f"lecture/{clip.name}")
    compared = compare(project, run, reference)
    ours, theirs = compared.ours, compared.theirs

    assert ours.labels == theirs.labels
    assert len(ours.labels) == len(CLIPS) + len(clips) - 2  # no picture in two of them
    assert compared.other_frames() == {}
    assert max(compared.visual_distances().values()) < TOLERANCE
    for path in CLEAR_SPEECH:
        assert words(ours.transcripts[path]) == words(theirs.transcripts[path])
    speech = compared.speech_distances()
    assert set(speech) >= CLEAR_SPEECH
    assert max(speech.values()) < TOLERANCE
    for path in ("mute/no_audio.mp4", "mute/silent_audio.mp4", "music.mp4"):
        assert ours.transcripts[path] == theirs.transcripts[path] == ""
        assert not ours.features[path][512:].any()


@pytest.mark.skipif(not os.environ.get(ON_ALL_MEDIA), reason=f"takes minutes: set {ON_ALL_MEDIA}=1")
@pytest.mark.timeout(3600)
def test_on_all_real_media(
    project: UserProject,
    run: Run,
    reference: Reference,
    media_dir: Path | None,
    clip_dir: Path,
    whisper_dir: Path,
) -> None:
    if media_dir is None:
        pytest.skip("there is no folder of real media")
    lines = (media_dir / "manifest.jsonl").read_text(encoding="utf-8").splitlines()
    entries = [json.loads(line) for line in lines]
    suffixes = {".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi"}
    videos = [e for e in entries if e["kind"] == "video" and Path(e["path"]).suffix in suffixes]
    paths = {entry["path"].removeprefix("videos/"): entry for entry in videos}
    for path, entry in paths.items():
        project.add(media_dir / entry["path"], path)
    compared = compare(project, run, reference)
    ours, theirs = compared.ours, compared.theirs
    visual, speech = compared.visual_distances(), compared.speech_distances()
    clear = [p for p in compared.paths if paths[p]["speech"] == "clear" and theirs.transcripts[p]]
    said = {path: (ours.transcripts[path], theirs.transcripts[path]) for path in clear}
    listener = Reference(f"local-dir:{clip_dir}", whisper_dir, vad=False)
    unsure = {
        p: (" ".join(listener.listen(project.videos / p)), theirs.transcripts[p]) for p in clear
    }
    other_words = {path: both for path, both in said.items() if words(both[0]) != words(both[1])}
    report(compared, visual, speech, other_words)
    to_the_word = transcripts(project, run, "--set", "whisper.windows=full")

    assert ours.labels == theirs.labels
    assert compared.other_frames() == {}
    far = {path for path in visual if visual[path] >= TOLERANCE}
    assert {Path(path).name for path in far} <= OTHER_COLOURS
    assert max(speech.values()) < TOLERANCE
    for path in clear:
        assert words(to_the_word[path]) == words(theirs.transcripts[path])
    # With windows fitted to the speech, single words change where they are not quite clear to the
    # base model; no more of them than where Whisper hears the silence as well.
    assert share_of_other_words(said.values()) <= share_of_other_words(unsure.values())


def report(
    compared: Comparison,
    visual: Mapping[str, float],
    speech: Mapping[str, float],
    other_words: Mapping[str, tuple[str, str]],
) -> None:
    """For a person who runs this with `-s`."""
    print(f"\n{len(visual)} videos, visual halves:")
    for path in sorted(visual, key=lambda path: -visual[path])[:12]:
        print(f"  {visual[path]:.1e} {path}")
    print(f"{len(speech)} equal transcripts, speech halves:")
    for path in sorted(speech, key=lambda path: -speech[path])[:5]:
        print(f"  {speech[path]:.1e} {path}")
    print(f"{len(other_words)} clips of clear speech with other words:")
    for path, (ours, theirs) in other_words.items():
        print(f"other words in {path}:\n  - {theirs}\n  + {ours}")
    for path, (ours, theirs) in compared.other_frames().items():
        print(f"other frames of {path}: {ours}, not {theirs}")
