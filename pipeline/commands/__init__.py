"""One module a command: `HELP`, `add_flags(parser)`, and `run(settings, options)` -> exit code.

A command turns flags into the plain arguments of a service, calls it and prints what it returns:
results on stdout, all else on stderr. Each imports heavy modules inside `run`, because `--help`
imports all commands, and a query for a known video must not wait for torch.
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
