"""A beam peer as the original is one, over a unix socket: does what it reads, one JSON object a line both ways.

Written from the description of the bytes, with nothing but Python's own sockets. Each command runs in a thread of its
own, for sockets here block as those of the original do.
"""

import array
import json
import os
import socket
import struct
import sys
import threading

ATTACHED = 0x80000000
ends = {}
lock = threading.Lock()


def say(**fields):
    with lock:
        print(json.dumps(fields), flush=True)


def keep(end):
    with lock:
        ends[len(ends)] = end
        return len(ends) - 1


def netstring(data):
    return str(len(data)).encode() + b":" + data + b","


def split(data):
    """The netstrings in some bytes."""
    items = []
    while data:
        digits, _, rest = data.partition(b":")
        length = int(digits)
        if rest[length : length + 1] != b",":
            raise ValueError("a netstring does not end with a comma")
        items.append(rest[:length])
        data = rest[length + 1 :]
    return items


class End:
    """One end of a socket with frames, and the descriptors that came before their frames."""

    def __init__(self, sock):
        self.socket = sock
        self.descriptors = []
        self.sending = threading.Lock()
        self.receiving = threading.Lock()

    def send(self, items, descriptor=None):
        with self.sending:
            self.write(items, descriptor)

    def write(self, items, descriptor):
        payload = netstring(b"".join(netstring(item.encode(errors="surrogateescape")) for item in items))
        header = struct.pack(">I", len(payload) | (0 if descriptor is None else ATTACHED))
        written = 0
        if descriptor is not None:  # the first byte goes alone, with the descriptor beside it
            rights = array.array("i", [descriptor])
            written = self.socket.sendmsg([header[:1]], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)])
        self.socket.sendall(header[written:])
        self.socket.sendall(payload)

    def read(self, size):
        data = bytearray()
        while len(data) < size:
            piece, control, flags, _ = self.socket.recvmsg(min(size - len(data), 1 << 16), socket.CMSG_SPACE(4))
            for level, kind, rights in control:
                if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                    found = array.array("i")
                    found.frombytes(rights[: len(rights) - len(rights) % found.itemsize])
                    self.descriptors.extend(found)
            if not piece:
                break
            data += piece
        return bytes(data)

    def receive(self):
        """A message and its attachment, or None at the end."""
        with self.receiving:
            return self.take()

    def take(self):
        header = self.read(4)
        if len(header) < 4:
            return None
        (value,) = struct.unpack(">I", header)
        attachment = self.descriptors.pop(0) if value & ATTACHED else None
        lists = split(self.read(value & ~ATTACHED))
        if len(lists) != 1:
            raise ValueError("a frame has one list")
        return [item.decode(errors="surrogateescape") for item in split(lists[0])], attachment


def attach(end, items, mode):
    """Sends a message with a socket pair's far end, and keeps the near one."""
    near, far = socket.socketpair()
    end.send(items, far.fileno())
    far.close()
    if mode == "R":
        near.shutdown(socket.SHUT_WR)
    return keep(End(near))


def raw(end, data, kinds):
    """Sends bytes as they are, with descriptors of these kinds beside the first."""
    opened = []
    for kind in kinds:
        opened.extend(OPEN[kind]())
    control = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", opened))] if opened else []
    end.socket.sendmsg([data], control)
    for descriptor in opened:
        os.close(descriptor)


def pair():
    one, other = socket.socketpair()
    return [one.detach(), other.detach()]


def full():
    """A socket into which nothing more fits."""
    near, far = socket.socketpair()
    far.setblocking(False)
    try:
        while True:
            far.send(bytes(65536))
    except BlockingIOError:
        keep(End(near))
        return [far.detach()]


OPEN = {"file": lambda: [os.open("/dev/null", os.O_RDWR)], "pipe": os.pipe, "socket": pair, "full": full}


def do(command):
    action = command["do"]
    if action == "connect":
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        sock.connect(command["path"])
        return {"id": keep(End(sock))}
    end = ends[command["on"]]
    if action == "send":
        mode = command.get("mode", "")
        if mode:
            return {"id": attach(end, command["message"], mode)}
        for _ in range(command.get("times", 1)):
            end.send(command["message"])
    elif action == "receive":
        received = end.receive()
        if received is None:
            return {"end": True}
        message, attachment = received
        return {"message": message, "id": None if attachment is None else keep(End(socket.socket(fileno=attachment)))}
    elif action == "raw":
        raw(end, bytes.fromhex(command["hex"]), command.get("kinds", []))
    elif action == "read":  # bytes up to the end, or so many
        data = end.read(command.get("size", 1 << 62))
        return {"size": len(data), "sum": sum(data), "text": data[:100].decode("latin1")}
    elif action == "write":
        end.socket.sendall(bytes(command["size"]))
    elif action == "half":
        end.socket.shutdown(socket.SHUT_WR)
    elif action == "leave":
        end.socket.shutdown(socket.SHUT_RDWR)  # a thread may be reading
        end.socket.close()
    elif action == "close":
        end.socket.close()
    return {}


def act(command):
    try:
        say(n=command["n"], **do(command))
    except Exception as error:  # whatever it is, the test is to see it
        say(n=command["n"], error=type(error).__name__)


for line in sys.stdin:
    threading.Thread(target=act, args=(json.loads(line),), daemon=True).start()
