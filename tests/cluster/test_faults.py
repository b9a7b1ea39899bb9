"""What goes wrong on a cluster costs what it has to, and nothing else."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from store.table.store import Store
from tests.cluster.conftest import MEGABYTE, NODE, AddNode
from tests.support.disks import nobody_can_open
from tests.support.held_files import Late
from tests.support.program import PROCESS_SECONDS, Finished, Run, Spawn
from tests.support.projects import UserProject, eventually

Made = Callable[[str], Path]
STUCK = "reading it has hung for longer than decode.timeout_seconds = 8"


def kept(project: UserProject) -> tuple[set[str], dict[str, tuple[str, str]]]:
    """Paths of rows, and stage and reason of failures."""
    with Store.open(str(project.store)) as store:
        assert len(store.known()) == store.facts().rows  # no path twice
        return set(store.known()), {f.path: (f.stage, f.reason) for f in store.failures()}


def summary(ended: Finished) -> dict[str, Any]:
    """The one document on stdout of a scan that ended well."""
    assert ended.returncode == 0, ended.stderr
    assert "Traceback" not in ended.stderr
    document: dict[str, Any] = json.loads(ended.stdout)
    return document


def test_files_that_harm_an_actor_cost_themselves_only(
    project: UserProject, on_cluster: tuple[str, ...], full_store: None, run: Run, made: Made
) -> None:
    project.add_distinct(made("no_audio.mp4"), ("a.mp4", "b/c.mp4", "changes.mp4", "crashes.mp4"))
    project.add(made("portrait.mp4"), "stuck.mp4")
    project.add(made("not_a_video.mp4"), "broken.mp4")
    with nobody_can_open(project.videos / "stuck.mp4"):
        ended = run(
            "--config", project.config, "--set", "decode.timeout_seconds=8",
            "scan", "--json", *on_cluster,
        )  # fmt: skip
    document = summary(ended)
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
    spawn: Spawn,
    made: Made,
) -> None:
    names = [*(f"{n}.mp4" for n in range(4)), *(f"late{n}.mp4" for n in range(12))]
    project.add_distinct(made("no_audio.mp4"), names)
    second = add_node("second")
    scan = spawn("--config", project.config, "scan", "--json", *on_cluster)
    eventually(lambda: rows_so_far(project) and late.is_opened("second"))
    cluster.remove_node(second, allow_graceful=False)
    add_node("third")
    eventually(lambda: late.is_opened("third"))
    late.let_on()
    stdout, stderr = scan.communicate(timeout=PROCESS_SECONDS)
    assert summary(Finished(scan.returncode, stdout, stderr))["embedded"] == len(names)
    assert "2 nodes" in stderr
    assert kept(project) == (set(names), {})


def rows_so_far(project: UserProject) -> bool:
    try:
        with Store.open(str(project.store)) as store:
            return bool(store.known())
    except Exception:  # noqa: BLE001 - it is being made
        return False
