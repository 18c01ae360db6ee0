"""Pictures of pages: taken, made small, put into an index and onto sheets."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image, ImageDraw

from dev.gallery import frames
from dev.gallery.browser import Stage
from dev.gallery.scenes import Scene

if TYPE_CHECKING:
    from playwright.sync_api import Page

#: Beyond this a page is a list that goes on and on; the desk's lists are all of one kind.
TALLEST, TALLEST_OF_THE_DESK = 1400, 800
#: Pictures in git stay for ever: these are small, and words can still be read.
WIDEST, QUALITY = 720, 18
#: Shown in two looks only: what differs from others is their words.
FEWER = frozenset({"mail", "en"})
_SHEET_COLUMNS = 4
_SHEET_HEIGHT = 1100
_GAP = 16


@dataclass(frozen=True, slots=True)
class Look:
    """How a page is looked at."""

    name: str
    width: int
    scheme: str


LOOKS = (
    Look("desktop-light", 1280, "light"),
    Look("desktop-dark", 1280, "dark"),
    Look("phone-dark", 375, "dark"),
    Look("phone-light", 375, "light"),
)


def take(stage: Stage, folder: Path) -> list[Path]:
    """The scene in every look; the same page throughout, so that it stays in its state."""
    return [_save(_photograph(stage, look), folder, stage.scene, look) for look in looks_of(stage.scene)]


def looks_of(scene: Scene) -> tuple[Look, ...]:
    """How this scene is photographed."""
    return (LOOKS[0], LOOKS[2]) if scene.group in FEWER else LOOKS


def show(page: Page, width: int, scheme: str) -> None:
    """Let the page stand in this width and these colours, and be drawn so."""
    page.set_viewport_size({"width": width, "height": 800})
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    frames.unfold(page, width)


def _photograph(stage: Stage, look: Look) -> Image.Image:
    show(stage.page, look.width, look.scheme)
    taken = stage.page.screenshot(full_page=not stage.scene.covered, animations="disabled", caret="hide")
    return shrunk(Image.open(io.BytesIO(taken)).convert("RGB"), stage.scene)


def shrunk(found: Image.Image, scene: Scene) -> Image.Image:
    """No wider and no taller than a picture of this scene has to be."""
    if found.width > WIDEST:
        found = found.resize((WIDEST, found.height * WIDEST // found.width), Image.Resampling.LANCZOS)
    tallest = TALLEST_OF_THE_DESK if scene.group == "desk" else TALLEST
    return found.crop((0, 0, found.width, min(found.height, tallest)))


def _save(picture: Image.Image, folder: Path, scene: Scene, look: Look) -> Path:
    file = folder / f"{scene.name}-{look.name}.webp"
    picture.save(file, "WEBP", quality=QUALITY, method=6)
    return file


def write_index(folder: Path, scenes: Sequence[Scene]) -> None:
    """A page that shows them all, group by group."""
    lines = [
        "# Every page in every state",
        "",
        "Made by `make screenshots`; [dev/gallery](../../dev/gallery) says how each state is brought about.",
    ]
    for group, found in groupby(scenes, key=lambda scene: scene.group):
        lines += ["", f"## {group}", "", "| | desktop | phone |", "|---|---|---|"]
        lines += [_row(scene) for scene in found]
    (folder / "README.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


def _row(scene: Scene) -> str:
    def links(device: str) -> str:
        schemes = sorted(
            (look.scheme for look in looks_of(scene) if look.name.startswith(device)), reverse=True
        )
        return " · ".join(f"[{scheme}]({scene.name}-{device}-{scheme}.webp)" for scheme in schemes)

    return f"| {scene.title} (`{scene.name}`) | {links('desktop')} | {links('phone')} |"


def write_sheets(folder: Path, scenes: Iterable[Scene], sheets: Path) -> None:
    """Many pictures on one, for a person who looks at all of them: a column a scene, four columns a sheet."""
    sheets.mkdir(parents=True, exist_ok=True)
    wanted = list(scenes)
    for look in LOOKS:
        columns = _SHEET_COLUMNS * (2 if look.width < 1000 else 1)
        for number, start in enumerate(range(0, len(wanted), columns)):
            part = wanted[start : start + columns]
            files = [folder / f"{scene.name}-{look.name}.webp" for scene in part]
            _sheet([file for file in files if file.exists()]).save(
                sheets / f"{look.name}-{number:02}.png", optimize=False
            )


def _sheet(files: Sequence[Path]) -> Image.Image:
    """Side by side, each under its name."""
    shown = []
    for file in files:
        picture = Image.open(file).convert("RGB")
        width = 480 if picture.width > 500 else 240
        height = min(round(picture.height * width / picture.width), _SHEET_HEIGHT)
        cut = picture.crop((0, 0, picture.width, round(height * picture.width / width)))
        shown.append((file.stem, cut.resize((width, height), Image.Resampling.LANCZOS)))
    width = sum(picture.width + _GAP for _, picture in shown) + _GAP
    height = max((picture.height for _, picture in shown), default=0)
    sheet = Image.new("RGB", (width, height + 2 * _GAP + 14), "#888888")
    draw, left = ImageDraw.Draw(sheet), _GAP
    for name, picture in shown:
        draw.text((left, 6), name[: picture.width // 6], fill="white")
        sheet.paste(picture, (left, _GAP + 8))
        left += picture.width + _GAP
    return sheet
