"""A shell completes what the program takes."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from pipeline.commands import NAMES
from pipeline.commands.completion import SHELLS
from tests.support.asking import imports
from tests.support.program import Run

COMPLETE = """
source "$1"
COMP_WORDS=("${@:2}")
COMP_CWORD=$(($# - 2))
$(complete -p video-vectors | sed "s/.*-F \\([^ ]*\\).*/\\1/")
printf '%s\n' "${COMPREPLY[@]}"
"""


def completed(script: Path, *line: str) -> list[str]:
    """What bash makes of the last word of a line."""
    ended = subprocess.run(
        ["bash", "--norc", "-c", COMPLETE, "bash", script, *line],
        capture_output=True, encoding="utf-8", check=True,
    )  # fmt: skip
    return ended.stdout.split()


def test_bash_completes_commands_flags_and_choices(run: Run, tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text(run("completion", "bash").stdout, encoding="utf-8")
    assert completed(script, "video-vectors", "s") == [n for n in NAMES if n.startswith("s")]
    assert completed(script, "video-vectors", "scan", "--st") == ["--strict"]
    assert completed(script, "video-vectors", "query", "--in", "") == ["picture", "speech", "both"]
    (tmp_path / "clip.mp4").touch()
    assert completed(script, "video-vectors", "query", "--video", f"{tmp_path}/c") == [
        f"{tmp_path}/clip.mp4"
    ]


@pytest.mark.parametrize("shell", SHELLS)
def test_each_shell_has_a_script_beside_any_configuration(
    run: Run, tmp_path: Path, shell: str
) -> None:
    (tmp_path / "config.toml").write_text("another = 'program'", encoding="utf-8")
    ended = run("completion", shell, cwd=tmp_path)
    assert ended.returncode == 0, ended.stderr
    assert "video-vectors" in ended.stdout
    assert "suggest" in ended.stdout


@pytest.mark.process
def test_a_script_is_quick_to_come() -> None:
    assert not imports("completion", "zsh") & {"torch", "lancedb", "numpy", "rich"}
