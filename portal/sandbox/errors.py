"""The one error that the control API answers with."""

from __future__ import annotations


class ControlError(Exception):
    """A control request that cannot be done, answered as ``{"error": {"code", "message"}}``."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
