"""Libraries that tests import when they use them.

Every worker collects every test: what stands at the top of a module is imported by all of them.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any

IMPORTED_BY = {"open_clip": "pipeline.models.openclip"}


def late(name: str) -> Any:
    """The module `name`, imported when something is first looked up in it.

    open_clip is imported as the program does it.
    """
    return _Late(name)


class _Late:
    __slots__ = ("_name",)  # to patch this in place of the module is an error

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, attribute: str) -> Any:
        if attribute.startswith("__") or attribute == "_mock_name":
            raise AttributeError(attribute)  # pytest looks for these in all that a module holds
        import_module(IMPORTED_BY.get(self._name, self._name))
        return getattr(sys.modules[self._name], attribute)
