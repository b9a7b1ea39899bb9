"""Wrong usage and missing parts: named by what is wrong, with the exit code that says so."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.commands import scan
from pipeline.config import load
from pipeline.models.recipe import recipe_of
from run import main
from store.schema import Row
from store.table.store import Store
from tests.support.asking import ask, imports
from tests.support.program import Run
from tests.support.projects import UserProject, put
from tests.support.rows import make_row

HEAVY = {"torch", "open_clip", "faster_whisper", "ctranslate2", "lancedb", "av"}


@pytest.mark.parametrize(
    "arguments",
    [(), ("scan",), ("watch",), ("export",), ("query",), ("status",), ("failures",), ("retry",)],
)
def test_help_is_quick_to_come(run: Run, arguments: tuple[str, ...]) -> None:
    assert not imports(*arguments, "--help") & {*HEAVY, "numpy", "pydantic"}


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("--set", "data.foo=1", "status"), "data.foo"),
        (("--set", "clip.frames=0", "scan"), "clip.frames"),
        (("--set", "whisper.vad=maybe", "scan"), "whisper.vad"),
        (("--set", "scan"), "COMMAND"),
        (("--config", "nowhere.toml", "status"), "nowhere.toml"),
        (("query",), "--video"),
        (("frobnicate",), "frobnicate"),
        (("scan", "--frobnicate"), "--frobnicate"),
        (("scan", "no/such/folder"), "no/such/folder"),
        (("scan", "no\0name"), "NUL"),
        (("query", "--text", "k\udcf6ln"), "--text"),
    ],
)
def test_wrong_usage_is_named_and_exits_with_2(
    run: Run, arguments: tuple[str, ...], named: str, tmp_path: Path
) -> None:
    store = ("--set", f"store.uri={tmp_path / 'store'}")
    ended = run(*(() if arguments[0] == "--config" else store), *arguments)
    assert ended.returncode == 2
    assert named in ended.stderr
    assert "Traceback" not in ended.stderr
    assert not ended.stdout
    assert not (tmp_path / "store").exists()


@pytest.mark.parametrize("command", ["scan", "watch"])
def test_a_collection_that_is_not_there_is_named(
    run: Run, new_project: Callable[..., UserProject], tmp_path: Path, command: str
) -> None:
    project = new_project(tmp_path / "project")
    project.videos.rmdir()
    ended = run("--config", project.config, command)
    assert ended.returncode == 2
    assert "data.dir" in ended.stderr
    assert str(project.videos) in ended.stderr


def test_a_collection_whose_name_cannot_be_stored_is_refused(
    run: Run, new_project: Callable[..., UserProject], tmp_path: Path
) -> None:
    project = new_project(tmp_path / "project")
    folder = tmp_path / os.fsdecode(b"k\xf6ln")
    folder.mkdir()
    ended = run("--config", project.config, "scan", folder)
    assert ended.returncode == 2
    assert "k\\udcf6ln: its name is not valid UTF-8" in ended.stderr
    assert not project.store.exists()


def test_a_question_refuses_a_wrong_model_before_it_reads_the_video(
    run: Run, new_project: Callable[..., UserProject], tmp_path: Path
) -> None:
    project = new_project(tmp_path / "project")
    with Store.open(str(project.store), writer=True) as store:
        store.upsert([make_row("a.mp4")])
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"no video")
    wrong = ("--set", "whisper.model=nonsense")
    for question in (("--video", broken), ("--text", "a dog")):
        ended = run("--config", project.config, *wrong, "query", *question)
        assert (ended.returncode, "whisper.model = 'nonsense'" in ended.stderr) == (2, True)


@pytest.mark.parametrize("setting", ["whisper.model", "clip.model"])
def test_a_model_folder_that_is_not_there_is_named(
    run: Run, new_project: Callable[..., UserProject], tmp_path: Path, setting: str
) -> None:
    project = new_project(tmp_path / "project")
    value = "local-dir:./nowhere" if setting == "clip.model" else "./nowhere"
    ended = run("--config", project.config, "--set", f"{setting}={value}", "scan")
    assert ended.returncode == 2
    assert setting in ended.stderr
    assert str(project.folder / "nowhere") in ended.stderr


@pytest.mark.parametrize("override", ["whisper.model=bsae", "clip.model=ViT-B/33"])
def test_a_wrong_name_of_a_model_ends_a_scan_before_anything_is_written(
    run: Run,
    new_project: Callable[..., UserProject],
    made: Callable[[str], Path],
    tmp_path: Path,
    override: str,
) -> None:
    project = new_project(tmp_path / "project")
    project.add(made("no_audio.mp4"), "silent.mp4")
    ended = run("--config", project.config, "--set", override, "scan")
    assert ended.returncode == 2
    assert f"{override.partition('=')[0]} = " in ended.stderr
    assert "near: " in ended.stderr
    assert not project.store.exists()


def test_with_a_log_of_json_errors_are_json_too(run: Run, tmp_path: Path) -> None:
    store = ("--set", f"store.uri={tmp_path / 'store'}")
    ended = run("--log-format", "json", *store, "scan", "no/such/folder")
    assert ended.returncode == 2
    (line,) = map(json.loads, ended.stderr.splitlines())
    assert line["level"] == "error"
    assert "no/such/folder" in line["message"]


def test_with_a_log_of_json_a_bug_is_json_too(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(scan, "run", lambda *_: 1 // 0)
    assert main(["--log-format", "json", "scan"]) == 1
    (line,) = map(json.loads, capsys.readouterr().err.splitlines())
    assert line["level"] == "critical"
    assert "ZeroDivisionError" in line["message"]
    assert "Traceback" in line["traceback"]


def test_without_weights_the_program_says_what_to_do(
    run_process: Run, made: Callable[[str], Path], tmp_path: Path
) -> None:
    put(made("no_audio.mp4"), tmp_path / "videos/one.mp4")
    put(made("no_audio.mp4"), tmp_path / "videos/broken.mp4").write_bytes(b"no video")
    ended = run_process(
        "--set", f"store.uri={tmp_path / 'store'}", "scan", tmp_path / "videos",
        env={"HF_HOME": str(tmp_path / "hub"), "HF_HUB_OFFLINE": "1"},
    )  # fmt: skip
    assert ended.returncode == 1
    first, *ways = ended.stderr.splitlines()
    assert first.startswith("error: CLIP ViT-B/32 (openai): its weights are not on this machine")
    assert first.endswith("HF_HUB_OFFLINE is set")
    assert len(ways) == 7
    for way_out in ("`fetch`", "`fetch --to FOLDER`", "local-dir:FOLDER", "`demo`"):
        assert way_out in "".join(ways)
    with Store.open(str(tmp_path / "store")) as store:
        assert not store.known()
        assert not store.failures()


def test_the_store_may_be_looked_at_before_there_is_one(
    run: Run, new_project: Callable[..., UserProject], tmp_path: Path
) -> None:
    project = new_project(tmp_path / "project")
    assert ask(run, project, "status")["on_disk"] == 0
    assert ask(run, project, "failures") == []
    ended = run("--config", project.config, "query", "--text", "a dog", "--json")
    assert (ended.returncode, json.loads(ended.stdout)) == (0, [])
    assert ended.stderr == "Nothing is embedded yet: run `scan` first.\n"  # and no model loaded
    assert not project.store.exists()


@pytest.mark.parametrize(
    ("command", "code", "told"),
    [
        (("check",), 0, "Nothing is embedded yet"),
        (("suggest",), 0, "Nothing is embedded yet"),
        (("export",), 1, "nothing to export. Nothing is embedded yet"),
        (("plot",), 1, "nothing to plot. Nothing is embedded yet"),
        (("forget", "a.mp4"), 2, "nothing to forget. Nothing is embedded yet"),
        (("retry",), 0, "No video has failed."),
        (("failures",), 0, "No video has failed."),
        (("status",), 0, "looked for .mp4, .m4v"),
    ],
)
def test_a_command_with_nothing_to_work_on_says_so_and_makes_no_store(
    run: Run,
    new_project: Callable[..., UserProject],
    tmp_path: Path,
    command: tuple[str, ...],
    code: int,
    told: str,
) -> None:
    project = new_project(tmp_path / "project")
    ended = run("--config", project.config, *command)
    assert ended.returncode == code
    assert told in ended.stdout + ended.stderr
    assert not project.store.exists()


def test_a_scan_of_a_folder_without_videos_names_what_it_looked_for(
    run: Run, new_project: Callable[..., UserProject], tmp_path: Path
) -> None:
    project = new_project(tmp_path / "project")
    (project.videos / "clip.mpg").touch()
    ended = run("--config", project.config, "scan")
    assert f"warning: no videos in {project.videos}: looked for .mp4, .m4v" in ended.stderr
    assert ended.stdout.startswith("nothing to do in ")


def test_without_labels_a_person_is_told_to_make_folders(
    run: Run, new_project: Callable[..., UserProject], tmp_path: Path
) -> None:
    project = new_project(tmp_path / "project")
    rows = [made_with(make_row(f"{number}.mp4", number, d=32), project) for number in range(3)]
    with Store.open(str(project.store), writer=True) as store:
        store.upsert(rows)
    for command in ("check", "suggest"):
        ended = run("--config", project.config, command)
        assert ended.stdout.startswith("No video is labeled: make folders")


def made_with(row: Row, project: UserProject) -> Row:
    """The row as the project's settings would make it."""
    recipe = recipe_of(load(project.config))
    return replace(
        row,
        visual_recipe=recipe.visual,
        transcript_recipe=recipe.transcript,
        speech_recipe=recipe.speech,
    )


def test_control_characters_of_a_name_do_not_reach_the_terminal(
    run: Run, made: Callable[[str], Path], new_project: Callable[..., UserProject], tmp_path: Path
) -> None:
    project = new_project(tmp_path / "project")
    name = "bro\x1b[31mken\nvideo.mp4"
    project.add(made("zero_bytes.mp4"), name)
    ended = run("--config", project.config, "scan")
    assert "Skipping bro\\x1b[31mken\\nvideo.mp4 (" in ended.stderr
    (failure,) = ask(run, project, "failures")
    assert failure["path"] == os.path.join("videos", name)
