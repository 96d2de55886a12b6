"""Where a server listens, and how a channel to it is made."""

from __future__ import annotations

import ipaddress
import os
import pathlib
import re
from dataclasses import dataclass

import grpc
import grpc.aio

FilePath = str | os.PathLike[str]

WINDOW = 1 << 20
# Above the largest event that a journal takes.
LARGEST_MESSAGE = 16 << 20
OPTIONS = (
    # Many have a proxy in their environment; a sidecar is not asked through it.
    ("grpc.enable_http_proxy", 0),
    # A new connection for each attempt: one that went silent may be dead without knowing it.
    ("grpc.use_local_subchannel_pool", 1),
    # 64 KiB windows, the default, cost two thirds of the throughput.
    ("grpc.http2.lookahead_bytes", WINDOW),
    ("grpc.max_receive_message_length", LARGEST_MESSAGE),
    ("grpc.keepalive_time_ms", 30_000),
    # A slow link is not a dead one; the server's heartbeats are the real sign of life.
    ("grpc.keepalive_timeout_ms", 60_000),
)


@dataclass(frozen=True)
class Tls:
    """Files in PEM, read at each attempt: `ca_file` in place of the system's authorities, and the
    certificate and key of this client where the server asks who it is."""

    ca_file: FilePath | None = None
    cert_file: FilePath | None = None
    key_file: FilePath | None = None


class Door:
    """A server, and what it takes to be let in."""

    def __init__(self, target: str, tls: Tls | None, token_file: FilePath | None) -> None:
        self._target, self._tls, self._token_file = target, tls, token_file
        self._unix = target.startswith("unix:")
        if self._unix:
            path = target.removeprefix("unix:").removeprefix("//")
            if not path.startswith("/"):
                raise ValueError(f"target {target!r}: the path of a socket is absolute: unix:/path")
            if tls is not None:
                raise ValueError(f"tls: {target!r} is a Unix socket, which has none; leave it out")
            return
        named = re.fullmatch(r"(\[[0-9a-fA-F:.]+\]|[^\s/:@\[\]]+):(\d{1,5})", target)
        if not named:
            raise ValueError(f"target {target!r}: write it as host:port or unix:/path")
        if token_file is not None and tls is None and not _is_loopback(named[1]):
            raise ValueError(
                f"token_file: the token would cross the network to {target!r} readable by all; set tls"
            )
        if tls is not None and (tls.cert_file is None) != (tls.key_file is None):
            raise ValueError("tls: cert_file and key_file belong together; set both")

    @property
    def renewable(self) -> bool:
        """Whether an expired credential is another at the next attempt."""
        return self._token_file is not None or self._tls is not None

    def open(self) -> grpc.Channel:
        """A new channel; connects when it is first used."""
        credentials, options = self._credentials(), self._options()
        if credentials is None:
            return grpc.insecure_channel(self._target, options=options)
        return grpc.secure_channel(self._target, credentials, options=options)

    def open_async(self) -> grpc.aio.Channel:
        """The same for asyncio."""
        credentials, options = self._credentials(), self._options()
        if credentials is None:
            return grpc.aio.insecure_channel(self._target, options=options)
        return grpc.aio.secure_channel(self._target, credentials, options=options)

    def _options(self) -> list[tuple[str, int | str]]:
        # grpcio sends the path of a socket as `:authority`, which is none to HTTP/2 and is refused.
        authority = [("grpc.default_authority", "localhost")] if self._unix else []
        return [*OPTIONS, *authority]

    def _credentials(self) -> grpc.ChannelCredentials | None:
        if self._tls is None:
            return None
        return grpc.ssl_channel_credentials(
            _read(self._tls.ca_file), _read(self._tls.key_file), _read(self._tls.cert_file)
        )

    def metadata(self) -> tuple[tuple[str, str], ...]:
        """What each call carries; the token is read again each time."""
        if self._token_file is None:
            return ()
        token = pathlib.Path(self._token_file).read_text().strip()
        if not token or not token.isascii() or not token.isprintable():
            raise ValueError(f"token_file: {self._token_file} holds no token on one line")
        return (("authorization", f"Bearer {token}"),)


def _read(file: FilePath | None) -> bytes | None:
    return None if file is None else pathlib.Path(file).read_bytes()


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"
