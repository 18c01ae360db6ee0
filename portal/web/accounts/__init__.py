"""Accounts: getting in and out, the links of letters, one's own settings. One blueprint, one file per kind of
page.
"""

from __future__ import annotations

from portal.web.accounts.blueprint import bp

from portal.web.accounts import closing, entry, new_address, recovery, settings  # isort: skip  # they put their views on bp

__all__ = ["bp", "closing", "entry", "new_address", "recovery", "settings"]
