"""Speaks to examples/commands-server.js over WebSocket and TCP, with nothing but sockets: commands_client.py WS_URL TCP_URL"""

import base64
import json
import os
import re
import socket
import struct
import sys
import time
import urllib.request
from urllib.parse import urlparse

PUSH_ID = re.compile(r"^[-0-9A-Z_a-z]{20}$")


class Line:
    """One connection. Replies are read as the texts that they came in."""

    def __init__(self, url):
        self.url = urlparse(url)
        self.sock = socket.create_connection((self.url.hostname, self.url.port), timeout=20)
        self.rest = b""

    def read(self):
        chunk = self.sock.recv(65536)
        if not chunk:
            raise EOFError("the connection has ended")
        self.rest += chunk

    def send(self, **command):
        self.write(json.dumps(command).encode() + b"\n")

    def take(self):
        text = self.text()
        assert text.endswith("\n"), text
        return json.loads(text)

    def call(self, action, *body):
        key = base64.b64encode(os.urandom(15)).decode()
        self.send(key=key, action=action, **({"body": body[0]} if body else {}))
        reply = self.take()
        assert reply.pop("key") == key, reply
        return reply

    def close(self):
        self.sock.close()


class TcpLine(Line):
    def write(self, data):
        self.sock.sendall(data)

    def text(self):
        while b"\n" not in self.rest:
            self.read()
        line, _, self.rest = self.rest.partition(b"\n")
        return line.decode() + "\n"


class WebLine(Line):
    """RFC 6455, as far as it is needed."""

    def __init__(self, url):
        super().__init__(url)
        key = base64.b64encode(os.urandom(16)).decode()
        head = f"GET {self.url.path}?name=test HTTP/1.1\r\nHost: {self.url.netloc}\r\nConnection: Upgrade\r\n"
        head += f"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n"
        self.sock.sendall((head + f"Origin: http://{self.url.netloc}\r\n\r\n").encode())
        while b"\r\n\r\n" not in self.rest:
            self.read()
        head, _, self.rest = self.rest.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 101 "), head

    def write(self, data, opcode=1):
        length = struct.pack("!B", 128 | len(data)) if len(data) < 126 else struct.pack("!BQ", 255, len(data))
        mask = os.urandom(4)
        keys = (mask * (len(data) // 4 + 1))[: len(data)]
        masked = (int.from_bytes(data, "big") ^ int.from_bytes(keys, "big")).to_bytes(len(data), "big")
        self.sock.sendall(struct.pack("!B", 128 | opcode) + length + mask + masked)

    def need(self, count):
        while len(self.rest) < count:
            self.read()
        head, self.rest = self.rest[:count], self.rest[count:]
        return head

    def text(self):
        first, length = self.need(2)
        assert first == 0x81, f"a whole text frame, not {first:02x}"
        if length > 125:
            length = int.from_bytes(self.need(2 if length == 126 else 8), "big")
        return self.need(length).decode()


def transcript(dial):
    line, other = dial(), dial()
    ping = line.call("drs.ping")
    assert ping["action"] == "drs.response" and abs(ping["body"] - time.time() * 1000) < 60_000, ping
    assert isinstance(ping["body"], int), ping
    assert line.call("drs.kaboom")["action"] == "drs.exception"
    assert line.call("nope") == {"action": "drs.error", "body": {"message": "No handlers for nope"}}
    assert line.call("fail") == {"action": "drs.error", "body": {"message": "nope"}}
    crash = line.call("crash", 1)
    assert crash["action"] == "drs.exception" and "always crashes" not in json.dumps(crash), crash
    assert line.call("chain") == {"action": "drs.response", "body": "abc"}

    for body in [0, False, "", [], {}, "\u00fc\u20ac\U0001f600\u0000", 12345678901234567890, {"a": [1.5, {"b": None}]}]:
        assert line.call("echo", body) == {"action": "drs.response", "body": body}, body
    assert line.call("echo", None) == {"action": "drs.response"}
    assert line.call("echo") == {"action": "drs.response"}
    numbers = "[12345678901234567890,0.1234567890123456789,1e400,-0.5]"
    line.write(b'{"action":"echo","body":' + numbers.encode() + b"}")
    assert line.text() == '{"action":"drs.response","body":' + numbers + "}\n", "without a key, numbers exact"
    big = "x" * 1_048_576
    assert line.call("echo", big)["body"] == big

    for byte in b'{"key":"a","action":"echo","body":"}{"}':
        line.write(bytes([byte]))
    assert line.take() == {"key": "a", "action": "drs.response", "body": "}{"}
    line.write(b'{"key":"1","action":"echo","body":1}{"key":"2","action":"echo","body":2}\n {"key":"3",')
    line.write(b'"action":"echo","body":3}')
    assert [line.take()["body"] for _ in range(3)] == [1, 2, 3]

    line.send(key="b", action="back", body={"q": 1})
    asked = line.take()
    assert PUSH_ID.match(asked.pop("key")) and asked == {"action": "client.ask", "body": {"q": 1}}, asked
    line.send(key="b2", action="back", body=2)
    asked = line.take()
    other.send(key=asked["key"], action="drs.response", body="stolen")
    other.send(key="unknown", action="drs.response", body="stray")
    assert other.call("drs.ping")["action"] == "drs.response", "replies get no reply"
    line.send(key=asked["key"], action="drs.error", body="not even an object")
    assert line.take() == {"key": "b2", "action": "drs.error", "body": {"message": "not even an object"}}

    other.send(action="cast", body={"n": 1})
    assert line.take() == {"action": "news", "body": {"n": 1}}
    assert other.take() == {"action": "news", "body": {"n": 1}}
    assert other.take() == {"action": "drs.response"}

    line.send(key="s", action="slow")
    assert line.call("drs.ping")["action"] == "drs.response", "a command that is never answered holds up nothing"

    other.write(b"[1]")
    try:
        while True:
            other.sock.recv(1) or other.read()
    except (EOFError, ConnectionError):
        pass
    line.close()


def main(ws, tcp):
    transcript(lambda: WebLine(ws))
    transcript(lambda: TcpLine(tcp))
    web = WebLine(ws)
    web.write(b'{"action":"ec', opcode=2)
    web.write(b'ho","body":"binary"}')
    assert web.take()["body"] == "binary"
    web.write(b"", opcode=9)
    assert web.need(2) == b"\x8a\x00", "pings are answered"
    stats_url = ws.replace("ws:", "http:").replace("/socket", "/stats")
    stats = json.load(urllib.request.urlopen(stats_url))
    assert stats["hostname"] == socket.gethostname(), stats
    assert stats["connections"]["inbound"] >= 1, stats
    assert stats["commands"]["crash"] == {"errors": 0, "exceptions": 2, "success": 0}, stats
    assert stats["commands"]["client.ask"]["errors"] == 2, stats
    assert "functions" in stats, stats
    print("ok")


main(*sys.argv[1:])
