"""A node that would not do the same as this machine is named before anything starts."""

from __future__ import annotations

import json
import secrets
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ray._private.authentication_test_utils import reset_auth_token_state

from pipeline.cluster.examine import examine_cluster
from pipeline.config import load
from pipeline.demo.weights import TINY_CLIP
from store.table.store import Store
from tests.cluster.conftest import NODE, alive
from tests.support.program import ROOT, Run
from tests.support.projects import UserProject, eventually

# Another node in a mount namespace of its own, as another machine: folders are empty there, and the
# program is another one.
START = """
import json, sys, threading
import ray._private.node
from ray._private.parameter import RayParams

node = ray._private.node.Node(
    RayParams(**json.loads(sys.argv[1]), include_log_monitor=False, node_manager_port=0,
              dashboard_agent_listen_port=None, min_worker_port=0, max_worker_port=0),
    head=False, shutdown_at_exit=True,
)
sys.stdin.read()
"""


@pytest.fixture
def project(tmp_path: Path, whisper_dir: Path) -> UserProject:
    """One with weights of its own."""
    clip = shutil.copytree(TINY_CLIP, tmp_path / "clip")
    return UserProject.make(tmp_path / "project", clip=clip, whisper=whisper_dir)


@pytest.fixture
def other_machine(cluster: Any, project: UserProject, tmp_path: Path) -> Iterator[None]:
    """A node without the videos and CLIP's weights, and with another version of the program."""
    init, version = ROOT / "pipeline" / "__init__.py", tmp_path / "other.py"
    version.write_text(init.read_text(encoding="utf-8") + "# another version\n", encoding="utf-8")
    script = (
        f"mount -t tmpfs none {project.videos} && mount -t tmpfs none {tmp_path / 'clip'}"
        f' && mount --bind {version} {init} && exec "$@"'
    )
    addresses = {name: getattr(cluster, name) for name in ("gcs_address", "redis_address")}
    command = [
        "unshare", "-m", "sh", "-c", script, "sh",
        sys.executable, "-c", START, json.dumps({**addresses, **NODE}),
    ]  # fmt: skip
    eventually(lambda: alive(cluster) == 1)  # a node that another test killed is given up first
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8"
    )
    try:
        eventually(lambda: alive(cluster) == 2 or process.poll() is not None)
        if process.poll() is not None:
            pytest.skip(f"no mount namespace can be made here: {process.communicate()[1]}")
        yield
    finally:
        process.communicate("")
        eventually(lambda: alive(cluster) == 1)


def test_what_a_node_lacks_is_said_before_anything_starts(
    project: UserProject,
    on_cluster: tuple[str, ...],
    run: Run,
    made: Callable[[str], Path],
    other_machine: None,
) -> None:
    video = project.add(made("no_audio.mp4"), "a.mp4")
    ended = run("--config", project.config, "scan", *on_cluster)
    assert ended.returncode == 1
    assert "Traceback" not in ended.stderr
    assert "has the program in version" in ended.stderr
    assert f"does not see {video}" in ended.stderr
    assert "does not have the weights of clip.model" in ended.stderr
    assert "Dataset summary" not in ended.stderr

    address = on_cluster[-1]
    findings = list(examine_cluster(load(project.config, [address])))
    assert sorted(finding.state for finding in findings) == ["ok", "ok", "problem"]
    assert "wants a token" in findings[0].text


def test_a_place_that_no_node_has_is_named(
    project: UserProject, on_cluster: tuple[str, ...], run: Run, made: Callable[[str], Path]
) -> None:
    project.add(made("no_audio.mp4"), "a.mp4")
    elsewhere = ("--set", "ray.data_dir=/nowhere")
    ended = run("--config", project.config, "scan", *on_cluster, *elsewhere)
    assert ended.returncode == 1
    assert "does not see /nowhere" in ended.stderr


def test_nodes_that_have_the_videos_elsewhere_read_them_there(
    project: UserProject, on_cluster: tuple[str, ...], tmp_path: Path, made: Callable[[str], Path]
) -> None:
    project.add(made("no_audio.mp4"), "said/a.mp4")
    project.add(made("not_a_video.mp4"), "broken.mp4")
    elsewhere = project.videos.rename(tmp_path / "elsewhere")
    project.videos.mkdir()
    # Only this machine sees them at `videos`.
    script = f'mount --bind {elsewhere} {project.videos} && exec "$@"'
    ended = subprocess.run(
        [
            "unshare", "-m", "sh", "-c", script, "sh", sys.executable, ROOT / "run.py",
            "--config", project.config, "--set", f"ray.data_dir={elsewhere}", "scan", *on_cluster,
        ],
        capture_output=True, encoding="utf-8", check=False,
    )  # fmt: skip
    if ended.stderr.startswith(("unshare:", "mount:")):
        pytest.skip(f"no mount namespace can be made here: {ended.stderr}")
    assert ended.returncode == 0, ended.stderr
    with Store.open(str(project.store)) as store:
        assert set(store.known()) == {"said/a.mp4"}
        (failure,) = store.failures()
        assert (failure.path, failure.stage) == ("broken.mp4", "decode")
        assert str(elsewhere) not in failure.reason


@pytest.fixture(params=["no token", "another token"])
def stranger(request: pytest.FixtureRequest, cluster: Any) -> Iterator[None]:
    """Who has not the token of the cluster."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_AUTH_TOKEN", secrets.token_hex(32))
        if request.param == "no token":
            patch.delenv("RAY_AUTH_MODE")
            patch.delenv("RAY_AUTH_TOKEN")
        reset_auth_token_state()
        yield
    reset_auth_token_state()


def test_a_stranger_is_told_of_the_token(
    project: UserProject, on_cluster: tuple[str, ...], stranger: None, run: Run
) -> None:
    ended = run("--config", project.config, "scan", *on_cluster)
    assert ended.returncode == 1
    (line,) = [line for line in ended.stderr.splitlines() if "ray.address" in line]
    assert "RAY_AUTH_TOKEN" in line
    assert "Traceback" not in ended.stderr


def test_no_cluster_at_the_address_is_an_error_line(project: UserProject, run: Run) -> None:
    nobody = ("--engine", "ray", "--set", "ray.address=127.0.0.1:9")
    ended = run("--config", project.config, "scan", *nobody)
    assert ended.returncode == 1
    assert "ray.address = 127.0.0.1:9: cannot be joined" in ended.stderr
    assert "Traceback" not in ended.stderr
