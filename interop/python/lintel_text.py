"""Services for the text protocol. Standard library only, Python 3.9 or later.

    class Echo(TextService):
        def REQ_say(self, message):          # REQ Echo with the header cmd: say
            return message.body

        def PUB_news(self, message):         # PUB Echo with the header cmd: news
            print(message.body)

    Echo("ws://127.0.0.1:8764", key="...").run()

The class name is the target. At each start the service registers as a responder (EREQ), lets clients publish to it (EPUB) and
subscribes (SUB). A method may be plain or `async`; a plain one must not block. What it returns is the body of the answer, or a
pair of body and headers. The answer has all headers of the request, except those that it replaces. A TextError that it raises
reaches the caller with its code.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import random
import re
import ssl
from dataclasses import dataclass, field
from typing import Any, Callable, Mapping, Optional, Sequence, Union

from lintel_websocket import Closed, WebSocket

__all__ = ["TextError", "TextMessage", "TextService", "decode", "encode"]

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.1, 5.0
GREETING_S = 5.0
MAX_UNDER_WAY = 10_000  # publications past it are dropped
STABLE_S = 5.0  # a connection that ends sooner counts as a failed attempt
KEY_REFUSED = 1008
FINAL_DOT = re.compile(r"\n\.(?:\r?\n|\r?\Z)")  # of a frame; the line end before it is not part of the body
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
    if not message.target or any("\n" in line or "\r" in line for line in lines):
        raise ValueError("a target is empty, or a target or header has a line end in it")
    body = ("." if message.body.startswith(".") else "") + message.body.replace("\n.", "\n..")
    return "\r\n".join(lines) + f"\r\n\r\n{body}\r\n.\r\n"


def decode(frame: str) -> TextMessage:
    """Raises ValueError for what is no message."""
    first, end, _ = frame.partition("\n")
    command, _, target = _line(first).partition(" ")
    if not end or not command or not target or "\r" in target:
        raise ValueError("no command and target")
    at = len(first) + 1
    headers: list[tuple[str, str]] = []
    while True:
        stop = frame.find("\n", at)
        if stop < 0:
            raise ValueError("no empty line after the headers")
        line = _line(frame[at:stop])
        at = stop + 1
        if not line:
            break
        name, colon, value = line.partition(":")
        if not name or not colon or "\r" in line:
            raise ValueError(f"no header: {line[:64]!r}")
        headers.append((name, value))
    dot = FINAL_DOT.search(frame, at - 1)
    if dot is None:
        raise ValueError("no final dot")
    if dot.end() != len(frame):
        raise ValueError("text after the final dot")
    body = _line(frame[at : dot.start()]).replace("\n.", "\n")
    return TextMessage(command, target, tuple(headers), body[1:] if body.startswith(".") else body)


def _line(text: str) -> str:
    return text[:-1] if text.endswith("\r") else text


class TextService:
    """A service of the text protocol. Subclass it; see the top of this file."""

    target: str = ""
    """What it is called there; the name of the class unless a subclass says otherwise."""
    concurrency: int = 64
    """Requests that it handles at a time. The server keeps further ones."""

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
        loop = asyncio.get_running_loop()
        while True:
            began = loop.time()
            try:
                await self._connect()
                await self._read()
            except (Closed, OSError, asyncio.TimeoutError) as error:
                if isinstance(error, Closed) and error.code == KEY_REFUSED and not self.guid:
                    raise PermissionError(f"the server refuses the key: {error}") from error
                log.warning("%s: %s", self.url, error or "no answer in time")
            finally:
                self._lost()
            if loop.time() - began > STABLE_S:
                pause = FIRST_PAUSE_S
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
        self._send(TextMessage("EREQ", self.target, (("cancel", "yes"), ("concurrency", str(self.concurrency)))))
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
            elif message.command == "PUB" and len(self._tasks) < MAX_UNDER_WAY:
                self._begin(self._take(message), "")
            elif message.command == "PUB":
                log.warning("%s: dropped a publication, %d are being handled", message.target, MAX_UNDER_WAY)

    def _begin(self, work: Any, rid: str) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        if rid:
            self._under_way[rid] = task
            task.add_done_callback(lambda _: self._under_way.get(rid) is task and self._under_way.pop(rid))

    async def _answer(self, message: TextMessage) -> None:
        """All headers of the request come back, so that the caller finds its own names in them."""
        more: Headers = ()
        try:
            answer = await self._call("REQ", message)
            body, given = answer if isinstance(answer, tuple) else (answer, ())
            more = list(given.items() if isinstance(given, Mapping) else given)
        except TextError as error:
            body, more = str(error), [("Error-Code", error.code)]
        except Exception:
            log.exception("%s: %s", self.target, message.get("cmd"))
            body, more = "the service failed", [("Error-Code", "internal")]
        replaced = {*STAMPS, *(name.lower() for name, _ in more)}
        headers = [(name, value) for name, value in message.headers if name.lower() not in replaced]
        self._respond(message, [*headers, *more], "" if body is None else str(body))

    def _respond(self, request: TextMessage, headers: Headers, body: str) -> None:
        try:
            self._send(TextMessage("RES", request.target, headers, body))
        except ValueError as error:  # a header of the answer has a line end, or is no text
            log.error("%s: %s: %s", self.target, request.get("cmd"), error)
            own = [("rid", request.get("rid")), ("Error-Code", "internal")]
            self._send(TextMessage("RES", request.target, own, "the service failed"))
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
