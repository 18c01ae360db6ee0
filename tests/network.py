"""The suite speaks to this machine only: any other address is a mistake of a test or a library."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable
from typing import Any


class OutsideWorld(RuntimeError):
    """A test tried to reach another machine; no OSError, or a gateway would take it for a network failure."""


def is_local(host: object) -> bool:
    """Whether a host as given to the socket module is this machine."""
    if host in {None, "", b"", "localhost", b"localhost"}:
        return True
    text = host.decode() if isinstance(host, bytes) else str(host)
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified


def close_to_the_outside() -> Callable[[], None]:
    """Let this process's sockets reach loopback and unix addresses only; the answer undoes it."""
    originals = {name: getattr(socket.socket, name) for name in ("connect", "connect_ex", "sendto")}
    resolve = socket.getaddrinfo

    def guard(name: str) -> Callable[..., Any]:
        original = originals[name]

        def checked(self: socket.socket, *arguments: Any) -> Any:
            address = arguments[-1]
            if self.family in {socket.AF_INET, socket.AF_INET6} and not is_local(address[0]):
                raise OutsideWorld(f"{name} to {address[0]} from a test")
            return original(self, *arguments)

        return checked

    def checked_resolve(host: Any, *arguments: Any, **options: Any) -> Any:
        if not is_local(host):
            raise OutsideWorld(f"looking up {host} from a test")
        return resolve(host, *arguments, **options)

    for name in originals:
        setattr(socket.socket, name, guard(name))
    socket.getaddrinfo = checked_resolve

    def undo() -> None:
        for name in originals:
            delattr(socket.socket, name)  # uncovers the inherited method
        socket.getaddrinfo = resolve

    return undo
