"""The READMEs are true: every command and every piece of Python in them runs."""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path

import pytest

from tests.support.meaning.collection import Known
from tests.support.program import ROOT, Run

README = (ROOT / "README.md").read_text(encoding="utf-8")
STORE = (ROOT / "store/README.md").read_text(encoding="utf-8")


def blocks(language: str, text: str = README) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


COMMANDS = [
    commands
    for block in blocks("sh")
    if (commands := [line for line in block.splitlines() if line.startswith("python run.py")])
]


@pytest.fixture
def project(scanned: Path, tmp_path: Path) -> Path:
    """A copy of it, to do with as one likes."""
    return shutil.copytree(scanned, tmp_path / "project")


@pytest.fixture(scope="module")
def scanned(
    tmp_path_factory: pytest.TempPathFactory,
    run: Run,
    clips: tuple[Path, ...],
    small_clip_dir: Path,
    whisper_dir: Path,
) -> Path:
    """A folder like the README's, with models that are at hand; scanned and exported."""
    folder = tmp_path_factory.mktemp("project")
    videos = folder / "data/Favorites/videos"
    for name in ("123456789.mp4", "soccer/111111111.mp4", "cooking/333333333.mp4"):
        (videos / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(clips[0], videos / name)
    settings = (ROOT / "config.toml").read_text(encoding="utf-8")
    settings = settings.replace('"ViT-B/32"', f'"local-dir:{small_clip_dir}"')
    settings = settings.replace('model = "base"', f'model = "{whisper_dir}"')
    (folder / "config.toml").write_text(settings, encoding="utf-8")
    for command in ("scan", "export"):
        ended = run("--config", "config.toml", command, cwd=folder)
        assert ended.returncode == 0, ended.stderr
    return folder


@pytest.mark.parametrize("commands", COMMANDS)
def test_every_command_runs(project: Path, run: Run, commands: list[str]) -> None:
    for command in commands:
        _, _, *arguments = shlex.split(command)
        if arguments[0] in ("demo", "doctor"):  # have tests of their own, which run just this
            continue
        ended = run("--config", "config.toml", *arguments, cwd=project)
        assert ended.returncode == 0, (command, ended.stderr)


@pytest.mark.parametrize("code", [*blocks("python"), *blocks("python", STORE)])
def test_every_piece_of_python_runs(
    project: Path, code: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(project)
    exec(code, {"__name__": "__main__"})
    assert capsys.readouterr().out


def test_the_classifier_knows_new_videos(
    known: Known,
    run: Run,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The drawn shapes are easy to tell apart; a few of the videos are made to mislead."""
    (code,) = (block for block in blocks("python") if "LogisticRegression" in block)
    assert len([line for line in code.splitlines() if line]) <= 10
    exported = run("--config", known.project.config, "export", "--out", tmp_path / "artifacts")
    assert exported.returncode == 0, exported.stderr
    monkeypatch.chdir(tmp_path)
    exec(code, {"__name__": "__main__"})
    given = [line.split(" ", 2) for line in capsys.readouterr().out.splitlines()]
    paths = {path.removeprefix("videos/"): label for _, label, path in given}
    shapes = {path: {s.scene.shape for s in known.video(path).shots} for path in paths}
    right = [label in shapes[path] for path, label in paths.items()]
    assert len(right) > 20
    assert sum(right) / len(right) > 0.6  # a guess among the folders: less than 0.2


def test_the_gate_installs_and_tests_as_the_readme_says() -> None:
    gate = (ROOT / ".ci/run").read_text(encoding="utf-8")
    assert "pip install -e '.[test]' && .venv/bin/python -m pytest" in README
    assert "install --quiet -e '.[test]'" in gate
    assert "-m pytest" in gate


def test_every_command_of_the_program_is_in_the_table(run: Run) -> None:
    listed = run("--help").stdout
    commands = re.findall(r"^    (\w+) ", listed, re.MULTILINE)
    assert len(commands) > 5
    assert [name for name in commands if f"`{name}" not in README] == []
