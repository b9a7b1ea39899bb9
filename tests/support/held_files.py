"""Files that hold up or harm the processes that open them, by their names."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

STARTUP = """
import ctypes, os, resource, sys, time

resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
folder, opener = os.path.dirname(__file__), os.environ["OPENER"]

def harm(event, arguments):
    name = os.path.basename(str(arguments[0])) if event == "open" else ""
    if name == "crashes.mp4":
        ctypes.string_at(0)
    elif name == "changes.mp4":
        os.utime(arguments[0], (1_600_000_000, 1_600_000_000))
    elif name.startswith("late") and name.endswith(".mp4"):
        open(os.path.join(folder, "opens-" + opener), "w").close()
        while not os.path.exists(os.path.join(folder, "go")):
            time.sleep(0.05)

sys.addaudithook(harm)
"""


@dataclass(frozen=True)
class Late:
    """Files named `late*.mp4`, which processes open no sooner than a test lets them.

    In such processes, opening `crashes.mp4` is a fault as in a native library, and opening
    `changes.mp4` changes its time.

    Args:
        folder: that processes and the test leave word in.
    """

    folder: Path

    @classmethod
    def make(cls, folder: Path) -> Late:
        """Write into a folder what Python imports first of all."""
        (folder / "sitecustomize.py").write_text(STARTUP, encoding="utf-8")
        return cls(folder)

    def environment(self, opener: str = "process") -> dict[str, str]:
        """The environment of processes that this holds for, which are known by a name."""
        return {"PYTHONPATH": str(self.folder), "OPENER": opener}

    def is_opened(self, opener: str = "process") -> bool:
        """Whether one of them waits to open such a file."""
        return (self.folder / f"opens-{opener}").exists()

    def let_on(self) -> None:
        """Let all of them open all files."""
        (self.folder / "go").touch()

    def clear(self) -> None:
        """Begin again."""
        for word in [self.folder / "go", *self.folder.glob("opens-*")]:
            word.unlink(missing_ok=True)
