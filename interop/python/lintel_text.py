"""Services for the text protocol. Standard library only, Python 3.9 or later.

    class Echo(TextService):
        def REQ_say(self, message):          # REQ Echo with the header cmd: say
            return message.body

        def PUB_news(self, message):         # PUB Echo with the header cmd: news
            print(message.body)

    Echo("ws://127.0.0.1:8764", key="...").run()

The class name is the target. At each start the service registers as a responder (EREQ), lets clients publish to it (EPUB) and
subscribes (SUB). A method may be plain or `async`; a plain one must not block. What it returns is the body of the answer, or a
pair of body and headers. The answer has all headers of the request. A TextError that it raises reaches the caller with its code.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import random
import ssl
from dataclasses import dataclass, field
from typing import Any, Callable, Mapping, Optional, Sequence, Union

from lintel_websocket import Closed, WebSocket

__all__ = ["TextError", "TextMessage", "TextService", "decode", "encode"]

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.1, 5.0
GREETING_S = 5.0
KEY_REFUSED = 1008
STAMPS = ("cid", "uid")  # the server writes them
log = logging.getLogger("lintel.text")

Headers = Sequence["tuple[str, str]"]


class TextError(Exception):
    """Raised by a method: the caller gets this code (`not_found`, `permission_denied`, ...) and text."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True)
class TextMessage:
    command: str
    target: str
    headers: Headers = field(default=())
    body: str = ""

    def get(self, name: str, otherwise: str = "") -> str:
        """The first header with this name, in any spelling."""
        lower = name.lower()
        return next((value.strip() for key, value in self.headers if key.lower() == lower), otherwise)

    @property
    def cid(self) -> str:
        """The connection that has sent it, as the server says."""
        return self.get("cid")

    @property
    def uid(self) -> str:
        """The user that a service has given to that connection."""
        return self.get("uid")


def encode(message: TextMessage) -> str:
    """Raises ValueError for what would read as another message."""
    lines = [f"{message.command} {message.target}"]
    for name, value in message.headers:
        if not name or ":" in name:
            raise ValueError(f"not a header name: {name!r}")
        lines.append(f"{name}:{value}")
    if any("\n" in line or "\r" in line for line in lines):
        raise ValueError("a target or header has a line end in it")
    body = ("." if message.body.startswith(".") else "") + message.body.replace("\n.", "\n..")
    return "\r\n".join(lines) + f"\r\n\r\n{body}\r\n.\r\n"


def decode(frame: str) -> TextMessage:
    """Raises ValueError for what is no message."""
    first, end, rest = frame.partition("\n")
    command, space, target = first.rstrip("\r").partition(" ")
    headers: list[tuple[str, str]] = []
    while end:
        line, end, rest = rest.partition("\n")
        line = line[:-1] if line.endswith("\r") else line
        if not line:
            break
        name, colon, value = line.partition(":")
        if not colon:
            raise ValueError(f"a header without a colon: {line[:64]!r}")
        headers.append((name, value))
    if not end or not space:
        raise ValueError("no message of the text protocol")
    body = _body(rest)
    if body is None:
        raise ValueError("no final dot")
    return TextMessage(command, target, tuple(headers), body)


def _body(rest: str) -> Optional[str]:
    lines = ("\n" + rest).split("\n.")  # each part but the first had a dot in front
    for index in range(1, len(lines)):
        if lines[index] in ("", "\r", "\n", "\r\n"):
            body = "\n".join(lines[:index])[1:]
            return body[:-1] if body.endswith("\r") else body
    return None


