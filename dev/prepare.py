"""The commands that make a database ready, one after the other in one process: ``python -m dev.prepare``.

Each is a ``flask --app wsgi …`` that is safe to run twice; to import the portal takes longer than all three.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

COMMANDS: Final = (("db", "upgrade"), ("create-extended-plans",), ("demo-accounts",))
_MARK: Final = "$ flask "


def failed(log: Path, *, lines: int = 12) -> tuple[str, str]:
    """The command that was under way when a process that wrote to *log* ended, and its last words."""
    said = log.read_text(encoding="utf-8", errors="replace").splitlines()
    begun = [number for number, line in enumerate(said) if line.startswith(_MARK)]
    if not begun:
        return "", "\n".join(said[-lines:])
    return said[begun[-1]].removeprefix(_MARK), "\n".join(said[begun[-1] + 1 :][-lines:])


def main() -> None:
    """Run them all; a command that fails ends the process as ``flask`` would, with its code and its words."""
    from flask.cli import cli  # late: the supervisor, too, imports this module, and starts no Flask

    for command in COMMANDS:
        print(f"{_MARK}{' '.join(command)}", flush=True)
        try:
            cli.main(["--app", "wsgi", *command], prog_name="flask")
        except SystemExit as end:  # click always ends so
            if end.code:
                raise


if __name__ == "__main__":
    main()
