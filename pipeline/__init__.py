"""From a folder of videos to vectors and words in a local store.

    from pathlib import Path
    from pipeline import Project, Question, Searcher, load_settings

    with Project.open(load_settings(Path("config.toml"))) as project:
        print(Searcher(project).ask(Question(text="someone kicks a ball")))

Each name is imported when it is first used (PEP 562).
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pipeline.config import load as load_settings
    from pipeline.project import Project
    from pipeline.search.searcher import Question, Searcher

__version__ = "0.1.0"

__all__ = ["Project", "Question", "Searcher", "__version__", "load_settings"]

_HOMES = {
    "Project": ("pipeline.project", "Project"),
    "Question": ("pipeline.search.searcher", "Question"),
    "Searcher": ("pipeline.search.searcher", "Searcher"),
    "load_settings": ("pipeline.config", "load"),
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, attribute = _HOMES[name]
    return getattr(import_module(module), attribute)


def __dir__() -> list[str]:
    return __all__
