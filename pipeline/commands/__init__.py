"""One module a command: `HELP`, `EXAMPLE`, `add_flags(parser)`, `run(settings, options)`.

`run` returns the exit code. A command turns flags into the plain arguments of a service, calls it
and prints what it returns: results on stdout, all else on stderr. Each imports heavy modules inside
`run`, because `--help` imports all commands, and a query for a known video must not wait for torch.
"""

GROUPS = {
    "start": ("demo", "scan", "watch"),
    "find and sort": ("web", "query", "suggest", "check", "plot"),
    "train": ("export",),
    "look after": (
        "models",
        "fetch",
        "status",
        "failures",
        "retry",
        "forget",
        "doctor",
        "config",
        "completion",
    ),
}
"""The commands as `--help` lists them."""

WITHOUT_SETTINGS = ("demo", "completion")
"""Commands that work beside any config.toml, also one of another program."""

NAMES = tuple(name for names in GROUPS.values() for name in names)
