"""Settings: config.toml says what the program does, and a wrong value is named and explained."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.config import load
from pipeline.errors import SettingsError
from pipeline.settings import Settings
from tests.support.program import ROOT

CONFIG = ROOT / "config.toml"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """An empty config file: every setting has its default."""
    file = tmp_path / "config.toml"
    file.touch()
    return file


def leaves(values: dict[str, Any], section: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        if isinstance(value, dict):
            yield from leaves(value, f"{section}{name}.")
        else:
            yield f"{section}{name}", value


def defaults() -> dict[str, Any]:
    return Settings(base=Path("/")).model_dump()


def test_config_toml_is_the_defaults() -> None:
    written = tomllib.loads(CONFIG.read_text(encoding="utf-8"))
    assert written == defaults()
    assert load(CONFIG) == Settings(base=ROOT)


def test_every_setting_has_a_comment() -> None:
    """On its line or above it, or above it on its section's line."""
    bare, is_explained = [], False
    for line in CONFIG.read_text(encoding="utf-8").splitlines():
        if "=" in line.partition("#")[0] and "#" not in line and not is_explained:
            bare.append(line)
        if line.startswith(("#", "[")) or not line:
            is_explained = "#" in line
    assert bare == []


@pytest.mark.parametrize(
    ("override", "allowed"),
    [
        ("device=gpu", '"auto", "cpu", "mps", "cuda"'),
        ("device=cuda:x", '"cuda:1"'),
        ("whisper.language=english", 'the code of a language, such as "en"'),
        ("whisper.vad=1", "true or false"),
        ("whisper.vad=yes", "true or false"),
        ("clip.frames=0", "a whole number from 1 to 1000"),
        ("clip.frames=1001", "a whole number from 1 to 1000"),
        ("clip.frames=1.5", "a whole number"),
        ("clip.frames=true", "a whole number"),
        ("clip.frames=many", "a whole number"),
        ("clip.sampling=sharp", '"exact" or "keyframes"'),
        ("clip.transcript=half", '"whole" or "first_window"'),
        ("clip.model=", "not empty"),
        ("whisper.weights=int4", '"auto" or "int8" or "float"'),
        ("precision.cpu=int8", '"auto" or "float32" or "float16" or "bfloat16"'),
        ("store.max_vanished=1.1", "a number from 0 to 1"),
        ("decode.workers=-1", "a whole number from 0 to 256"),
        ("decode.timeout_seconds=0", "above 0"),
        ("decode.timeout_seconds=inf", "finite"),
        ("queue.megabytes=0", "of at least 1"),
        ("data.extensions=mp4", 'a list of file name endings, such as ["mp4", "mov"]'),
        ("data.extensions=[]", "a list of file name endings"),
        ('data.extensions=["."]', "a list of file name endings"),
        ('data.extensions=["mp4", 3]', "a list of file name endings"),
        ("data=3", "a section; known: dir, extensions"),
        ("data.dir=~nobody-of-this-name/videos", '"~NAME" only of a user there is'),
        ("clip.model=local-dir:~nobody-of-this-name", '"~NAME" only of a user there is'),
        ("watch.settle_seconds=1e300", "not above 1e9"),
        (f"queue.items={'9' * 5_000}", "of at least 1"),
        (f"data.extensions={'[' * 5_000}", "a list of file name endings"),
    ],
)
def test_an_impossible_value_names_the_key_the_value_and_what_is_allowed(
    config: Path, override: str, allowed: str
) -> None:
    with pytest.raises(SettingsError) as raised:
        load(config, [override])
    message = str(raised.value)
    key, _, value = override.partition("=")
    assert message.startswith(f"--set {override}: {key}")
    assert allowed in message
    assert value in message
    assert "\n" not in message


def test_an_override_sets_one_value(config: Path) -> None:
    with pytest.raises(SettingsError, match="a whole number from 1 to 1000"):
        load(config, ["clip.frames=3\nx=4"])


def test_the_same_in_a_file_names_the_file(config: Path) -> None:
    config.write_text('[clip]\nframes = "five"\n[whisper]\nvad = 0\n', encoding="utf-8")
    with pytest.raises(SettingsError) as raised:
        load(config)
    assert str(raised.value).splitlines() == [
        f"{config}: clip.frames = 'five': it should be a whole number from 1 to 1000",
        f"{config}: whisper.vad = 0: it should be true or false",
    ]


@pytest.mark.parametrize(
    ("override", "known"),
    [
        ("clip.qqq=3", "known: model, pretrained, frames, sampling, transcript"),
        ("qqq.frames=3", "known: device, data, store"),
        ("qqq=3", "known: device, data, store"),
        ("base=/tmp", "known: device, data, store"),
        ("base.x=1", "known: device, data, store"),
    ],
)
def test_an_unknown_key_is_an_error_that_lists_the_known_ones(
    config: Path, override: str, known: str
) -> None:
    with pytest.raises(SettingsError, match="there is no such setting") as raised:
        load(config, [override])
    assert str(raised.value).startswith(f"--set {override}: ")
    assert known in str(raised.value)


