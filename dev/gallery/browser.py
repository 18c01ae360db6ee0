"""Chromium in front of the world: each scene brought about in a browser of the person who sees it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from dev.gallery.scenes import Scene
from dev.processes import CannotStart

if TYPE_CHECKING:
    from dev.gallery.world import World

#: Root needs no-sandbox; the others keep Chromium from looking for its maker's hosts.
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--force-color-profile=srgb",
    "--font-render-hinting=none",
    "--lang=ru",
)
NAMES = ("chromium", "chromium-browser", "google-chrome")
#: What the console says of an answer that a scene means to get.
EXPECTED = ("the server responded with a status of", "net::ERR_FAILED")

_LISTEN = """
if (window.top === window) {
  new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) {
      if (entry.hadRecentInput) { continue; }
      const nodes = entry.sources.map(({ node }) => node instanceof Element ? node : node?.parentElement);
      const names = nodes.filter(Boolean).map((node) => `${node.localName}.${node.className}`);
      window.galleryShift(entry.value, names.join(", "));
    }
  }).observe({ type: "layout-shift", buffered: true });
}
"""


class WrongScene(AssertionError):
    """A scene shows something else than it says."""


@dataclass
class Stage:
    """A page in one scene's state, and what was noticed on the way there."""

    scene: Scene
    page: Page
    #: How much moved by itself, by the measure of Cumulative Layout Shift.
    shift: float = 0.0
    #: What moved then.
    moved: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)


def path() -> str:
    """Where Chromium is. Raises :class:`CannotStart` with the command that helps."""
    found = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        raise CannotStart(
            "No Chromium on this machine: run `make chromium` (as root on Debian), or set CHROMIUM."
        )
    return found


@contextmanager
def open_browser() -> Iterator[Browser]:
    """A Chromium that ends with the block."""
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=path(), args=list(FLAGS))
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def staged(browser: Browser, world: World, scene: Scene, width: int = 1280) -> Iterator[Stage]:
    """Bring a scene about; its shop-wide circumstances last as long as the block."""
    with ExitStack() as stack:
        world.send_letters()
        if scene.during is not None:
            stack.enter_context(scene.during(world))
        address = world.shop.url + scene.address(world)
        context = _context(browser, world, scene, width)
        stack.callback(context.close)
        stage = Stage(scene, context.new_page())
        _listen(stage)
        answer = stage.page.goto(address, wait_until="load")
        if answer is None or answer.status != scene.status:
            raise WrongScene(f"{scene.name}: {address} answered {answer and answer.status}")
        _settle(stage.page)
        if scene.act is not None:
            scene.act(stage.page, world)
            _settle(stage.page)
        _look_where_it_is(stage, world)
        yield stage


def _context(browser: Browser, world: World, scene: Scene, width: int) -> BrowserContext:
    context = browser.new_context(
        viewport={"width": width, "height": 800},
        locale="ru-RU",
        color_scheme="light",
        reduced_motion="reduce",
    )
    context.set_default_timeout(15_000)
    cookies = {"language": scene.language}
    if scene.who:
        cookies |= {one.name: one.value or "" for one in world.people[scene.who].session.cookies}
    context.add_cookies(
        [{"name": name, "value": value, "url": world.shop.url} for name, value in cookies.items()]
    )
    return context


def _listen(stage: Stage) -> None:
    page = stage.page

    def shifted(value: float, names: str) -> None:
        stage.shift += value
        stage.moved.append(names)

    page.expose_function("galleryShift", shifted)
    page.add_init_script(_LISTEN)
    page.on("pageerror", lambda error: stage.complaints.append(str(error)))
    page.on(
        "console",
        lambda said: (
            stage.complaints.append(said.text)
            if said.type in {"error", "warning"} and not any(word in said.text for word in EXPECTED)
            else None
        ),
    )


def _settle(page: Page) -> None:
    """Two frames later everything that the load has set off is drawn."""
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")


def _look_where_it_is(stage: Stage, world: World) -> None:
    """A picture of the sign-in page under another name would fool everybody."""
    adapter = world.app.url_map.bind("localhost")
    wanted = stage.scene.ends_at or stage.scene.endpoint
    allowed = adapter.allowed_methods(urlsplit(stage.page.url).path)
    found = {
        adapter.match(urlsplit(stage.page.url).path, method=method)[0]
        for method in {"GET", "POST"} & set(allowed)
    }
    if wanted not in found:
        raise WrongScene(f"{stage.scene.name} ended at {stage.page.url}, which is not {wanted}")
