"""What Flask's extensions give, made once; :func:`portal.create_app` binds them to an application."""

from __future__ import annotations

from flask_babel import Babel
from flask_limiter import Limiter
from flask_limiter.util import get_remote_address
from flask_login import LoginManager
from flask_wtf import CSRFProtect

login_manager = LoginManager()
babel = Babel()
csrf = CSRFProtect()
# Redis down must not close the shop: each process then counts for itself.
limiter = Limiter(
    get_remote_address,
    strategy="moving-window",
    in_memory_fallback_enabled=True,
    headers_enabled=False,
    swallow_errors=True,
)
