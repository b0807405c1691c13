"""A program that speaks the first generation of beam, from the description of the bytes: key-value payloads, of which
`cmd` is the message, and sockets, pipes and files as attachments. Prints what it got, one JSON object a line.
"""

import array
import json
import os
import socket
import struct
import sys
import threading

ATTACHED = 0x80000000


def netstring(data):
    return b"%d:%s," % (len(data), data)


def split(data):
    items = []
    while data:
        digits, _, rest = data.partition(b":")
        length = int(digits)
        items.append(rest[:length])
        assert rest[length : length + 1] == b","
        data = rest[length + 1 :]
    return items


def encode(pairs):
    body = b""
    for key, values in pairs:
        body += netstring(key) + netstring(b"".join(netstring(value) for value in values))
    return b"000;" + body


def decode(payload):
    assert payload[:4] == b"000;", payload
    items = split(payload[4:])
    return {key.decode(): split(values) for key, values in zip(items[::2], items[1::2])}


class Conn:
    def __init__(self, sock):
        self.sock = sock
        self.fds = []

    def send(self, payload, fd=None):
        header = struct.pack(">I", len(payload) | (ATTACHED if fd is not None else 0))
        if fd is not None:
            rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [fd]))]
            self.sock.sendmsg([header[:1]], rights)
            header = header[1:]
        self.sock.sendall(header + payload)

    def command(self, *words, fd=None, more=()):
        self.send(encode([(b"cmd", words), *more]), fd)

    def read(self, size):
        data = b""
        while len(data) < size:
            chunk, control, _, _ = self.sock.recvmsg(size - len(data), socket.CMSG_SPACE(4 * 16))
            for _, _, rights in control:
                fds = array.array("i")
                fds.frombytes(rights[: len(rights) - len(rights) % fds.itemsize])
                self.fds += list(fds)
            if not chunk:
                return None
            data += chunk
        return data

    def receive(self):
        header = self.read(4)
        if header is None:
            return None, None
        (word,) = struct.unpack(">I", header)
        payload = self.read(word & 0x7FFFFFFF)
        return payload, self.fds.pop(0) if word & ATTACHED else None

    def call(self, *words, more=()):
        near, far = socket.socketpair()
        self.command(*words, fd=far.fileno(), more=more)
        far.close()
        return Conn(near)


def text(values):
    return [value.decode("latin1") for value in values]


def say(what, got):
    print(json.dumps({"what": what, "got": got}), flush=True)


def answer_of(conn):
    payload, fd = conn.receive()
    if payload is None:
        return None
    pairs = {key: text(values) for key, values in decode(payload).items()}
    if fd is not None:
        with os.fdopen(fd, "rb") as attached:
            pairs["attached"] = [attached.read().decode("latin1")]
    return pairs


def main(path):
    sock = socket.socket(socket.AF_UNIX)
    sock.connect(path)
    hub = Conn(sock)

    say("answer", answer_of(hub.call(b"greet", b"Ada")))
    say("more keys", answer_of(hub.call(b"keys", b"x", more=[(b"type", [b"job"]), (b"env", [b"\xff\x00", b""])])))
    say("bytes", answer_of(hub.call(b"echo", b"\xff\xfe", b"text")))
    say("failure", answer_of(hub.call(b"nobody")))
    say("no command", answer_of(hub.call()))

    # a stream as the answer
    say("stream", answer_of(hub.call(b"stream")))

    # a conversation
    talk = hub.call(b"talk")
    talk.command(b"line", b"one", more=[(b"n", [b"1"])])
    say("talk", answer_of(talk))
    r, w = os.pipe()
    talk.command(b"log", b"stdout", fd=r)
    os.close(r)
    os.write(w, b"through a pipe")
    os.close(w)
    say("talk with a pipe", answer_of(talk))
    talk.sock.shutdown(socket.SHUT_WR)
    say("talk ends", answer_of(talk))

    # pipes and files on the connection
    r, w = os.pipe()
    hub.command(b"take", b"pipe", fd=r)
    os.close(r)
    os.write(w, b"x" * 100_000)
    os.close(w)
    r, w = os.pipe()
    hub.command(b"give", b"pipe", fd=w)
    os.close(w)
    with os.fdopen(r, "rb") as pipe:
        say("written to a pipe", pipe.read().decode())
    name = path + ".file"
    with open(name, "wb") as file:
        file.write(b"content of a file")
    file = os.open(name, os.O_RDONLY)
    os.read(file, 8)
    hub.command(b"take", b"file", fd=file)
    os.close(file)
    with open(name + ".out", "wb") as file:
        hub.command(b"give", b"file", fd=file.fileno())
    # what is none of these
    directory = os.open("/", os.O_RDONLY)
    hub.command(b"take", b"directory", fd=directory)
    os.close(directory)
    r, w = os.pipe()
    hub.command(b"no subject", fd=r)
    os.close(r)
    os.close(w)

    # a worker
    near, far = socket.socketpair()
    hub.command(b"register", b"first.*", fd=far.fileno())
    far.close()
    worker = Conn(near)
    say("registered", answer_of(hub.call(b"ready")))
    for _ in range(3):
        payload, fd = worker.receive()
        pairs = decode(payload)
        say("request", {key: text(values) for key, values in pairs.items()})
        reply = Conn(socket.socket(fileno=fd))
        command = pairs["cmd"]
        if command[0] == b"first.pipe":
            r, w = os.pipe()
            reply.command(b"set", b"here", fd=r)
            os.close(r)
            threading.Thread(target=lambda: (os.write(w, b"of the worker"), os.close(w))).start()
        else:
            reply.command(b"set", *command[1:], b"\xff")
        reply.sock.close()

    # both generations over one connection, each answered in its own
    near, far = socket.socketpair()
    hub.send(netstring(netstring(b"greet") + netstring(b"Eve")), far.fileno())
    far.close()
    payload, _ = Conn(near).receive()
    say("second generation", payload.decode())
    say("first again", answer_of(hub.call(b"greet", b"Bob")))
    say("done", None)
    sys.stdin.readline()


main(sys.argv[1])
