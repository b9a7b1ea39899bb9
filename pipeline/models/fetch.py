"""Fetches the weights that the settings name and this machine does not have."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from pipeline.errors import ModelError
from pipeline.models import hub
from pipeline.models.text_files import find_texts
from pipeline.models.weights import Weights, find_clip, find_whisper
from pipeline.settings import Settings
from pipeline.terminal import shows_bars

Find = Callable[[Settings], Weights | None]
Say = Callable[[str], None]

BOTH: tuple[Find, ...] = (find_clip, find_whisper)

WAYS_OUT = """\
Do one of these:
  - with a network, run `fetch`; HTTPS_PROXY names a proxy, HF_ENDPOINT a mirror
  - on a machine with a network, run `fetch --to FOLDER`, bring FOLDER here, and
    use the settings that it prints
  - set clip.model to local-dir:FOLDER (or clip.pretrained to a checkpoint file)
    and whisper.model to a folder, with weights that you have
Or see everything without a hub: `demo`."""


def fetch(settings: Settings, say: Say, *, finders: tuple[Find, ...] = BOTH) -> list[Path]:
    """Fetch what is not here of the models' weights, and tell before what, how large, and whereto.

    Args:
        settings: which models.
        say: shows a line to a person.
        finders: of which models.

    Returns:
        The file or folder of each model.

    Raises:
        SettingsError: there is no such model.
        ModelError: the hub or the cache cannot be used, or the settings' own files are not whole.
    """
    found = _found(settings, finders)
    missing = [
        (weights, weights.wanted) for weights in found if weights.path is None and weights.wanted
    ]
    if missing:
        hub.quiet()
        files = [_list_files(weights, wanted) for weights, wanted in missing]
        hub.check_room(sum(sum(sizes.values()) for sizes in files))
        for (weights, wanted), sizes in zip(missing, files, strict=True):
            size = hub.megabytes(sum(sizes.values()))
            say(f"Fetching {weights.model}: {size} from {weights.source} to {hub.cache_folder()}")
            hub.download(wanted, sizes, say, bar=shows_bars())
        found = _found(settings, finders)
    return [_whole(weights) for weights in found]


def fetch_texts(settings: Settings, say: Say) -> Path | None:
    """Fetch the files by which CLIP splits texts, once its weights are here; see `fetch`.

    Returns:
        Their folder; None for the tokenizer that open_clip brings.
    """
    return next(iter(fetch(settings, say, finders=(find_texts,))), None)


def _found(settings: Settings, finders: tuple[Find, ...]) -> list[Weights]:
    return [weights for find in finders if (weights := find(settings)) is not None]


def _list_files(weights: Weights, wanted: hub.Wanted) -> dict[str, int]:
    try:
        return hub.list_files(wanted)
    except ModelError as error:
        problem = f"{weights.model}: its weights are not on this machine, and {error}"
        raise ModelError(f"{problem}\n{WAYS_OUT}") from error


def _whole(weights: Weights) -> Path:
    if weights.path is None:
        lacks = ", ".join(weights.missing) or "the file with the weights"
        raise ModelError(f"{weights.setting}: {weights.source} has no {lacks}")
    return weights.path
