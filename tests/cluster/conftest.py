"""A cluster of two nodes on this machine, with everything that a real one has but the network."""

from __future__ import annotations

import secrets
import shutil
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import pytest
from ray._private.authentication_test_utils import reset_auth_token_state

from pipeline.demo.weights import TINY_CLIP
from tests.support.held_files import Late
from tests.support.projects import UserProject, eventually

MEGABYTE = 1 << 20
# Nodes that die are noticed after half a second in place of 15, unless the machine is busy: a look
# that gets no answer fails after 10 s, as ever.
HEALTH = {"initial_delay_ms": "500", "period_ms": "100"}
NODE = {"num_cpus": 1, "object_store_memory": 100 * MEGABYTE, "include_dashboard": False}


class AddNode(Protocol):
    """Adds a node to the cluster for one test, with options of `ray.cluster_utils.Cluster`."""

    def __call__(self, name: str, **options: Any) -> Any: ...


@pytest.fixture(scope="package", autouse=True)
def environment() -> Iterator[dict[str, str]]:
    """Ray with a token, and on the loopback interface."""
    scratch = Path(tempfile.mkdtemp(prefix="vv-test-"))  # its sockets' paths have to be short
    (scratch / "ray").mkdir()
    values = {
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN": secrets.token_hex(32),
        "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_TMPDIR": str(scratch),
        **{f"RAY_health_check_{name}": value for name, value in HEALTH.items()},
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, value in values.items():
            patch.setenv(name, value)
        # Ray reads them once in a process, and another test may have made it do so before.
        reset_auth_token_state()
        yield values
    shutil.rmtree(scratch, ignore_errors=True)


@pytest.fixture(scope="package")
def files(environment: dict[str, str]) -> Late:
    """What holds up and harms the processes of all nodes."""
    return Late.make(Path(environment["RAY_TMPDIR"]))


@pytest.fixture(scope="package")
def cluster(files: Late) -> Iterator[Any]:
    """A cluster whose first node lives as long as the tests."""
    from ray.cluster_utils import Cluster

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of LanceDB, which does not like forks
        few = {"no_monitor": True, "include_log_monitor": False}  # what nobody asks for
        first = {**NODE, **few, "env_vars": files.environment("first")}
        cluster = Cluster(initialize_head=True, head_node_args=first)
    yield cluster
    cluster.shutdown()


def alive(cluster: Any) -> int:
    """How many nodes the cluster takes to be alive."""
    return sum(node["Alive"] for node in cluster.global_state.node_table())


@pytest.fixture
def add_node(cluster: Any, files: Late) -> Iterator[AddNode]:
    """Adds nodes, which go when the test ends."""
    eventually(lambda: alive(cluster) == 1)  # one that another test killed is given up first

    def add_node(name: str, **options: Any) -> Any:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return cluster.add_node(**NODE | options, env_vars=files.environment(name))

    yield add_node
    for node in list(cluster.worker_nodes):
        cluster.remove_node(node, allow_graceful=False)


@pytest.fixture
def late(files: Late) -> Iterator[Late]:
    """What holds up files, and lets them on at the end of the test."""
    yield files
    files.clear()


@pytest.fixture
def project(tmp_path: Path, whisper_dir: Path) -> UserProject:
    """An empty one."""
    return UserProject.make(tmp_path / "project", clip=TINY_CLIP, whisper=whisper_dir)


@pytest.fixture
def on_cluster(cluster: Any) -> tuple[str, ...]:
    """Flags of a scan that joins the cluster."""
    return ("--engine", "ray", "--set", f"ray.address={cluster.address}")
