"""Clients of middleman, written from its wire format alone: raw frames, a service base class and nothing of this project.

Needs the package `websockets`, any version from 10 on.
"""

import asyncio
import re

import websockets

PATIENCE = 30  # seconds: what is waited for comes within this, or never
END = "\r\n.\r\n"


class Frame:
    """One message from the server, read strictly: CRLF line ends, a stuffed body, nothing behind the dot."""

    def __init__(self, text):
        self.text = text
        assert text.endswith(END), f"no dot at the end of {text!r}"
        head, separator, rest = text.partition("\r\n\r\n")
        assert separator, f"no empty line in {text!r}"
        first, *lines = head.split("\r\n")
        self.command, space, self.target = first.partition(" ")
        assert space, f"no target in {text!r}"
        self.headers = []
        for line in lines:
            name, colon, value = line.partition(":")
            assert colon and "\n" not in line, f"not a header: {line!r}"
            self.headers.append((name, value.strip()))
        stuffed = re.split(r"(?<=\n)", rest[: -len(END)])
        assert not any(re.match(r"\.(?!\.)", line) for line in stuffed), f"a lone dot in {text!r}"
        self.body = "".join(line[1:] if line.startswith("..") else line for line in stuffed)

    def get(self, name):
        """The value of the header spelled exactly like this."""
        return dict(self.headers).get(name)

    def named(self, name):
        """All values of the header, whatever its spelling."""
        return [value for key, value in self.headers if key.lower() == name.lower()]

    def __repr__(self):
        return repr(self.text)


class Raw:
    """A connection that sends text as it is."""

    def __init__(self, socket, guid):
        self.socket = socket
        self.guid = guid

    @classmethod
    async def dial(cls, url, key):
        """Expects both frames of the greeting."""
        socket = await websockets.connect(url, max_size=None)
        await socket.send(key)
        greeting = await asyncio.wait_for(socket.recv(), PATIENCE)
        assert greeting == "MM OK", greeting
        guid = await asyncio.wait_for(socket.recv(), PATIENCE)
        assert re.fullmatch(r"[0-9a-v]{20}", guid), guid
        return cls(socket, guid)

    @classmethod
    async def dial_short(cls, url, key):
        """As the service client in Go: `MM OK` alone."""
        socket = await websockets.connect(f"{url}?greeting=short", max_size=None)
        await socket.send(key)
        greeting = await asyncio.wait_for(socket.recv(), PATIENCE)
        assert greeting == "MM OK", greeting
        return cls(socket, None)

    async def send(self, text):
        await self.socket.send(text)

    async def frame(self):
        return Frame(await asyncio.wait_for(self.socket.recv(), PATIENCE))

    async def error(self):
        """The next frame, which must be an ERROR; returns its body."""
        frame = await self.frame()
        assert (frame.command, frame.target) == ("PUB", "ERROR"), frame
        return frame.body

    async def settled(self):
        """Returns once the server has acted on everything sent before: a message to itself has come. Nothing else may."""
        await self.send(f"PUB MSG:{self.guid}\n\nsettled\n.\n")
        frame = await self.frame()
        assert (frame.target, frame.body) == (f"MSG:{self.guid}", "settled"), frame

    async def closed(self):
        """Waits for the end; returns its code, its reason, and what came before."""
        frames = []
        try:
            while True:
                frames.append(await asyncio.wait_for(self.socket.recv(), PATIENCE))
        except websockets.ConnectionClosed as end:
            return end.rcvd and end.rcvd.code, end.rcvd and end.rcvd.reason, frames

    async def close(self):
        await self.socket.close()


class Service:
    """The base class of services: registers for the name of the class, dispatches on the header `cmd` to REQ_x and PUB_x.

    Its ways are those of the original library: LF line ends, header names in lower case, `CRLF . CRLF` behind every
    message, and every header of a request goes back with the answer.
    """

    def __init__(self, url, key="xyzzy"):
        self.url = url
        self.key = key
        self.heard = []

    async def start(self):
        self.raw = await Raw.dial(self.url, self.key)
        name = type(self).__name__
        for command in ("EREQ", "EPUB", "SUB"):
            await self.send(command, name)
        await self.settled()
        self.task = asyncio.ensure_future(self.run())
        return self

    async def settled(self):
        await self.send("PUB", f"MSG:{self.raw.guid}", body="started")
        assert (await self.raw.frame()).body == "started"

    async def send(self, command, target, headers=None, body=""):
        lines = "".join(f"{name}: {value}\n" for name, value in (headers or {}).items())
        await self.raw.send(f"{command} {target}\n{lines}\n{body}" + END)

    async def run(self):
        try:
            while True:
                text = await self.raw.socket.recv()
                head, _, body = text.partition("\r\n\r\n")
                first, *lines = head.split("\r\n")
                command, _, target = first.partition(" ")
                headers = {}
                for line in lines:
                    name, _, value = line.partition(":")
                    headers[name.lower()] = value.strip()
                body = body[: -len(END)]
                self.heard.append((command, target, headers, body))
                method = getattr(self, f"{command}_{headers.get('cmd', '')}", None)
                if method is None:
                    continue
                answer = method(headers, body)
                if asyncio.iscoroutine(answer):
                    answer = await answer
                if command == "REQ":
                    await self.send("RES", target, headers, answer or "")
        except websockets.ConnectionClosed:
            pass

    async def stop(self):
        await self.raw.close()
        await self.task
