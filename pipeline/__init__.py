"""From a folder of videos to vectors and words in a local store.

    import pipeline

    with pipeline.open("config.toml") as project:
        print(project.search("someone kicks a ball", label="soccer").to_pandas())
        data = project.training_data()

Each name is imported when it is first used (PEP 562).
"""

from __future__ import annotations

from importlib import import_module

TYPE_CHECKING = False  # typing is not imported before Ctrl-C is handled
if TYPE_CHECKING:
    from typing import Any

    from pipeline.artifacts import Exported, TrainingData
    from pipeline.config import load as load_settings
    from pipeline.errors import ModelError, PipelineError, SettingsError, VideoError
    from pipeline.project import Project
    from pipeline.search.question import Answer, Question, Remark
    from pipeline.search.searcher import Searcher
    from pipeline.session import SearchResult, Session
    from pipeline.session import open_session as open  # noqa: A004
    from pipeline.settings import Settings

__version__ = "0.1.0"

__all__ = [
    "Answer",
    "Exported",
    "ModelError",
    "PipelineError",
    "Project",
    "Question",
    "Remark",
    "SearchResult",
    "Searcher",
    "Session",
    "Settings",
    "SettingsError",
    "TrainingData",
    "VideoError",
    "__version__",
    "load_settings",
    "open",
]

_HOMES = {
    "pipeline.artifacts": ("Exported", "TrainingData"),
    "pipeline.errors": ("ModelError", "PipelineError", "SettingsError", "VideoError"),
    "pipeline.project": ("Project",),
    "pipeline.search.question": ("Answer", "Question", "Remark"),
    "pipeline.search.searcher": ("Searcher",),
    "pipeline.session": ("SearchResult", "Session"),
    "pipeline.settings": ("Settings",),
}
_RENAMED = {
    "load_settings": ("pipeline.config", "load"),
    "open": ("pipeline.session", "open_session"),
}


def __getattr__(name: str) -> Any:
    if name in _RENAMED:
        home, own = _RENAMED[name]
        return getattr(import_module(home), own)
    for module, names in _HOMES.items():
        if name in names:
            return getattr(import_module(module), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
