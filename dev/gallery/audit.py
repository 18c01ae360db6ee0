"""``make audit``: axe, widths, zoom, layout shift and weight of every page in every state; then Lighthouse.

Exit code 1 when anything is found, or when Lighthouse gives fewer than 98 points anywhere.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from typing import TYPE_CHECKING

from playwright.sync_api import Error

from dev.gallery import lighthouse
from dev.gallery.browser import WrongScene, open_browser, staged
from dev.gallery.checks import WIDTHS, Result, examine
from dev.gallery.scenes import Scene, chosen
from dev.gallery.world import open_world
from dev.processes import CannotStart
from dev.toy_shop import Surprise

if TYPE_CHECKING:
    from playwright.sync_api import Browser

    from dev.gallery.world import World


def main(arguments: list[str] | None = None) -> int:
    """Look at everything and report."""
    options = _options().parse_args(arguments)
    begun = time.monotonic()
    scenes = [] if options.no_pages else list(chosen(options.only))
    good = True
    try:
        with open_world() as world:
            print(f"The shop is there ({time.monotonic() - begun:.0f} s); {len(scenes)} scenes.", flush=True)
            with open_browser() as browser:
                results = [_examine(browser, world, scene) for scene in scenes]
            good = _report(results)
            if not options.no_lighthouse:
                scores = lighthouse.table(world)
                good = good and all(score.is_good for score in scores)
    except (CannotStart, Surprise) as error:
        print(error, file=sys.stderr)
        return 1
    print(f"\n{'Nothing to mend' if good else 'NOT GOOD ENOUGH'} ({time.monotonic() - begun:.0f} s)")
    return 0 if good else 1


def _options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="make audit", description=__doc__)
    parser.add_argument("--only", default="", help="scenes whose names begin so, separated by commas")
    parser.add_argument("--no-pages", action="store_true", help="Lighthouse alone")
    parser.add_argument("--no-lighthouse", action="store_true", help="the pages alone")
    return parser


def _examine(browser: Browser, world: World, scene: Scene) -> Result:
    """One scene; a scene that cannot be brought about is a finding."""
    try:
        with staged(browser, world, scene) as stage:
            result = examine(stage)
    except (WrongScene, Surprise, Error) as error:
        result = Result(scene.name, [f"not brought about: {str(error).splitlines()[0]}"])
    for line in result.findings:
        print(f"  {scene.name}: {line}", flush=True)
    return result


def _report(results: list[Result]) -> bool:
    """The sums, and whether there is nothing to mend."""
    if not results:
        return True
    found = [line for result in results for line in result.findings]
    looks = sum(result.looks for result in results)
    print(f"\n{looks} looks ({' / '.join(map(str, WIDTHS))} px, light and dark) at {len(results)} scenes:")
    print(f"  findings {len(found)}")
    for rule, times in Counter(line.split(": ")[1] for line in found).most_common():
        print(f"    {times:>5} {rule}")
    heaviest = max(results, key=lambda result: result.weight)
    print(f"  most CSS and JavaScript: {heaviest.weight / 1000:.1f} kB ({heaviest.name})")
    moved = max(results, key=lambda result: result.shift)
    print(f"  largest layout shift: {moved.shift:.4f} ({moved.name})")
    return not found


if __name__ == "__main__":
    sys.exit(main())
