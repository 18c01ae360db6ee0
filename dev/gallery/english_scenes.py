"""Some of the pages in English: the ways to and from the money."""

from __future__ import annotations

from dataclasses import replace

from dev.gallery import customer_scenes, payment_scenes, visitor_scenes

NAMES = frozenset(
    {
        "home",
        "plans",
        "register-empty",
        "checkout",
        "checkout-errors",
        "payment-declined",
        "result-declined",
        "result-paid",
        "dashboard-renews",
        "dashboard-overdue",
        "dashboard-none",
        "renewal-pay",
        "change-up",
        "cancel-inside",
        "methods",
        "history",
        "account",
        "account-close",
        "account-email",
        "error-404",
    }
)
_RUSSIAN = (*visitor_scenes.SCENES, *payment_scenes.SCENES, *customer_scenes.SCENES)
SCENES = tuple(
    replace(scene, name=f"en-{scene.name}", title=f"{scene.title} (по-английски)", language="en")
    for scene in _RUSSIAN
    if scene.name in NAMES
)