@pytest.mark.parametrize("override", ["clip", "=3", "clip.frames"])
def test_an_override_needs_a_key_and_a_value(config: Path, override: str) -> None:
    with pytest.raises(SettingsError, match=r"write it as section\.key=value"):
        load(config, [override])


def test_a_file_that_cannot_be_read_is_named(config: Path) -> None:
    with pytest.raises(SettingsError, match=r"missing\.toml: cannot be read: No such file"):
        load(config.with_name("missing.toml"))
    with pytest.raises(SettingsError, match="cannot be read: Is a directory"):
        load(config.parent)
    for broken in (b"device = ", b"\xff", b"queue.items = " + b"9" * 5_000, b"x = " + b"[" * 5_000):
        config.write_bytes(broken)
        with pytest.raises(SettingsError, match=r"config\.toml: is not valid TOML"):
            load(config)


def test_a_path_without_sense_is_an_error(config: Path) -> None:
    config.write_text('data.dir = "a\\u0000b"', encoding="utf-8")
    with pytest.raises(SettingsError, match="it should be a path or a name"):
        load(config)


def test_a_byte_order_mark_is_no_setting(config: Path) -> None:
    config.write_text("\ufeff[clip]\nframes = 7\n", encoding="utf-8")
    assert load(config).clip.frames == 7


def test_overrides_win_over_the_file_and_the_last_over_the_first(config: Path) -> None:
    config.write_text("[clip]\nframes = 7\nbatch_frames = 8\n", encoding="utf-8")
    settings = load(config, ["clip.frames=8", "clip.frames = 9", "decode.timeout_seconds=30"])
    assert (settings.clip.frames, settings.clip.batch_frames) == (9, 8)
    assert settings.decode.timeout_seconds == 30


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("2024", "2024"),
        ("1e3", "1e3"),
        ("true", "true"),
        ("2024-05-06", "2024-05-06"),
        ("inf", "inf"),
        ("[a]", "[a]"),
        ("a=b", "a=b"),
        ('"quoted #1"', "quoted #1"),
        ("C:\\new", "C:\\new"),
        ("with space", "with space"),
        ("3\nx = 4", "3\nx = 4"),
    ],
)
def test_text_needs_no_quotes_whatever_it_looks_like(
    config: Path, written: str, meant: str
) -> None:
    assert load(config, [f"data.dir={written}"]).data.dir == meant


@given(st.sampled_from(sorted(leaves(defaults()), key=lambda leaf: leaf[0])))
def test_every_default_can_be_given_as_an_override(leaf: tuple[str, Any]) -> None:
    key, value = leaf
    written = str(value).lower() if isinstance(value, bool) else str(value)
    assert load(CONFIG, [f"{key}={written}"]) == Settings(base=ROOT)


def test_extensions_are_compared_without_dot_and_case(config: Path) -> None:
    assert load(config, ['data.extensions=[".MP4", "Mov"]']).data.extensions == ["mp4", "mov"]


def test_relative_paths_start_at_the_config_file(
    config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = config.parent
    (base / "whisper").mkdir()
    monkeypatch.chdir(base / "whisper")
    overrides = ["store.uri=s", "clip.model=local-dir:c", "clip.pretrained=p.pt", "whisper.model="]
    overrides[-1] += "whisper"
    settings = load(Path("../config.toml"), overrides)
    assert settings.path(settings.data.dir) == base / "data/Favorites/videos"
    assert settings.store_uri == str(base / "s")
    assert settings.clip_folder == base / "c"
    assert settings.clip_checkpoint == base / "p.pt"
    assert settings.whisper_folder == base / "whisper"
    assert settings.path("/absolute") == Path("/absolute")
    assert settings.path("~/there") == Path("~/there").expanduser()


def test_names_are_not_paths(config: Path) -> None:
    settings = load(config, ["store.uri=s3://bucket/table", "whisper.model=owner/name"])
    assert settings.store_uri == "s3://bucket/table"
    assert settings.clip_folder is None
    assert settings.clip_checkpoint is None
    assert settings.whisper_folder is None


def test_settings_cannot_be_changed(config: Path) -> None:
    settings = load(config)
    with pytest.raises(ValueError, match="frozen"):
        settings.clip.frames = 3  # type: ignore[misc]


@pytest.mark.parametrize(
    ("wrong", "meant"),
    [
        ("clip.frame", "did you mean clip.frames?"),
        ("frames", "did you mean clip.frames?"),
        ("whisper.frames", "did you mean clip.frames?"),
        ("model", "did you mean clip.model or whisper.model?"),
        ("clp.frames", "did you mean clip?"),
        ("devcie", "did you mean device?"),
    ],
)
@pytest.mark.parametrize("by_flag", [False, True])
def test_a_wrong_setting_brings_the_nearest_right_one(
    tmp_path: Path, wrong: str, meant: str, by_flag: bool
) -> None:
    file = tmp_path / "config.toml"
    file.write_text("" if by_flag else f"{wrong} = 1", encoding="utf-8")
    with pytest.raises(SettingsError) as caught:
        load(file, [f"{wrong}=1"] if by_flag else [])
    assert str(caught.value).endswith(f": there is no such setting; {meant}")
