"""Clients of DRS, written from its wire format alone: raw frames and bytes, and nothing of this project.

Needs the package `websockets`, any version from 10 on.
"""

import asyncio
import json
import random
from urllib.parse import urlsplit

import websockets

PATIENCE = 30  # seconds: what is waited for comes within this, or never
ALPHABET = "-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz"


def push_id():
    """A key as clients make it: 20 characters."""
    return "".join(random.choice(ALPHABET) for _ in range(20))


class Values:
    """Takes concatenated JSON values out of a stream of text."""

    def __init__(self):
        self.text = ""
        self.decoder = json.JSONDecoder()

    def feed(self, text):
        self.text = (self.text + text).lstrip()
        values = []
        while self.text:
            try:
                value, end = self.decoder.raw_decode(self.text)
            except json.JSONDecodeError:
                break
            values.append((value, self.text[:end]))
            self.text = self.text[end:].lstrip()
        return values


class WebSocketLine:
    """Counts frames too: each must hold one command and end with a line feed."""

    @classmethod
    async def dial(cls, url, query=""):
        line = cls()
        line.socket = await websockets.connect(f"{url.rstrip('/').removesuffix('/socket')}/socket{query}", max_size=None)
        return line

    async def write(self, text):
        await self.socket.send(text)

    async def read(self):
        try:
            frame = await self.socket.recv()
        except websockets.ConnectionClosed:
            return None
        assert isinstance(frame, str) and frame.endswith("\n") and frame.count("\n") == 1, frame
        json.loads(frame)
        return frame

    async def close(self):
        await self.socket.close()


class TcpLine:
    @classmethod
    async def dial(cls, url, query=""):
        line = cls()
        address = urlsplit(url)
        line.reader, line.writer = await asyncio.open_connection(address.hostname, address.port)
        return line

    async def write(self, text):
        self.writer.write(text if isinstance(text, bytes) else text.encode())
        await self.writer.drain()

    async def read(self):
        try:
            data = await self.reader.read(65_536)
        except ConnectionError:
            return None
        return data.decode() or None

    async def close(self):
        self.writer.close()


class Client:
    """A connection with a loop that reads; actions of its own can be called by the server."""

    def __init__(self, line):
        self.line = line
        self.values = Values()
        self.waiting = {}
        self.commands = asyncio.Queue()
        self.actions = {}
        self.task = asyncio.ensure_future(self.run())

    @classmethod
    async def dial(cls, url, query=""):
        line = TcpLine if url.startswith("tcp:") else WebSocketLine
        return cls(await line.dial(url, query))

    async def run(self):
        while (text := await self.line.read()) is not None:
            for command, raw in self.values.feed(text):
                assert isinstance(command, dict) and isinstance(command["action"], str), raw
                command["raw"] = raw
                waiting = self.waiting.pop(command.get("key"), None)
                if waiting is not None:
                    waiting.set_result(command)
                elif command["action"] in self.actions:
                    await self.answer(command)
                else:
                    self.commands.put_nowait(command)
        self.commands.put_nowait(None)
        for waiting in self.waiting.values():
            if not waiting.done():
                waiting.set_exception(ConnectionError("the connection ended before the reply"))

    async def answer(self, command):
        reply = {"action": "drs.response", "body": self.actions[command["action"]](command.get("body"))}
        if "key" in command:
            reply["key"] = command["key"]
        await self.send(reply)

    async def send(self, command):
        await self.line.write(json.dumps(command) + "\n")

    async def call(self, action, **fields):
        key = fields.setdefault("key", push_id())
        self.waiting[key] = asyncio.get_running_loop().create_future()
        await self.send({"action": action, **fields})
        return await asyncio.wait_for(self.waiting[key], PATIENCE)

    async def next(self):
        """The next command that answers no call; None at the end of the connection."""
        return await asyncio.wait_for(self.commands.get(), PATIENCE)

    async def settled(self):
        """Returns once the server has acted on everything sent before, and nothing has come of it but replies to calls."""
        assert (await self.call("drs.ping"))["action"] == "drs.response"
        assert self.commands.empty(), self.commands.get_nowait()

    async def close(self):
        await self.line.close()
        await self.task
