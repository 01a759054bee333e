"""Where notifications may go: a Subscription must not make the server call what only the server can reach.

Hospitals' subscribers are inside private networks, so those are allowed unless the setting ``subscription_private`` says
no. Loopback is this machine itself, its databases and this server: only with ``subscription_loopback``. Link-local,
multicast, unspecified and reserved addresses, and those where clouds keep the credentials of a machine, are never allowed. A name
is held to this at each delivery, and the connection is made to the very address that was looked at.
"""

from __future__ import annotations

import socket
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from xinglin.records.subscriptions.errors import BadSubscription, Undelivered

if TYPE_CHECKING:
    from xinglin.kernel.settings import Settings

_CREDENTIALS: Final = frozenset(
    map(ip_address, ("169.254.169.254", "100.100.100.200", "168.63.129.16", "192.0.0.192", "fd00:ec2::254"))
)
_TRANSLATED: Final = tuple(map(ip_network, ("64:ff9b::/96", "64:ff9b:1::/48")))
"""Through these a translator leads to the IPv4 address in the last four bytes (RFC 6052, RFC 8215)."""
_THIS_NETWORK: Final = ip_network("0.0.0.0/8")


def allowed(address: IPv4Address | IPv6Address, settings: Settings) -> bool:
    """Whether notifications may be sent to ``address``."""
    if isinstance(address, IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if inner is None and any(address in network for network in _TRANSLATED):
            inner = IPv4Address(address.packed[-4:])
        if inner is not None:
            return allowed(inner, settings)
        if address.teredo is not None:
            return False
    if address in _CREDENTIALS or address in _THIS_NETWORK:
        return False
    if address.is_link_local or address.is_multicast or address.is_unspecified:
        return False
    if address.is_loopback:
        return settings.subscription_loopback
    if address.is_reserved:
        return False
    return address.is_global or settings.subscription_private


def check_written(resource: Any, settings: Settings) -> None:
    """Raises BadSubscription where the endpoint of a Subscription is an address, not a name, that is not allowed.

    Names are looked up when there is something to send: a write does not wait for a name server.
    """
    channel = resource.channel
    if resource.status == "off" or channel.type != "rest-hook":
        return
    try:
        host = urlsplit(channel.endpoint or "").hostname or ""
        local = host == "localhost" or host.endswith(".localhost")
        address = ip_address("127.0.0.1" if local else host)
    except ValueError:
        return  # a name, or what `definition.check` refuses
    if not allowed(address, settings):
        raise BadSubscription("records.subscription-address", expression="Subscription.channel.endpoint")


def resolved(host: str, port: int, settings: Settings) -> str:
    """An allowed address of ``host``. Raises Undelivered where it has none, or any that is not allowed."""
    try:
        found = {info[4][0] for info in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)}
    except (OSError, UnicodeError) as error:
        raise Undelivered("records.subscription-no-host") from error
    addresses = [ip_address(str(text).partition("%")[0]) for text in found]
    if not addresses or not all(allowed(address, settings) for address in addresses):
        raise Undelivered("records.subscription-address")
    addresses.sort(key=lambda address: address.version)
    return str(addresses[0])
