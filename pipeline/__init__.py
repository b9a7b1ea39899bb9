"""From a folder of videos to vectors and words in a local store.

    from pathlib import Path
    from pipeline import Project, Question, Searcher, load_settings

    with Project.open(load_settings(Path("config.toml"))) as project:
        answer = Searcher(project).ask(Question(text="someone kicks a ball"))
        for hit in answer.hits:
            print(hit.match, hit.path, hit.why)

Each name is imported when it is first used (PEP 562).
"""

from __future__ import annotations

from importlib import import_module

TYPE_CHECKING = False  # typing is not imported before Ctrl-C is handled
if TYPE_CHECKING:
    from typing import Any

    from pipeline.config import Settings
    from pipeline.config import load as load_settings
    from pipeline.errors import ModelError, PipelineError, SettingsError, VideoError
    from pipeline.project import Project
    from pipeline.search.question import Answer, Question, Remark
    from pipeline.search.searcher import Searcher

__version__ = "0.1.0"

__all__ = [
    "Answer",
    "ModelError",
    "PipelineError",
    "Project",
    "Question",
    "Remark",
    "Searcher",
    "Settings",
    "SettingsError",
    "VideoError",
    "__version__",
    "load_settings",
]

_HOMES = {
    "pipeline.config": ("Settings",),
    "pipeline.errors": ("ModelError", "PipelineError", "SettingsError", "VideoError"),
    "pipeline.project": ("Project",),
    "pipeline.search.question": ("Answer", "Question", "Remark"),
    "pipeline.search.searcher": ("Searcher",),
}


def __getattr__(name: str) -> Any:
    if name == "load_settings":
        return import_module("pipeline.config").load
    for module, names in _HOMES.items():
        if name in names:
            return getattr(import_module(module), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
