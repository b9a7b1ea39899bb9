"""Packages whose `__init__` runs only when something asks for what is in it."""

from __future__ import annotations

import sys
from importlib.util import find_spec, module_from_spec
from typing import Any


def initialise_late(name: str) -> None:
    """Make a package importable without running its `__init__`.

    That runs when the first attribute is looked up that is not an imported submodule. Submodules
    are found as usual. A package that is not installed, or is imported already, is left alone.

    `importlib.util.LazyLoader` does not help: importing any submodule looks at the package's
    `__path__`, and that runs it.

    Args:
        name: dotted name; the package that it is in is imported, unless that is late, too.
    """
    spec = None if name in sys.modules else find_spec(name)
    if spec is None or spec.loader is None:
        return
    loader, package = spec.loader, module_from_spec(spec)

    def initialise(attribute: str) -> Any:
        vars(package).pop("__getattr__", None)
        loader.exec_module(package)
        return getattr(package, attribute)

    vars(package)["__getattr__"] = initialise  # PEP 562
    sys.modules[name] = package
    parent, _, child = name.rpartition(".")
    if parent:
        setattr(sys.modules[parent], child, package)
