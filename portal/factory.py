"""Puts the application together: configuration, extensions, pages, admin, commands."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from flask import Flask
from werkzeug.middleware.proxy_fix import ProxyFix

import config as environment
from portal import admin, cli, clock, jobs, logs, models, secrets, web
from portal.database import ENGINE_OPTIONS, db, migrate
from portal.extensions import babel, csrf, limiter, login_manager
from portal.mail import Mailer
from portal.web import headers, reader

ROOT = Path(__file__).resolve().parent.parent

# A notification has some kilobytes, a form less; a megabyte is refused before it is read (HTTP 413).
LARGEST_BODY = 1024 * 1024


def build(config: environment.Config | None = None) -> Flask:
    """Build the portal. See :func:`portal.create_app`."""
    config = config or environment.load()
    logs.configure(config.log_format)
    clock.movable(config.clock_file if config.sandbox else None)
    secrets.use(secrets.Vault(config.settings_encryption_keys))
    app = Flask("portal", template_folder=str(ROOT / "templates"), static_folder=str(ROOT / "static"))
    app.config.from_mapping(_flask_settings(config))
    app.extensions["portal_config"] = config
    app.extensions["portal_mailer"] = _mailer(config)
    if config.trusted_proxies:
        hops = config.trusted_proxies
        fixed = ProxyFix(app.wsgi_app, x_for=hops, x_proto=hops, x_host=0)
        app.wsgi_app = fixed  # type: ignore[method-assign]  # Flask documents it so
    db.init_app(app)
    migrate.init_app(app, db, directory=str(ROOT / "migrations"))
    jobs.init_app(app, config.redis_url)
    babel.init_app(app, locale_selector=reader.choose_locale)
    csrf.init_app(app)
    limiter.init_app(app)
    login_manager.init_app(app)
    web.init_app(app, config)
    admin.init_app(app, headers.nonce)
    cli.init_app(app)
    app.shell_context_processor(lambda: {"db": db, "models": models})
    return app


def _flask_settings(config: environment.Config) -> dict[str, object]:
    """Flask's own names for what the configuration says."""
    limits_url = config.redis_url.replace("unix://", "redis+unix://", 1)
    return {
        "SECRET_KEY": config.secret_key,
        "SQLALCHEMY_DATABASE_URI": config.database_url,
        "SQLALCHEMY_ENGINE_OPTIONS": ENGINE_OPTIONS,
        "MAX_CONTENT_LENGTH": LARGEST_BODY,
        "SESSION_COOKIE_NAME": "__Host-session" if config.secure else "session",
        "SESSION_COOKIE_SECURE": config.secure,
        "SESSION_COOKIE_HTTPONLY": True,
        "SESSION_COOKIE_SAMESITE": "Lax",
        "PERMANENT_SESSION_LIFETIME": timedelta(days=30),
        "WTF_CSRF_CHECK_DEFAULT": False,  # web.guards decides the order: who are you, then is it your form
        "WTF_CSRF_TIME_LIMIT": None,  # a token lives as long as its session
        "WTF_CSRF_HEADERS": ["X-CSRFToken", "X-CSRF-Token"],
        "RATELIMIT_STORAGE_URI": limits_url,
        "RATELIMIT_IN_MEMORY_FALLBACK_ENABLED": True,
        "RATELIMIT_ENABLED": config.rate_limits,
        "BABEL_DEFAULT_LOCALE": "ru",
        "BABEL_DEFAULT_TIMEZONE": config.tz_display,
        "BABEL_TRANSLATION_DIRECTORIES": str(ROOT / "translations"),
        "TEMPLATES_AUTO_RELOAD": False,
    }


def _mailer(config: environment.Config) -> Mailer:
    return Mailer(
        sender=config.mail_from,
        server=config.mail_server,
        port=config.mail_port,
        username=config.mail_username,
        password=config.mail_password,
        use_tls=config.mail_use_tls,
        sandbox_url=config.mail_sandbox_url,
    )
