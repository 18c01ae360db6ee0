"""What an ordinary run leaves out, and that it leaves out no value."""

from __future__ import annotations

import pytest

from tests import shares


@pytest.fixture
def ordinary(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that nobody asked to try everything."""
    monkeypatch.setattr(shares, "EVERY_ONE", False)


def test_each_value_is_tried(ordinary: None) -> None:
    """A short list begins again until the long one is through."""
    assert shares.pairs("ab", "xy") == (("a", "x"), ("b", "y"))
    assert shares.pairs("ab", "xyz") == (("a", "x"), ("b", "y"), ("a", "z"))
    assert sorted(shares.share("vwxyz", 0) + shares.share("vwxyz", 1)) == list("vwxyz")


def test_all_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """Asked for everything, each is tried with every other, and nobody shares."""
    monkeypatch.setattr(shares, "EVERY_ONE", True)
    assert len(shares.pairs("ab", "xyz")) == 6
    assert shares.share("vwxyz", 0) == shares.share("vwxyz", 1) == tuple("vwxyz")
