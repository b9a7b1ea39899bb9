"""What the program exports is what the plain recipe of tests/support/reference.py gives.

With real Whisper: on clips of every kind with a small CLIP, on a few with one of real size. The
latter with all of the real media takes minutes, and runs where REFERENCE_ON_ALL_MEDIA is set:

    REFERENCE_ON_ALL_MEDIA=1 python -m pytest tests/quality/test_against_reference.py -s
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import torch

from pipeline.decode.video import LEAD_SECONDS
from store.schema import Row
from store.table.store import Store
from tests.support.program import Run
from tests.support.projects import UserProject
from tests.support.reference import Reference
from tests.support.words import error_rate, words

ON_ALL_MEDIA = "REFERENCE_ON_ALL_MEDIA"
TOLERANCE = 1e-3  # of 1 - cosine
# Of clear speech: with 8 bits, fitted windows or another processor, single words are others.
OTHER_WORDS = 0.1
SAME_WORDS = 0.01  # of weights as they are in full windows: ties, decided by the last digit

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
    labeled, unlabeled = (
        torch.load(out / f"{kind}labeled_embeddings.pt", weights_only=True) for kind in ("", "un")
    )
    transcripts = json.loads((out / "transcripts.json").read_text(encoding="utf-8"))
    for part in (labeled, unlabeled):
        part["video_paths"] = [path.removeprefix("videos/") for path in part["video_paths"]]
    transcripts = {k.removeprefix("videos/"): v for k, v in transcripts.items()}
    return Collection.of(labeled, unlabeled, transcripts)


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
        """1 - cosine, with and without what all videos of a side have in common: the larger one.

        What all have in common tells no two videos apart, so that it must not hide a difference.
        Each side's own mean is taken away, since the rounding of weights in bfloat16 shifts all
        vectors alike in part, by about 0.003.
        """
        ours, theirs = (
            np.stack([visual(side.features[path]) for path in self.paths])
            for side in (self.ours, self.theirs)
        )
        whole = map(distance, ours, theirs)
        apart = map(distance, ours - ours.mean(axis=0), theirs - theirs.mean(axis=0))
        return dict(zip(self.paths, map(max, whole, apart), strict=True))

    def speech_distances(self, reference: Reference) -> dict[str, float]:
        """1 - cosine to the reference's vector of the very words that the program heard."""
        heard = {path: row.segments for path, row in self._rows().items() if row.segments}
        return {
            path: distance(
                spoken(self.ours.features[path]),
                reference.speech([segment.text for segment in segments]).numpy(),
            )
            for path, segments in heard.items()
        }

    def other_frames(self) -> dict[str, tuple[list[int], list[int]]]:
        """The indices of the frames that we and the reference took, where they differ."""
        rows = self._rows()
        taken = {
            path: nearest(times_of(self.project.videos / path), rows[path].frame_times)
            for path in self.paths
        }
        return {p: (taken[p], self.indices[p]) for p in self.paths if taken[p] != self.indices[p]}

    def _rows(self) -> dict[str, Row]:
        with Store.open(str(self.project.store)) as store:
            return store.rows(self.paths)


