"""The reference itself: it reads the right frames, and gives what the artifacts hold."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from tests.support.media import VIDEOS
from tests.support.pictures import read_frame_number
from tests.support.reference import Reference, frame_indices, read_frames


@pytest.fixture(scope="module")
def reference(small_clip_dir: Path, whisper_dir: Path) -> Reference:
    return Reference(f"local-dir:{small_clip_dir}", whisper_dir)


def test_frame_indices() -> None:
    assert frame_indices(50, 5) == [0, 12, 24, 36, 49]
    assert frame_indices(1, 5) == [0, 0, 0, 0, 0]


@pytest.mark.parametrize("name", [*VIDEOS, "cut_short.mkv"])
def test_the_chosen_frames_are_read(name: str, made: Callable[[str], Path]) -> None:
    frames, indices = read_frames(made(name), 5)
    assert [read_frame_number(frame) for frame in frames] == indices
    assert len(indices) == 5


@pytest.mark.parametrize("name", ["audio_only.mp4", "zero_bytes.mp4", "not_a_video.mp4"])
def test_nothing_to_read(name: str, made: Callable[[str], Path]) -> None:
    assert read_frames(made(name), 5) == ([], [])


def test_windows_hold_the_whole_transcript_in_order(reference: Reference) -> None:
    segments = [f"sentence number {i} of a long speech about nothing much" for i in range(30)]
    segments.append("one more that never ends " * 30)
    windows = reference.windows([segment.strip() for segment in segments])
    assert " ".join(windows) == " ".join(segments).strip()
    assert len(windows) > 5
    assert reference.windows(["short", "and", "", "sweet"]) == ["short and sweet"]
    assert reference.windows([]) == []


def test_a_collection(
    reference: Reference, made: Callable[[str], Path], clips: tuple[Path, ...], tmp_path: Path
) -> None:
    (tmp_path / "space").mkdir()
    shutil.copy(clips[0], tmp_path / "space" / "talk.mp4")
    shutil.copy(made("no_audio.mp4"), tmp_path)
    shutil.copy(made("zero_bytes.mp4"), tmp_path)
    artifacts = reference.extract(tmp_path)
    labeled, unlabeled = artifacts["labeled"], artifacts["unlabeled"]
    assert labeled["label_names"] == ["space"]
    assert labeled["labels"].tolist() == [0]
    assert labeled["video_paths"] == ["space/talk.mp4"]
    assert unlabeled["video_paths"] == ["no_audio.mp4"]
    assert artifacts["skipped"] == ["zero_bytes.mp4"]
    assert "space" in artifacts["transcripts"]["space/talk.mp4"].lower()
    assert artifacts["transcripts"]["no_audio.mp4"] == ""
    halves = torch.cat([labeled["features"], unlabeled["features"]]).reshape(2, 2, 32)
    assert torch.allclose(halves.norm(dim=2), torch.tensor([[1.0, 1.0], [1.0, 0.0]]), atol=1e-6)
