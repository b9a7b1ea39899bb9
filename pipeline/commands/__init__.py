"""One module a command: `HELP`, `add_flags(parser)`, and `run(settings, options)` -> exit code.

They import what is heavy where it is used: the command line loads all of them to show its help, and
a query for a known video must not wait for torch. Results go to stdout, all else to stderr.
"""

NAMES = (
    "scan",
    "watch",
    "export",
    "query",
    "suggest",
    "check",
    "plot",
    "status",
    "failures",
    "retry",
    "forget",
    "doctor",
)
