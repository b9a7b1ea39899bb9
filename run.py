"""The command line: `python run.py COMMAND`. All of it is in pipeline/commands/main.py."""

from __future__ import annotations

import sys

from pipeline.commands.main import main, run_process

__all__ = ["main"]

if __name__ == "__main__":
    sys.exit(run_process())