def visual(feature: np.ndarray) -> np.ndarray:
    return feature[: len(feature) // 2]


def spoken(feature: np.ndarray) -> np.ndarray:
    return feature[len(feature) // 2 :]


def distance(a: np.ndarray, b: np.ndarray) -> float:
    return float(1 - a @ b / (np.linalg.norm(a) * np.linalg.norm(b)))


def times_of(path: Path) -> np.ndarray:
    """When each frame is shown, by decoding all of them; seconds from the start of the video.

    It starts with the sound where that leads. AVI stores no times but a rate, and FFmpeg's are
    wrong there where there are B frames.
    """
    with av.open(str(path), metadata_errors="replace") as container:
        stream = container.streams.video[0]
        times = np.array([frame.time for frame in container.decode(stream)])
        if container.format.name == "avi":
            return np.arange(len(times)) / float(stream.average_rate)
        heard_from = [float(s.start_time * s.time_base) for s in container.streams.audio[:1]]
    leads = [start for start in heard_from if times[0] - start > LEAD_SECONDS]
    return times - min([times[0], *leads])


def nearest(times: np.ndarray, wanted: np.ndarray) -> list[int]:
    return [int(np.abs(times - each).argmin()) for each in wanted]


def errors(said: Iterable[tuple[str, str]]) -> float:
    """Word error rate over several clips together; of each, what we and the reference heard."""
    ours, theirs = zip(*said, strict=True)
    return error_rate(" ".join(ours), " ".join(theirs))


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


def test_on_clips_of_every_kind(
    new_project: Callable[..., UserProject],
    run: Run,
    small_clip_dir: Path,
    whisper_dir: Path,
    made: Callable[[str], Path],
    tmp_path: Path,
) -> None:
    project = new_project(tmp_path / "project")
    for name, path in CLIPS.items():
        project.add(made(name), path)
    reference = Reference(f"local-dir:{small_clip_dir}", whisper_dir)
    compared = compare(project, run, reference)
    ours, theirs = compared.ours, compared.theirs

    assert ours.labels == theirs.labels
    assert len(ours.labels) == len(CLIPS) - 2  # no picture in two of them
    assert compared.other_frames() == {}
    assert max(compared.visual_distances().values()) < TOLERANCE
    assert max(compared.speech_distances(reference).values()) < TOLERANCE
    for path in ("mute/no_audio.mp4", "mute/silent_audio.mp4", "music.mp4"):
        assert ours.transcripts[path] == theirs.transcripts[path] == ""
        assert not spoken(ours.features[path]).any()


def test_with_models_of_real_size(
    project: UserProject,
    run: Run,
    reference: Reference,
    made: Callable[[str], Path],
    clips: tuple[Path, ...],
) -> None:
    for clip in (made("speech.mp4"), made("no_audio.mp4"), *clips):
        project.add(clip, clip.name)
    compared = compare(project, run, reference)
    ours, theirs = compared.ours.transcripts, compared.theirs.transcripts

    assert max(compared.visual_distances().values()) < TOLERANCE
    speech = compared.speech_distances(reference)
    assert speech.keys() == {"speech.mp4", *(clip.name for clip in clips)}
    assert max(speech.values()) < TOLERANCE
    assert errors((ours[path], theirs[path]) for path in speech) <= OTHER_WORDS


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
    visual, speech = compared.visual_distances(), compared.speech_distances(reference)
    clear = [p for p in compared.paths if paths[p]["speech"] == "clear" and theirs.transcripts[p]]
    said = {path: (ours.transcripts[path], theirs.transcripts[path]) for path in clear}
    other_words = {path: both for path, both in said.items() if words(both[0]) != words(both[1])}
    report(compared, visual, speech, other_words)
    to_the_word = transcripts(project, run, "--set", "whisper.windows=full")

    assert ours.labels == theirs.labels
    assert compared.other_frames() == {}
    far = {path for path in visual if visual[path] >= TOLERANCE}
    assert {Path(path).name for path in far} <= OTHER_COLOURS
    assert max(speech.values()) < TOLERANCE
    exact = [(to_the_word[path], theirs.transcripts[path]) for path in clear]
    assert errors(exact) <= SAME_WORDS
    assert errors(said.values()) <= OTHER_WORDS


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
    print(f"{len(speech)} transcripts, speech halves:")
    for path in sorted(speech, key=lambda path: -speech[path])[:5]:
        print(f"  {speech[path]:.1e} {path}")
    print(f"{len(other_words)} clips of clear speech with other words:")
    for path, (ours, theirs) in other_words.items():
        print(f"other words in {path}:\n  - {theirs}\n  + {ours}")
    for path, (frames, expected) in compared.other_frames().items():
        print(f"other frames of {path}: {frames}, not {expected}")
