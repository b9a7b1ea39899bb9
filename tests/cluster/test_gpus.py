"""Several GPUs of one machine: each has a process of its own, which sees no other."""

from __future__ import annotations

import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pipeline.cluster import engine
from pipeline.cluster.actors import Answer, DecoderActor, EmbedderActor
from pipeline.cluster.session import ray_session
from pipeline.config import load
from tests.cluster.conftest import AddNode
from tests.support.projects import UserProject

SEES = "CUDA_VISIBLE_DEVICES"


class SeeingDecoder(DecoderActor):
    def look(self) -> Answer:
        return Answer(os.environ[SEES])


class SeeingEmbedder(EmbedderActor):
    def look(self, folder: Path, count: int) -> Answer:
        """What it sees, once as many of them as there should be have looked at the same time."""
        (folder / f"sees-{os.environ[SEES]}").touch()
        while len(list(folder.glob("sees-*"))) < count:
            time.sleep(0.05)
        return Answer(os.environ[SEES])


def test_each_gpu_has_an_embedder_that_sees_no_other_and_decoders_see_none(
    project: UserProject,
    tmp_path: Path,
    add_node: AddNode,
    on_cluster: tuple[str, ...],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(engine, "DecoderActor", SeeingDecoder)
    monkeypatch.setattr(engine, "EmbedderActor", SeeingEmbedder)
    add_node("gpus", num_gpus=2)
    said: list[str] = []
    settings = load(project.config, [on_cluster[-1]])
    with ray_session(settings) as ray, ThreadPoolExecutor() as threads:
        made = engine.open_engine(ray, settings, project.videos, said.append)
        assert said == ["Ray: 2 nodes, 2 decoders, 2 embedders"]
        embedders, decoders = made._embedders, made._decoders
        looks = [threads.submit(embedders.call, "look", tmp_path, 2, alone=True) for _ in range(2)]
        assert sorted(look.result()[0] for look in looks) == ["0", "1"]
        assert decoders.call("look")[0] == ""
