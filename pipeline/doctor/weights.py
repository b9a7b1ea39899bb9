"""What `doctor` reports of a model's weights."""

from __future__ import annotations

from collections.abc import Callable

from pipeline.config import Settings
from pipeline.doctor.finding import Finding, State
from pipeline.errors import SettingsError
from pipeline.models.weights import Weights, find_clip, find_whisper

ADVICE = "a scan fetches them; without a network, see README, Settings"


def clip(settings: Settings) -> Finding:
    """Look for CLIP's weights."""
    return _finding("clip", settings, find_clip)


def whisper(settings: Settings) -> Finding:
    """Look for Whisper's weights."""
    return _finding("whisper", settings, find_whisper)


def _finding(part: str, settings: Settings, find: Callable[[Settings], Weights]) -> Finding:
    try:
        weights = find(settings)
    except SettingsError as error:
        return Finding(part, State.PROBLEM, str(error), "correct the setting")
    if weights.missing:
        text = f"{weights.setting}: {weights.source} has no {', '.join(weights.missing)}"
        return Finding(part, State.PROBLEM, text, "correct the path, or put the weights there")
    if weights.path is None:
        text = f"its weights are not here; they come from {weights.source}"
        return Finding(part, State.WARNING, text, ADVICE)
    return Finding(part, State.OK, f"weights: {weights.path}")
