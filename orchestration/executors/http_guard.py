"""Where the `http` executor may connect to: every address is checked, and the checked address is the one used."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import unicodedata
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any

import httpcore
import httpx

from orchestration.domain.json_gate import safe_text
from orchestration.executors.base import ExecutorError

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolver = Callable[[str, int], Awaitable[Sequence[str]]]

_DENIED_V4 = [
    ipaddress.IPv4Network(network)
    for network in (
        "0.0.0.0/8",  # this network, unspecified
        "10.0.0.0/8",
        "100.64.0.0/10",  # carrier-grade NAT
        "127.0.0.0/8",
        "169.254.0.0/16",  # link-local, cloud metadata
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, broadcast
    )
]
_GLOBAL_V6 = ipaddress.IPv6Network("2000::/3")  # everything else is local, reserved or multicast
_DENIED_V6 = [ipaddress.IPv6Network(network) for network in ("2001::/23", "2001:db8::/32", "3fff::/20", "5f00::/16")]
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_COMPATIBLE = ipaddress.IPv6Network("::/96")


def blocked(host: str) -> ExecutorError:
    return ExecutorError(
        f"address not allowed: '{safe_text(host, 200)}' is or leads to a private or special address; an administrator "
        "can allow it in APFLOW_HTTP_ALLOW",
        code="blocked_address",
        retryable=False,
    )


def forbidden(host: str) -> ExecutorError:
    return ExecutorError(
        f"address not allowed: '{safe_text(host, 200)}' is private, and the owner of this tree has not the right "
        "'http_private': an administrator can give it",
        code="executor_forbidden",
        retryable=False,
    )


def invalid_url(message: str) -> ExecutorError:
    return ExecutorError(f"url: {message}", code="invalid_url", retryable=False)


def parse_address(text: str) -> Address | None:
    """The IP address that *text* is, or None."""
    try:
        return ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None


def embedded_addresses(address: Address) -> list[Address]:
    """The addresses that *address* really leads to: itself, or the ones inside a mapped, NAT64, 6to4 or Teredo form."""
    if isinstance(address, ipaddress.IPv4Address):
        return [address]
    if address.ipv4_mapped is not None:
        return [address.ipv4_mapped]
    if address in _NAT64 or (address in _COMPATIBLE and int(address) > 1):
        return [ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)]
    if address.sixtofour is not None:
        return [address.sixtofour]
    if address.teredo is not None:
        return [address, *address.teredo]
    return [address]


def is_public(address: Address) -> bool:
    """Whether *address*, no embedding form, is an ordinary address of the internet."""
    if isinstance(address, ipaddress.IPv4Address):
        return not any(address in network for network in _DENIED_V4)
    return address in _GLOBAL_V6 and not any(address in network for network in _DENIED_V6)


class AllowList:
    """The private places that settings allow: networks, addresses, `host` or `host:port`.

    *own*: places that are open to everybody (this server itself). *private*: whether who asks may use the others.
    """

    def __init__(
        self, entries: Iterable[str], ports: Iterable[str], *, own: Iterable[str] = (), private: bool = True
    ) -> None:
        self.private = private
        self.own = {entry.lower() for entry in own}
        self.networks: list[ipaddress.IPv4Network | ipaddress.IPv6Network] = []
        self.places: set[str] = set()
        self.ports = {str(port) for port in ports}
        for entry in entries:
            try:
                self.networks.append(ipaddress.ip_network(entry, strict=False))
            except ValueError:
                self.places.add(entry.lower().rstrip("."))

    def names(self, host: str, port: int) -> bool:
        """Whether *host* itself, or *host* with *port*, is listed."""
        shown = f"[{host}]" if ":" in host else host
        return host in self.places or f"{shown}:{port}" in self.places

    def is_own(self, host: str, port: int) -> bool:
        return f"{host}:{port}" in self.own or f"[{host}]:{port}" in self.own

    def check(self, address: Address, host: str, port: int) -> None:
        """Raises ExecutorError unless *host*, which is or leads to *address*, may be reached: blocked_address, or
        executor_forbidden when settings allow it, but not for who asks."""
        found = embedded_addresses(address)
        if self.is_own(host, port) or all(map(is_public, found)):
            return
        listed = self.names(host, port) or self.names(str(address), port)
        if not listed and not all(is_public(one) or any(one in part for part in self.networks) for one in found):
            raise blocked(host)
        if not self.private:
            raise forbidden(host)

    def check_port(self, host: str, port: int) -> None:
        if str(port) in self.ports or self.names(host, port) or self.is_own(host, port):
            return
        listed = ", ".join(sorted(self.ports, key=lambda text: (len(text), text)))
        raise ExecutorError(
            f"port {port} is not allowed; allowed: {listed} (APFLOW_HTTP_PORTS)", code="blocked_port", retryable=False
        )


def check_url(text: Any, allow: AllowList) -> httpx.URL:
    """The URL, if its form is safe. Raises ExecutorError (invalid_url, blocked_port, blocked_address)."""
    if not isinstance(text, str) or not text or len(text) > 8192:
        raise invalid_url("give a text of at most 8192 characters")
    if any(character <= " " or character == "\x7f" for character in text):
        raise invalid_url("blanks, line breaks and control characters are not allowed")
    if "\\" in text:
        raise invalid_url("backslash or user info in URL")
    text = _plain_host(text)
    try:
        url = httpx.URL(text)
        host, port = url.raw_host.decode("ascii"), url.port
    except (httpx.InvalidURL, ValueError):
        raise invalid_url("only http and https with a host") from None
    if url.scheme not in {"http", "https"} or not host:
        raise invalid_url("only http and https with a host")
    if port is not None and not 0 < port < 65536:
        raise invalid_url("there is no such port")
    host, port = host.lower().rstrip("."), port or (443 if url.scheme == "https" else 80)
    allow.check_port(host, port)
    address = parse_address(host)
    if address is not None:
        allow.check(address, host, port)
    return url


def _plain_host(text: str) -> str:
    """*text* with look-alike digits and dots of its authority made plain, as resolvers would read them."""
    scheme, separator, rest = text.partition("://")
    authority = rest.split("/", 1)[0].split("?", 1)[0].split("#", 1)[0]
    if "@" in authority:
        raise invalid_url("put credentials in inputs.auth: backslash or user info in URL")
    plain = unicodedata.normalize("NFKC", authority)
    if any(character in plain for character in "/?#@\\") and plain != authority:
        raise invalid_url("only http and https with a host")
    return f"{scheme}{separator}{plain}{rest[len(authority) :]}"


async def resolve(host: str, port: int) -> Sequence[str]:
    """All addresses of *host*, as the system resolves it."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


class GuardedBackend(httpcore.AsyncNetworkBackend):
    """Resolves once, checks every address, and connects to a checked one; TLS still names the host."""

    def __init__(self, allow: AllowList, resolver: Resolver | None = None) -> None:
        self.allow = allow
        self.resolver = resolver or resolve
        self.inner: httpcore.AsyncNetworkBackend = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        failure: Exception = httpcore.ConnectError("no address")
        for address in await self.checked_addresses(host, port):
            try:
                return await self.inner.connect_tcp(address, port, timeout, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
        raise failure

    async def checked_addresses(self, host: str, port: int) -> list[str]:
        """The addresses of *host*. Raises ExecutorError, as AllowList.check, when even one of them is not allowed."""
        name = host.lower().rstrip(".")
        try:
            found = await self.resolver(name, port)
        except (OSError, UnicodeError) as error:
            raise httpcore.ConnectError(f"'{safe_text(name, 200)}' cannot be resolved: {error}") from error
        for text in found:
            address = parse_address(text)
            if address is None:
                raise blocked(name)
            self.allow.check(address, name, port)
        return list(found)

    async def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        raise blocked(path)

    async def sleep(self, seconds: float) -> None:
        await self.inner.sleep(seconds)
