"""A cluster of two nodes on this machine, with everything that a real one has but the network."""

from __future__ import annotations

import secrets
import shutil
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pipeline.demo.weights import TINY_CLIP
from tests.support.projects import UserProject

MEGABYTE = 1 << 20
NODE = {"num_cpus": 1, "object_store_memory": 100 * MEGABYTE, "include_dashboard": False}

# Runs in every process of the first node.
STARTUP = """
import ctypes, os, resource, sys

resource.setrlimit(resource.RLIMIT_CORE, (0, 0))

def harm(event, arguments):
    if event == "open" and str(arguments[0]).endswith("/crashes.mp4"):
        ctypes.string_at(0)
    if event == "open" and str(arguments[0]).endswith("/changes.mp4"):
        os.utime(arguments[0], (1_600_000_000, 1_600_000_000))

sys.addaudithook(harm)
"""


@pytest.fixture(scope="session", autouse=True)
def environment() -> Iterator[dict[str, str]]:
    """Ray with a token, and on the loopback interface."""
    scratch = Path(tempfile.mkdtemp(prefix="vv-test-"))  # its sockets' paths have to be short
    (scratch / "ray").mkdir()
    (scratch / "sitecustomize.py").write_text(STARTUP, encoding="utf-8")
    values = {
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN": secrets.token_hex(32),
        "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_TMPDIR": str(scratch),
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, value in values.items():
            patch.setenv(name, value)
        yield values
    shutil.rmtree(scratch, ignore_errors=True)


@pytest.fixture(scope="session")
def cluster(environment: dict[str, str]) -> Iterator[Any]:
    """A cluster whose first node lives as long as the tests; some files harm whoever reads them."""
    from ray.cluster_utils import Cluster

    startup = {"PYTHONPATH": environment["RAY_TMPDIR"]}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of LanceDB, which does not like forks
        cluster = Cluster(initialize_head=True, head_node_args={**NODE, "env_vars": startup})
    yield cluster
    cluster.shutdown()


@pytest.fixture
def second_node(cluster: Any) -> Iterator[Any]:
    """Another node, for one test."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        node = cluster.add_node(**NODE)
    yield node
    if node in cluster.worker_nodes:
        cluster.remove_node(node, allow_graceful=False)


@pytest.fixture
def project(tmp_path: Path, whisper_dir: Path) -> UserProject:
    """An empty one."""
    return UserProject.make(tmp_path / "project", clip=TINY_CLIP, whisper=whisper_dir)


@pytest.fixture
def on_cluster(cluster: Any) -> tuple[str, ...]:
    """Flags of a scan that joins the cluster."""
    return ("--engine", "ray", "--set", f"ray.address={cluster.address}")
