"""What a browser calls itself, in two words that its owner recognises."""

from __future__ import annotations

from portal.wording import marked, say

# The first that matches wins: every browser also names the ones it wants to be taken for.
_BROWSERS = (
    ("YaBrowser/", marked("Яндекс Браузер")),
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("Firefox/", "Firefox"),
    ("FxiOS/", "Firefox"),
    ("CriOS/", "Chrome"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
)
_SYSTEMS = (
    ("Android", "Android"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Windows", "Windows"),
    ("Macintosh", "macOS"),
    ("CrOS", "ChromeOS"),
    ("Linux", "Linux"),
)


def device(user_agent: str) -> str:
    """``Chrome, Windows``; «Неизвестное устройство» for what says nothing known."""
    found = [
        next((name for mark, name in names if mark in user_agent), None) for names in (_BROWSERS, _SYSTEMS)
    ]
    return ", ".join(say(name) for name in found if name) or say("Неизвестное устройство")
