"""Which addresses may be asked: https anywhere, http on this machine alone."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

from dessin.errors import DessinError


def check_address(url: str) -> None:
    """
    Raises:
        DessinError: neither https nor http on loopback.
    """
    if not _allowed(url):
        raise DessinError(
            f"The address {url} is not fetched.", allowed="Only https is (and http from this machine itself)."
        )


def may_follow(start: str, target: str) -> bool:
    """Whether a redirect is followed: to https, or from loopback to loopback."""
    secure = urlsplit(target).scheme == "https"
    return _allowed(target) and (secure or urlsplit(start).scheme == "http")


def on_this_machine(url: str) -> bool:
    try:
        host = urlsplit(url).hostname or ""
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _allowed(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    if not parts.hostname or parts.username is not None:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and on_this_machine(url))
