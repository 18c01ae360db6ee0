"""``make screenshots``: every page in every state, light and dark, on a phone and on a desk, as a picture."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from playwright.sync_api import Browser, Error

from dev.environment import ROOT
from dev.gallery import pictures
from dev.gallery.browser import WrongScene, open_browser, staged
from dev.gallery.scenes import Scene, chosen, everything
from dev.gallery.world import World, open_world
from dev.processes import CannotStart
from dev.toy_shop import Surprise

FOLDER = ROOT / "docs" / "screenshots"


def main(arguments: list[str] | None = None) -> int:
    """Take them all; exit code 1 when a scene could not be brought about."""
    options = _options().parse_args(arguments)
    begun = time.monotonic()
    scenes = list(chosen(options.only))
    try:
        with open_browser() as browser, open_world() as world:
            print(f"The shop is there ({time.monotonic() - begun:.0f} s); {len(scenes)} scenes.", flush=True)
            failed = _take_all(browser, world, scenes, options.into)
    except (CannotStart, Surprise) as error:
        print(error, file=sys.stderr)
        return 1
    if not options.only:
        _forget_others(options.into)
        pictures.write_index(options.into, everything())
    if options.sheets:
        pictures.write_sheets(options.into, scenes, options.sheets)
    size = sum(file.stat().st_size for file in options.into.glob("*.webp"))
    print(f"{size / 1e6:.1f} MB in {options.into} ({time.monotonic() - begun:.0f} s)")
    return 1 if failed else 0


def _options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="make screenshots", description=__doc__)
    parser.add_argument("--only", default="", help="scenes whose names begin so, separated by commas")
    parser.add_argument("--into", type=Path, default=FOLDER, help="the folder of the pictures")
    parser.add_argument("--sheets", type=Path, help="a folder for sheets with many pictures on each")
    return parser


def _take_all(browser: Browser, world: World, scenes: list[Scene], folder: Path) -> int:
    """How many scenes failed; each is told at once."""
    folder.mkdir(parents=True, exist_ok=True)
    failed = 0
    for scene in scenes:
        try:
            with staged(browser, world, scene) as stage:
                pictures.take(stage, folder)
        except (WrongScene, Surprise, Error) as error:
            failed += 1
            print(f"{scene.name}: {str(error).splitlines()[0]}", file=sys.stderr, flush=True)
    return failed


def _forget_others(folder: Path) -> None:
    """Remove pictures of scenes that there are no more."""
    known = {f"{scene.name}-{look.name}.webp" for scene in everything() for look in pictures.looks_of(scene)}
    for file in folder.glob("*.webp"):
        if file.name not in known:
            file.unlink()


if __name__ == "__main__":
    sys.exit(main())
