"""A WebSocket client for text messages (RFC 6455). Standard library only, Python 3.9 or later."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import os
import ssl
import struct
from typing import Optional
from urllib.parse import urlsplit

MAGIC = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
MAX_UNSENT = 16 << 20
CHUNK = 65_536
SILENCE_S = 5.0  # a server that is silent for so long is pinged, and is lost when it is silent for as long again
TEXT, CLOSE, PING, PONG, CONTINUED = 1, 8, 9, 10, 0


class Closed(Exception):
    """The WebSocket has ended. `code` is that of the close, 1006 where there was none."""

    def __init__(self, code: int = 1006, reason: str = "") -> None:
        super().__init__(reason or f"the WebSocket ended with code {code}")
        self.code, self.reason = code, reason


class WebSocket:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, max_size: int) -> None:
        self._reader, self._writer, self._max = reader, writer, max_size
        self._is_closing = False
        self._loop = asyncio.get_running_loop()
        self._heard_at = self._loop.time()
        self._is_pinged = False
        self._why = ""
        self._timer = self._loop.call_later(SILENCE_S, self._watch)

    @classmethod
    async def connect(cls, url: str, tls: Optional[ssl.SSLContext] = None, max_size: int = 16 << 20) -> WebSocket:
        """Raises OSError where nothing listens, and Closed where what listens speaks no WebSocket."""
        parts = urlsplit(url)
        if parts.scheme not in ("ws", "wss") or not parts.hostname:
            raise ValueError(f"not of the form ws://HOST:PORT/PATH: {url!r}")
        is_secure = parts.scheme == "wss"
        port = parts.port or (443 if is_secure else 80)
        context = (tls or ssl.create_default_context()) if is_secure else None
        reader, writer = await asyncio.open_connection(parts.hostname, port, ssl=context, limit=1 << 20)
        key = base64.b64encode(os.urandom(16)).decode()
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        writer.write(
            f"GET {path} HTTP/1.1\r\nHost: {parts.netloc.rpartition('@')[2]}\r\nUpgrade: websocket\r\n"
            f"Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, ConnectionError) as error:
            writer.close()
            raise Closed(1006, "the server has not answered as HTTP does") from error
        status, *lines = head.split("\r\n")
        headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        expected = base64.b64encode(hashlib.sha1((key + MAGIC).encode()).digest()).decode()
        if status.split(" ")[1:2] != ["101"] or headers.get("sec-websocket-accept") != expected:
            writer.close()
            raise Closed(1006, f"the server refuses a WebSocket: {status}")
        return cls(reader, writer, max_size)

    def send_soon(self, text: str) -> None:
        """Raises Closed. What the server does not read yet is kept; past 16 MiB of it the WebSocket ends."""
        if self._writer.transport.get_write_buffer_size() > MAX_UNSENT:
            self._writer.transport.abort()
            raise Closed(1006, "the server does not read what is sent to it")
        self._write(TEXT, text.encode("utf-8", "replace"))

    async def send(self, text: str) -> None:
        """As `send_soon`, and waits while the server does not read."""
        self.send_soon(text)
        try:
            await self._writer.drain()
        except ConnectionError as error:
            raise Closed() from error

    async def receive(self) -> str:
        """The next text message. Raises Closed."""
        parts: list[bytes] = []
        room = self._max
        while True:
            is_last, kind, payload = await self._frame(room)
            if kind == PING:
                self._write(PONG, payload)
            elif kind == CLOSE:
                code = struct.unpack("!H", payload[:2])[0] if len(payload) >= 2 else 1005
                self.close()
                raise Closed(code, payload[2:].decode("utf-8", "replace"))
            elif kind in (TEXT, CONTINUED):
                parts.append(payload)
                room -= len(payload)
                if is_last:
                    return b"".join(parts).decode("utf-8", "replace")
            elif kind != PONG:
                self.close(1003)
                raise Closed(1003, "the server has sent something other than text")

    def close(self, code: int = 1000) -> None:
        if not self._is_closing:
            self._is_closing = True
            try:
                self._write(CLOSE, struct.pack("!H", code))
            except Closed:
                pass
        self._timer.cancel()
        self._writer.close()

    def _watch(self) -> None:
        left = SILENCE_S - (self._loop.time() - self._heard_at)
        if left <= 0 and self._is_pinged:
            self._why = "the server has stopped answering pings"
            self._writer.transport.abort()
            return
        if left <= 0:
            self._is_pinged = True
            try:
                self._write(PING, b"")
            except Closed:
                return
        self._timer = self._loop.call_later(SILENCE_S if left <= 0 else left, self._watch)

    def _write(self, kind: int, payload: bytes) -> None:
        if self._writer.is_closing():
            raise Closed()
        size = len(payload)
        if size < 126:
            head = struct.pack("!BB", 0x80 | kind, 0x80 | size)
        elif size < 65_536:
            head = struct.pack("!BBH", 0x80 | kind, 0x80 | 126, size)
        else:
            head = struct.pack("!BBQ", 0x80 | kind, 0x80 | 127, size)
        mask = os.urandom(4)
        covered = int.from_bytes(payload, "big") ^ int.from_bytes((mask * (size // 4 + 1))[:size], "big")
        self._writer.write(head + mask + covered.to_bytes(size, "big"))

    async def _bytes(self, size: int) -> bytes:
        parts: list[bytes] = []
        while size > 0:
            part = await self._reader.readexactly(min(size, CHUNK))
            self._heard_at, self._is_pinged = self._loop.time(), False
            size -= len(part)
            parts.append(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    async def _frame(self, room: int) -> tuple[bool, int, bytes]:
        try:
            first, second = await self._bytes(2)
            size = second & 0x7F
            if size == 126:
                size = struct.unpack("!H", await self._bytes(2))[0]
            elif size == 127:
                size = struct.unpack("!Q", await self._bytes(8))[0]
            if size > room:
                self.close(1009)
                raise Closed(1009, f"a message of the server is larger than {self._max} bytes")
            return bool(first & 0x80), first & 0x0F, await self._bytes(size)
        except (asyncio.IncompleteReadError, ConnectionError) as error:
            self._timer.cancel()
            raise Closed(1006, self._why) from error
