"""Puts a sandbox together as a Flask application."""

from __future__ import annotations

from importlib import import_module

from flask import Flask, Response, jsonify, request
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response as AnyResponse

from portal.sandbox import control, page
from portal.sandbox.config import SandboxConfig
from portal.sandbox.errors import ControlError
from portal.sandbox.world import World, world

GATEWAYS = ("cloudpayments", "yookassa")
_CONTENT_POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; connect-src 'self'"
)


def create_sandbox(config: SandboxConfig | None = None) -> Flask:
    """Return an application with both gateways. Its world does not keep time before ``world.start()``."""
    app = Flask(__name__)
    app.json.sort_keys = False  # type: ignore[attr-defined]  # Flask's default provider has it; the base class does not
    the_world = World(config or SandboxConfig())
    app.extensions["sandbox"] = the_world
    for gateway in GATEWAYS:
        simulator = import_module(f"portal.sandbox.{gateway}").simulator(the_world)
        the_world.register(simulator)
        for blueprint in simulator.blueprints:
            app.register_blueprint(blueprint)
    app.register_blueprint(control.blueprint)
    app.register_blueprint(page.blueprint)
    app.register_error_handler(ControlError, _control_error)
    app.register_error_handler(HTTPException, _routing_error)
    app.after_request(_protect)
    return app


def _control_error(error: ControlError) -> tuple[Response, int]:
    return jsonify(error={"code": error.code, "message": error.message}), error.status


def _routing_error(error: HTTPException) -> AnyResponse | HTTPException:
    """Let the gateway whose address was missed answer in its own manner."""
    status = error.code or 500
    simulator = world().simulators.get(request.path.split("/")[1])
    return simulator.routing_error(status) if simulator is not None and status in (404, 405) else error


def _protect(response: Response) -> Response:
    """Give pages a content policy unless their view has set its own."""
    response.headers.setdefault("X-Content-Type-Options", "nosniff")
    if response.mimetype == "text/html":
        response.headers.setdefault("Content-Security-Policy", _CONTENT_POLICY)
    return response
