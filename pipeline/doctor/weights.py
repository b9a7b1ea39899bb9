"""What `doctor` reports of a model's weights. It asks the hub, and fetches nothing."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec

from pipeline.doctor.finding import Finding, State
from pipeline.errors import ModelError, SettingsError
from pipeline.models import hub
from pipeline.models.names import check_translates
from pipeline.models.text_files import INSTALL, find_texts
from pipeline.models.weights import Weights, find_clip, find_whisper
from pipeline.settings import Settings

ADVICE = (
    "run `fetch` with a network; or `fetch --to FOLDER` on another machine; or set clip.model and"
    " whisper.model to folders with weights that you have"
)


def clip(settings: Settings) -> Finding:
    """Look for CLIP's weights, and for what splits its texts."""
    found = _finding("clip", settings, find_clip)
    if found.state is not State.OK:
        return found
    try:
        texts = find_texts(settings)
    except ModelError as error:
        return Finding("clip", State.PROBLEM, str(error), "correct the setting")
    if texts is None:
        return found
    if find_spec("transformers") is None:
        text = "this CLIP splits texts with the package transformers, which is not installed"
        return Finding("clip", State.PROBLEM, text, INSTALL)
    return found if texts.path else _described("clip", texts)


def whisper(settings: Settings) -> Finding:
    """Look for Whisper's weights, of a model that does what is wanted."""
    return _finding("whisper", settings, _find_whisper)


def _find_whisper(settings: Settings) -> Weights:
    check_translates(settings)
    return find_whisper(settings)


def _finding(part: str, settings: Settings, find: Callable[[Settings], Weights]) -> Finding:
    try:
        weights = find(settings)
    except SettingsError as error:
        return Finding(part, State.PROBLEM, str(error), "correct the setting")
    return _described(part, weights)


def _described(part: str, weights: Weights) -> Finding:
    if weights.path is not None:
        return Finding(part, State.OK, f"weights: {weights.path}")
    if weights.wanted is None:
        text = f"{weights.setting}: {weights.source} has no {', '.join(weights.missing)}"
        return Finding(part, State.PROBLEM, text, "correct the path, or put the weights there")
    try:
        size = hub.megabytes(sum(hub.list_files(weights.wanted).values()))
    except ModelError as error:
        text = f"its weights are not here, and {error}"
        return Finding(part, State.PROBLEM, text, ADVICE)
    text = f"its weights are not here; {size} come from {weights.source}"
    return Finding(part, State.WARNING, text, "run `fetch`, or let a scan fetch them")
