"""What goes wrong on a cluster costs what it has to, and nothing else."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from pipeline.cluster import engine
from pipeline.cluster.actors import Answer
from pipeline.cluster.session import ray_session
from pipeline.config import load
from pipeline.flow.flow import Flow, Summary
from pipeline.models.preprocess import Preprocess
from pipeline.project import Project
from store.table.store import Store
from tests.benchmarks.sleeping import SleepingEmbedder
from tests.cluster.conftest import MEGABYTE, NODE, AddNode
from tests.support.disks import nobody_can_open
from tests.support.flows import Tally
from tests.support.held_files import Late
from tests.support.program import Run
from tests.support.projects import UserProject, eventually

Made = Callable[[str], Path]
STUCK = "reading it has hung for longer than decode.timeout_seconds = 5"


def kept(project: UserProject) -> tuple[set[str], dict[str, tuple[str, str]]]:
    """Paths of rows, and stage and reason of failures."""
    with Store.open(str(project.store)) as store:
        assert len(store.known()) == store.facts().rows  # no path twice
        return set(store.known()), {f.path: (f.stage, f.reason) for f in store.failures()}


class LightEmbedder(SleepingEmbedder):
    """Gives vectors without a model, whose libraries take an actor seconds to import."""

    def read_preprocess(self) -> Answer:
        return Answer(Preprocess((64, 64), (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)))


@pytest.fixture(autouse=True)
def light(monkeypatch: pytest.MonkeyPatch) -> None:
    """Engines of this process have embedders without models."""
    monkeypatch.setattr(engine, "EmbedderActor", LightEmbedder)


def test_files_that_harm_an_actor_cost_themselves_only(
    project: UserProject, on_cluster: tuple[str, ...], full_store: None, run: Run, made: Made
) -> None:
    project.add_distinct(made("no_audio.mp4"), ("a.mp4", "b/c.mp4", "changes.mp4", "crashes.mp4"))
    project.add(made("portrait.mp4"), "stuck.mp4")
    project.add(made("not_a_video.mp4"), "broken.mp4")
    with nobody_can_open(project.videos / "stuck.mp4"):
        ended = run(
            "--config", project.config, "--set", "decode.timeout_seconds=5",
            "scan", "--json", *on_cluster,
        )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    assert "Traceback" not in ended.stderr
    document = json.loads(ended.stdout)
    assert (document["embedded"], document["failed"]) == (2, 3)
    rows, failures = kept(project)
    assert rows == {"a.mp4", "b/c.mp4"}
    assert failures["crashes.mp4"] == ("crash", "it crashes the process (SIGSEGV)")
    assert failures["stuck.mp4"] == ("decode", STUCK)
    assert failures["broken.mp4"][0] == "decode"
    assert "'changes.mp4' changed while it was read" in ended.stderr


@pytest.fixture
def full_store(cluster: Any) -> Iterator[None]:
    """Somebody else fills the object store of the first node."""
    ray = pytest.importorskip("ray")

    class Hoarder:
        def fill(self) -> None:
            room = NODE["object_store_memory"]
            self.held = [ray.put(bytes(MEGABYTE)) for _ in range(room // MEGABYTE - 1)]

    ray.init(address=cluster.address, log_to_driver=False, namespace="hoarder")
    options = {"name": "hoarder", "lifetime": "detached", "num_cpus": 0}
    hoarder = ray.remote(Hoarder).options(**options).remote()
    ray.get(hoarder.fill.remote())
    ray.shutdown()
    yield
    ray.init(address=cluster.address, log_to_driver=False, namespace="hoarder")
    ray.kill(ray.get_actor("hoarder"))
    ray.shutdown()


def test_a_node_that_dies_costs_no_video_and_one_that_joins_works_too(
    project: UserProject,
    cluster: Any,
    add_node: AddNode,
    late: Late,
    on_cluster: tuple[str, ...],
    made: Made,
) -> None:
    names = [*(f"{n}.mp4" for n in range(4)), *(f"late{n}.mp4" for n in range(12))]
    project.add_distinct(made("no_audio.mp4"), names)
    second, said = add_node("second"), list[str]()
    with ThreadPoolExecutor() as threads:
        scan = threads.submit(scan_here, project, on_cluster[-1], said)
        try:
            eventually(lambda: scan.done() or (rows_so_far(project) and late.is_opened("second")))
            cluster.remove_node(second, allow_graceful=False)
            add_node("third")
            eventually(lambda: scan.done() or late.is_opened("third"))
        finally:
            late.let_on()
        assert scan.result().embedded == len(names)
    assert late.is_opened("third")
    assert "Ray: 2 nodes, 2 decoders, 2 embedders" in said
    assert kept(project) == (set(names), {})


def scan_here(project: UserProject, address: str, said: list[str]) -> Summary:
    """Scan in this process."""
    settings = load(project.config, [address])
    with ray_session(settings) as ray, Project.open_to_scan(settings) as opened:
        made = engine.open_engine(ray, settings, project.videos, said.append)
        return Flow(opened, Tally(), made).scan()


def rows_so_far(project: UserProject) -> bool:
    try:
        with Store.open(str(project.store)) as store:
            return bool(store.known())
    except Exception:  # noqa: BLE001 - it is being made
        return False
