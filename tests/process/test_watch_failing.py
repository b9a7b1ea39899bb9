"""A watch that cannot go on says why and ends, however long it would else wait for news."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from tests.support.program import Run
from tests.support.projects import UserProject


def test_weights_that_do_not_load_end_a_watch(
    tmp_path: Path,
    small_clip_dir: Path,
    whisper_dir: Path,
    run: Run,
    made: Callable[[str], Path],
) -> None:
    clip = shutil.copytree(small_clip_dir, tmp_path / "clip")
    weights = clip / "open_clip_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:100_000])
    settings = "watch.rescan_seconds = 3600"
    project = UserProject.make(
        tmp_path / "project", clip=clip, whisper=whisper_dir, settings=settings
    )
    project.add(made("no_audio.mp4"), "a.mp4")
    ended = run("--config", project.config, "watch")
    assert ended.returncode == 1
    assert "error: clip.model = local-dir:" in ended.stderr
    assert "Traceback" not in ended.stderr
