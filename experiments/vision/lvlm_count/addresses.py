"""Addresses of servers that are asked: what one must be, before anything is sent or stored."""

import urllib.parse

from experiments.files.words import quoted
from ntkexec.errors import ExperimentError


class EndpointError(ExperimentError):
    """A model's server has no valid address, refuses, is not there, or gives no count."""


def checked(address: str) -> str:
    """The address, if it is one of a server up to `/chat/completions`, and holds no secret.

    Raises:
        EndpointError: for another scheme, no host, a user or password, a query or a fragment; it shows
            the address without them.
    """
    said = quoted(address, secret=True)
    if not address.isascii() or not address.isprintable() or " " in address:
        raise EndpointError(f"{said} is no address; it holds printable ASCII characters alone")
    try:
        parts = urllib.parse.urlsplit(address)
        host = parts.hostname
        _ = parts.port  # raises if it is none
    except ValueError as error:
        # The error repeats what it could not read, which may be a password.
        raise EndpointError(f"{said} is no address; its host or port cannot be read") from error
    if parts.scheme not in ("http", "https"):
        raise EndpointError(f"{said} is no address; it begins with http:// or https://")
    if "@" in parts.netloc:
        raise EndpointError(f"{said} holds a user or a password; give a key by OPENAI_API_KEY")
    if "?" in address or "#" in address:
        raise EndpointError(f"{said} has a query or a fragment; an address ends like /v1")
    if not host:
        raise EndpointError(f"{said} is no address; it names no host")
    return address
