"""Who may be spoken to: the public internet over https, and what the server's operator opened by name or network."""

from __future__ import annotations

import ipaddress
import ssl
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from chainloop_ci.errors import ConfigInvalidError
from server.config import ServerConfig
from server.egress.addresses import Address, kind_of_closed
from server.egress.targets import Origin
from server.errors import EgressRefusedError, EgressUnreachableError
from server.setting_values import EgressProxy, OpenedHost

_CLOSED_NAMES = frozenset({"localhost", "host.docker.internal", "gateway.docker.internal"})
_CLOSED_ENDS = (
    ".localhost",
    ".localdomain",
    ".local",
    ".internal",  # metadata.google.internal; never to be delegated (ICANN, 2024)
    ".lan",
    ".home.arpa",
    ".svc",  # Kubernetes, short by its search list
    ".cluster.local",
)
_ASK_THE_OPERATOR = "the server's operator opens a host of a private network with CHAINLOOP_EGRESS_ALLOW"


@dataclass(frozen=True, slots=True)
class Policy:
    """What the operator settled for all organizations; a tenant has no say in it (R45)."""

    opened: tuple[OpenedHost, ...] = ()
    proxy: EgressProxy | None = None
    """For all that is not opened. It finds the addresses of names then: it has to refuse private ones."""
    authorities: Path | None = None
    """PEM file of certificate authorities that are trusted beside the system's."""

    @classmethod
    def from_config(cls, config: ServerConfig) -> Policy:
        """Return what the settings say."""
        return cls(config.egress_allow, config.egress_proxy, config.egress_ca)

    def is_opened(self, origin: Origin) -> bool:
        """Tell whether the operator named this host, or the network of an address that is written out."""
        address = origin.address
        if address is not None:
            return self._is_in_opened_network(address, origin.port)
        return any(item.host == origin.host and item.port in (None, origin.port) for item in self.opened)

    def require(self, origin: Origin) -> None:
        """Refuse what can be refused before its name is resolved.

        Raises:
            EgressRefusedError: an address that is not public, a name of private networks, or http to a public host.
        """
        if self.is_opened(origin):
            return
        if origin.address is not None:
            self._require_public(origin, origin.address)
        elif _is_closed_name(origin.host):
            raise EgressRefusedError(
                f"{origin} is not reached: {origin.host} is a name of private networks", hint=_ASK_THE_OPERATOR
            )
        # An opened network may hold the address of a name.
        if origin.scheme == "http" and (origin.address is not None or not self._opens_networks()):
            raise _plain(origin)

    def require_addresses(self, origin: Origin, found: Sequence[str]) -> tuple[Address, ...]:
        """Return the addresses of a host, all of which may be connected to.

        One that may not refuses the host: which of them a connection takes is chance.

        Raises:
            EgressRefusedError: one is not public, or http would go to one that is.
            EgressUnreachableError: there is none.
        """
        addresses = tuple(dict.fromkeys(_parse(found)))
        if not addresses:
            raise EgressUnreachableError(f"the name {origin.host} has no address", hint="check the address")
        if self.is_opened(origin):
            return addresses
        for address in addresses:
            if self._is_in_opened_network(address, origin.port):
                continue
            self._require_public(origin, address)
            if origin.scheme == "http":
                raise _plain(origin)
        return addresses

    def trust(self) -> ssl.SSLContext:
        """Return what certificates are checked with: the system's authorities and the operator's.

        Raises:
            ConfigInvalidError: the operator's file holds no certificates.
        """
        context = ssl.create_default_context()
        if self.authorities is None:
            return context
        try:
            context.load_verify_locations(cafile=str(self.authorities))
        except OSError as error:  # ssl.SSLError is one
            raise ConfigInvalidError(
                f"CHAINLOOP_EGRESS_CA: expected a PEM file of certificates at {self.authorities}, found none",
                hint="give the path of a file that this user may read",
            ) from error
        return context

    def _opens_networks(self) -> bool:
        return any(item.network is not None for item in self.opened)

    def _is_in_opened_network(self, address: Address, port: int) -> bool:
        return any(
            item.network is not None and address in item.network and item.port in (None, port) for item in self.opened
        )

    def _require_public(self, origin: Origin, address: Address) -> None:
        # The address itself stays unsaid: names of the operator's network are not everybody's to look up.
        kind = kind_of_closed(address)
        if kind is not None:
            raise EgressRefusedError(
                f"{origin} is not reached: its address is not of the public internet ({kind})", hint=_ASK_THE_OPERATOR
            )


def _parse(found: Iterable[str]) -> Iterable[Address]:
    for text in found:
        yield ipaddress.ip_address(text)


def _is_closed_name(host: str) -> bool:
    """Tell whether a name means something else in each network: without a dot, or below a private end."""
    return "." not in host or host in _CLOSED_NAMES or host.endswith(_CLOSED_ENDS)


def _plain(origin: Origin) -> EgressRefusedError:
    return EgressRefusedError(
        f"{origin} is not reached: nothing is sent without encryption to a host that is not opened for it (R23)",
        hint=f"use https; {_ASK_THE_OPERATOR}",
    )
