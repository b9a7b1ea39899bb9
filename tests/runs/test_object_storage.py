"""A store on object storage: moto's server is S3."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pipeline.demo.weights import TINY_CLIP
from store.table.lance import Database
from store.table.lease import Lease
from tests.support.program import Run
from tests.support.projects import UserProject

SECRET = "a-secret-that-nobody-prints"


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    """The address of an S3 with a bucket named `bucket`."""
    boto3, server = pytest.importorskip("boto3"), pytest.importorskip("moto.server")
    moto = server.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    moto.start()
    address = "http://{}:{}".format(*moto.get_host_and_port())
    keys = {"aws_access_key_id": "key", "aws_secret_access_key": SECRET}
    client = boto3.client("s3", endpoint_url=address, region_name="us-east-1", **keys)
    client.create_bucket(Bucket="bucket")
    yield address
    moto.stop()


@pytest.fixture
def remote(
    tmp_path: Path, whisper_dir: Path, s3: str, monkeypatch: pytest.MonkeyPatch
) -> UserProject:
    """A project whose store is in the bucket."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    settings = f'store.options = {{ endpoint = "{s3}", region = "us-east-1", allow_http = true }}'
    project = UserProject.make(
        tmp_path / "project", clip=TINY_CLIP, whisper=whisper_dir, settings=settings
    )
    text = project.config.read_text(encoding="utf-8")
    uri = f"s3://bucket/{tmp_path.name}"
    project.config.write_text(text.replace('"store"', f'"{uri}"'), encoding="utf-8")
    return project


def test_a_store_on_object_storage_is_scanned_asked_and_exported(
    remote: UserProject, run: Run, made: Callable[[str], Path], s3: str
) -> None:
    remote.add(made("no_audio.mp4"), "pets/a.mp4")
    remote.add(made("portrait.mp4"), "b.mp4")
    printed = []
    for arguments in (
        ("scan", "--json"), ("query", "--video", remote.videos / "b.mp4", "--json"),
        ("export",), ("status", "--json"), ("config",), ("scan", "--json"),
    ):  # fmt: skip
        ended = run("--config", remote.config, *arguments)
        assert ended.returncode == 0, ended.stderr
        assert SECRET not in ended.stdout + ended.stderr
        printed.append(ended.stdout)
    assert json.loads(printed[0])["embedded"] == 2
    assert [hit["path"] for hit in json.loads(printed[1])] == ["videos/pets/a.mp4"]
    assert (remote.folder / "artifacts" / "labeled_embeddings.pt").exists()
    assert json.loads(printed[5])["unchanged"] == 2
    assert not (remote.folder / "s3:").exists()

    uri = f"s3://bucket/{remote.folder.parent.name}"
    options = {"endpoint": s3, "region": "us-east-1", "allow_http": "true"}
    other = Lease(Database(uri, writer=True, options=options))
    other.acquire()
    refused = run("--config", remote.config, "scan")
    other.release()
    assert refused.returncode == 1
    assert f"the store {uri} is being written by process" in refused.stderr


def test_a_secret_in_the_settings_is_refused_and_not_repeated(
    remote: UserProject, run: Run
) -> None:
    secret = f"store.options.aws_secret_access_key={SECRET}"
    ended = run("--config", remote.config, "--set", secret, "status")
    assert ended.returncode == 2
    assert "come from the environment" in ended.stderr
    assert SECRET not in ended.stderr