class TextService:
    """A service of the text protocol. Subclass it; see the top of this file."""

    target: str = ""
    """What it is called there; the name of the class unless a subclass says otherwise."""

    def __init__(
        self,
        url: str = "ws://127.0.0.1:8764",
        key: Union[str, Callable[[], str]] = "anonymous",
        tls: Optional[ssl.SSLContext] = None,
    ) -> None:
        self.url, self.key, self.tls = url, key, tls
        self.target = type(self).target or type(self).__name__
        self.guid = ""
        self._socket: Optional[WebSocket] = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._under_way: dict[str, asyncio.Task[None]] = {}

    def run(self) -> None:
        """Serves until the process is told to end. Raises PermissionError when the server does not know the key."""
        try:
            asyncio.run(self.serve())
        except KeyboardInterrupt:
            pass

    async def serve(self) -> None:
        """As `run`, in an event loop that is there already. Ends when its task is cancelled."""
        pause = FIRST_PAUSE_S
        while True:
            try:
                await self._connect()
                pause = FIRST_PAUSE_S
                await self._read()
            except (Closed, OSError, asyncio.TimeoutError) as error:
                if isinstance(error, Closed) and error.code == KEY_REFUSED and not self.guid:
                    raise PermissionError(f"the server refuses the key: {error}") from error
                log.warning("%s: %s", self.url, error)
            finally:
                self._lost()
            await asyncio.sleep(pause * (0.5 + random.random() / 2))
            pause = min(2 * pause, LONGEST_PAUSE_S)

    async def started(self) -> None:
        """Called after each start. For subclasses."""

    def publish(self, target: str, body: str = "", headers: Headers = ()) -> None:
        """Sends to every subscriber. Raises ConnectionError while there is no connection."""
        self._send(TextMessage("PUB", target, headers, body))

    def subscribe(self, target: str) -> None:
        """Calls the PUB methods with what is published there, too, as long as this connection lasts."""
        self._send(TextMessage("SUB", target))

    def enable_publish(self, target: str) -> None:
        self._send(TextMessage("EPUB", target))

    def enable_subscribe(self, target: str) -> None:
        self._send(TextMessage("ESUB", target))

    def set_uid(self, cid: str, uid: str) -> None:
        """Gives a connection the name of a user, which the server puts on its messages."""
        self._send(TextMessage("INT", "UID", (("forcid", cid), ("setuid", uid))))

    async def _connect(self) -> None:
        self.guid = ""
        socket = await asyncio.wait_for(WebSocket.connect(self.url, self.tls), GREETING_S)
        self._socket = socket
        await socket.send(self.key() if callable(self.key) else self.key)
        if await asyncio.wait_for(socket.receive(), GREETING_S) != "MM OK":
            raise Closed(1002, "this is no server of the text protocol")
        self.guid = await asyncio.wait_for(socket.receive(), GREETING_S)
        self._send(TextMessage("EREQ", self.target, (("cancel", "yes"),)))
        self.enable_publish(self.target)
        self.subscribe(self.target)
        await self.started()

    async def _read(self) -> None:
        assert self._socket is not None
        while True:
            try:
                message = decode(await self._socket.receive())
            except ValueError as error:
                log.warning("the server has sent what is no message: %s", error)
                continue
            rid = message.get("rid")
            if message.command == "REQ":
                self._begin(self._answer(message), rid)
            elif message.target == "CANCEL" and rid in self._under_way:
                self._under_way[rid].cancel()
            elif message.target == "ERROR":
                log.warning("%s", message.body)
            elif message.command == "PUB":
                self._begin(self._take(message), "")

    def _begin(self, work: Any, rid: str) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        if rid:
            self._under_way[rid] = task
            task.add_done_callback(lambda _: self._under_way.pop(rid, None))

    async def _answer(self, message: TextMessage) -> None:
        """All headers of the request come back, so that the caller finds its own names in them."""
        headers = [(name, value) for name, value in message.headers if name.lower() not in STAMPS]
        try:
            answer = await self._call("REQ", message)
            body, more = answer if isinstance(answer, tuple) else (answer, {})
            headers += more.items() if isinstance(more, Mapping) else more
        except TextError as error:
            body, headers = str(error), [*headers, ("Error-Code", error.code)]
        except Exception:
            log.exception("%s: %s", self.target, message.get("cmd"))
            body, headers = "the service failed", [*headers, ("Error-Code", "internal")]
        try:
            self._send(TextMessage("RES", message.target, headers, "" if body is None else str(body)))
        except (ConnectionError, Closed):
            pass  # its caller has been told so

    async def _take(self, message: TextMessage) -> None:
        try:
            await self._call("PUB", message)
        except TextError as error:
            log.info("%s", error)
        except Exception:
            log.exception("%s: %s", message.target, message.get("cmd"))

    async def _call(self, command: str, message: TextMessage) -> Any:
        name = message.get("cmd")
        method = getattr(self, f"{command}_{name}", None) if name.isidentifier() else None
        if method is None:
            raise TextError("unimplemented", f"{self.target} has no {command} {name}")
        result = method(message)
        return await result if inspect.isawaitable(result) else result

    def _send(self, message: TextMessage) -> None:
        if self._socket is None:
            raise ConnectionError("there is no connection")
        self._socket.send_soon(encode(message))

    def _lost(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        self._under_way.clear()
        if self._socket is not None:
            self._socket.close()
        self._socket = None
