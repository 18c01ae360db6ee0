"""HTTP in, HTML or JSON out: one file per page area. A view reads a form, calls one verb of billing or
accounts, renders.
"""

from __future__ import annotations

from flask import Flask

from config import Config
from portal.accounts import letters
from portal.billing import card_letters, letter_links, notices, overtaken
from portal.web import (
    accounts,
    api,
    cancellation,
    checkout,
    desk_door,
    errors,
    filters,
    guards,
    headers,
    health,
    history,
    language,
    methods,
    payment,
    plan_changes,
    plans,
    product_api,
    reader,
    renewal,
    renewal_links,
    sandbox,
    styleguide,
    styleguide_mail,
    webhooks,
)


def init_app(app: Flask, config: Config) -> None:
    """Give *app* its pages and what stands before and behind every one of them."""
    reader.init_app(app)
    guards.init_app(app)
    errors.init_app(app)
    headers.init_app(app)
    filters.init_app(app)
    letters.init()
    notices.made_at_sending("renewal_link", letter_links.of_renewal)
    notices.true_while("renewal_failed", overtaken.is_still_refused)
    notices.true_while("plan_ends", overtaken.is_still_ending)
    notices.true_while(card_letters.KIND, card_letters.is_still_asked)
    for area in (
        plans.bp,
        accounts.bp,
        checkout.bp,
        payment.bp,
        history.bp,
        cancellation.bp,
        plan_changes.bp,
    ):
        app.register_blueprint(area)
    for area in (language.bp, methods.bp, renewal.bp, renewal_links.bp, desk_door.blueprint):
        app.register_blueprint(area)
    for door in (webhooks.blueprint, api.blueprint, product_api.blueprint, health.blueprint):
        app.register_blueprint(door)
    if config.sandbox:
        app.register_blueprint(sandbox.blueprint)
        app.register_blueprint(styleguide.blueprint)
        app.register_blueprint(styleguide_mail.blueprint)
