"""The catalogue of scenes is whole: nobody adds a page that is never looked at."""

from __future__ import annotations

from flask import Flask

from dev.gallery.scenes import NOT_SHOWN, everything, why_not

SCENES = everything()


def opened_by_people(app: Flask) -> set[str]:
    """The endpoints of everything that answers GET."""
    return {rule.endpoint for rule in app.url_map.iter_rules() if "GET" in (rule.methods or ())}


def test_every_page_has_a_scene_or_a_reason(built_app: Flask) -> None:
    """A new page without a scene is told here, with its endpoint."""
    shown = {endpoint for scene in SCENES for endpoint in (scene.endpoint, scene.ends_at)}
    assert {one for one in opened_by_people(built_app) - shown if not why_not(one)} == set()


def test_no_scene_and_no_reason_is_left_over(built_app: Flask) -> None:
    """What is shown or excused exists; nothing is both."""
    shown = {scene.endpoint for scene in SCENES} | {scene.ends_at for scene in SCENES if scene.ends_at}
    assert shown - set(built_app.view_functions) == set()
    assert set(NOT_SHOWN) - opened_by_people(built_app) == set()
    assert shown & set(NOT_SHOWN) == set()
