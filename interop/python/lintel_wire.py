"""The bytes of the protocol: failures, headers, values, frames, and the checks that every received frame passes.

Nothing here knows a connection. Clauses such as P-12 are those of docs/PROTOCOL.md.
"""

from __future__ import annotations

import json
import re
import struct
from enum import IntEnum
from typing import Any, Iterator, List, Mapping, NamedTuple, Optional, Sequence, Tuple, Union
from urllib.parse import parse_qs

VERSION = 1
MAX_PAYLOAD, MAX_HEADERS, MAX_NUMBERS = 1_048_576, 32_768, 65_535  # what this end takes
MAX_CONTROL = 16_384  # body of a greeting, header block of a failure

# --- failures ---

CODES = (
    "ok canceled unknown invalid_argument deadline_exceeded not_found already_exists permission_denied "
    "resource_exhausted failed_precondition aborted out_of_range unimplemented internal unavailable data_loss "
    "unauthenticated"
).split()  # the place in the list is the number on the wire


class LintelError(Exception):
    """How a request failed. Go by `code` and `reason`, never by the text. `retryable`: it was not executed."""

    def __init__(
        self, code: str, message: str, reason: str = "", retryable: bool = False, details: Any = None
    ) -> None:
        super().__init__(message)
        self.code, self.reason = code, reason or code.upper()
        self.message, self.retryable, self.details = message, retryable, details


def check(holds: bool, clause: str, what: str) -> None:
    if not holds:
        raise LintelError("invalid_argument", f"{what} ({clause})", "BAD_FRAME")


def bad_payload(why: object) -> LintelError:
    return LintelError("invalid_argument", f"the payload cannot be read or written: {why}", "BAD_PAYLOAD")


def late() -> LintelError:
    return LintelError("deadline_exceeded", "the deadline passed before an answer arrived", "DEADLINE")


def connection_lost(why: str) -> LintelError:
    return LintelError("unavailable", f"the connection was lost: {why}", "CONNECTION_LOST")


# --- headers ---

HeadersInit = Union[Mapping[str, Union[str, Sequence[str]]], None]  # a list repeats the header


class Headers(List[Tuple[str, str]]):
    """Received headers: pairs of name and value in order. `get` finds the first value of a name."""

    @staticmethod
    def read(block: bytes) -> Headers:
        lines = block.decode("utf-8", "replace").split("\n")
        ends = [(line, line.find(":", 1)) for line in lines]  # a name may begin with a colon
        return Headers((line[:end], line[end + 1 :]) for line, end in ends if end > 0)  # P-33: skip the others

    def get(self, name: str, default: Optional[str] = None) -> Any:  # str, or the default
        return next((value for key, value in self if key == name.lower()), default)


def write_headers(headers: HeadersInit) -> bytes:
    block = ""
    for name, values in (headers or {}).items():
        for value in [values] if isinstance(values, str) else values:
            line = f"{name.lower()}:{value}"
            if not re.fullmatch(r":?[a-z0-9!#$%&'*+.^_`|~-]+:[^\0-\x08\n-\x1f\x7f]*", line):
                raise LintelError("invalid_argument", f"not a legal header: {line[:64]!r}", "BAD_HEADER")
            block += line + "\n"
    return block.encode("utf-8", "replace")


# --- values ---

TYPED, BYTES, TEXT = range(3)  # formats, P-32


def write_json(value: Any) -> bytes:
    try:
        return json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise bad_payload(error) from error


def write_value(value: Any, headers: HeadersInit) -> tuple[int, bytes, bytes]:
    """Format, header block and payload: nothing for None, text for str, bytes for bytes, JSON for all else."""
    head = write_headers(headers)
    typed = Headers.read(head).get("content-type") is not None  # then the header says how to read it
    if value is None:
        return TYPED, head, b""
    if isinstance(value, str):
        return TYPED if typed else TEXT, head, value.encode("utf-8", "replace")
    if isinstance(value, (bytes, bytearray, memoryview)):
        return TYPED if typed else BYTES, head, bytes(value)
    return TYPED, head, write_json(value)


def refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")  # which Python would take


def as_utf8(headers: Headers, payload: bytes) -> bytes:
    """A payload of text in UTF-8, whatever charset it is in. Raises UNSUPPORTED_MEDIA_TYPE, P-34."""
    coding = (headers.get("content-encoding") or "identity").strip().lower()
    if coding != "identity":
        raise unsupported(f"the content coding {coding[:64]!r} is not read here")
    named = re.search(r';\s*charset\s*=\s*"?([^";\s]+)', headers.get("content-type") or "", re.IGNORECASE)
    charset = named.group(1) if named else "utf-8"
    if charset.lower() in ("utf-8", "utf8", "us-ascii", "ascii"):
        return payload
    try:
        return payload.decode(charset).encode()
    except LookupError as error:
        raise unsupported(f"the charset {charset[:64]!r} is not known here") from error
    except ValueError as error:
        raise bad_payload(error) from error


def unsupported(why: str) -> LintelError:
    return LintelError("invalid_argument", why, "UNSUPPORTED_MEDIA_TYPE")


def read_value(form: int, headers: Headers, payload: bytes) -> Any:
    """The value of a payload, P-32 and P-34. Raises BAD_PAYLOAD, P-35."""
    if form == BYTES or (form == TYPED and not payload):
        return payload if form == BYTES else None
    kind = (
        "text/"
        if form == TEXT
        else headers.get("content-type", "application/json").split(";")[0].strip().lower()
    )
    textual = kind.startswith("text/") or kind.endswith("json") or kind.endswith("urlencoded")
    if textual and form == TYPED:
        payload = as_utf8(headers, payload)
    try:
        if kind.startswith("text/"):
            return payload.decode("utf-8")
        if kind == "application/x-www-form-urlencoded" and payload[:1] not in (b"{", b"["):
            fields = parse_qs(payload.decode("utf-8"), keep_blank_values=True, errors="strict")
            return {name: values if len(values) > 1 else values[0] for name, values in fields.items()}
        if kind.endswith("+json") or kind in ("application/json", "application/x-www-form-urlencoded"):
            return json.loads(payload.decode("utf-8"), parse_constant=refuse_constant)
    except (ValueError, RecursionError) as error:
        raise bad_payload(error) from error
    return payload


# --- frames ---


class Type(IntEnum):
    HELLO, WELCOME, GOAWAY, CLOSE, PING, PONG, BIND, SERVE, SUBSCRIBE, LEAVE, READY, REFUSED, ENABLE = range(1, 14)
    REQUEST, REPLY, ERROR, CANCEL, PUBLISH, DROPPED = range(16, 22)


# What becomes of publications for a subscriber that does not keep up; the place is the number on the wire, P-51.
POLICIES = ("drop-newest", "drop-oldest", "disconnect")
# What a service can enable clients to do; the place is the number on the wire, less one, P-147.
VERBS = ("publish", "subscribe", "request")
TYPES = {kind.value: kind for kind in Type}
HEADER = struct.Struct("<IBBHII")  # length of the body, type, flags, aux, target, id
SUBJECT = re.compile(r"(?=.{1,255}\Z)[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*\Z")
PATTERN = re.compile(r"(?=.{1,255}\Z)(>|(\*|[A-Za-z0-9_-]+)(\.(\*|[A-Za-z0-9_-]+))*(\.>)?)\Z")


class Frame(NamedTuple):
    type: Type
    flags: int = 0  # the format of a payload
    aux: int = 0  # length of the header block, or a small number
    target: int = 0  # the number of a subject or registration
    id: int = 0
    body: bytes = b""

    def encode(self) -> bytes:
        kind, flags, aux, target, number, body = self
        return HEADER.pack(len(body), kind, flags, aux, target, number) + body

    def parts(self) -> tuple[bytes, bytes]:
        """The header block and the payload; of a SERVE the queue's name and the pattern."""
        body = self.body[4:] if self.type is Type.REQUEST else self.body
        return body[: self.aux], body[self.aux :]

    @property
    def timeout_ms(self) -> int:
        return min(int.from_bytes(self.body[:4], "little"), 2**31 - 1)  # P-41


def failure_frame(
    kind: Type, error: LintelError, target: int = 0, number: int = 0, limit: int = MAX_PAYLOAD
) -> Frame:
    units = re.sub(r"[\0-\x1f\x7f]", " ", error.message).encode("utf-16-le", "replace")
    text = units[:4096].decode("utf-16-le", "ignore")  # 2,048 units, and no half of a pair
    retryable = "retryable:true\n" if error.retryable else ""
    head = f"code:{error.code}\nreason:{error.reason}\nmessage:{text}\n{retryable}".encode()
    details = b""
    if error.details is not None and kind in (Type.ERROR, Type.REFUSED):
        try:
            details = write_json(error.details)
        except LintelError:
            pass  # the failure matters more than its details
    if len(details) > min(65_536, limit):  # P-71
        details = b""
    return Frame(kind, 0, len(head), target, number, head + details)


def read_failure(frame: Frame) -> LintelError:
    head, payload = frame.parts()
    headers = Headers.read(head)
    code = headers.get("code", "")
    code = code if code in CODES[1:] else "unknown"  # P-70
    reason = headers.get("reason", "")
    reason = reason if re.fullmatch("[A-Z0-9_]{1,64}", reason) else ""
    try:
        details = json.loads(payload) if payload else None
    except (ValueError, RecursionError):
        details = None
    return LintelError(code, headers.get("message", ""), reason, headers.get("retryable") == "true", details)


class Message:
    """What arrived: `value`, `headers`, the `body` as bytes and, where it was sent to one, the `subject`."""

    def __init__(self, frame: Frame, subject: str = "") -> None:
        head, self.body = frame.parts()
        self.subject, self.headers, self._form = subject, Headers.read(head), frame.flags & 3

    @property
    def value(self) -> Any:
        return read_value(self._form, self.headers, self.body)


# --- receiving ---


class Decoder:
    """Cuts the bytes of a connection into frames, and refuses what breaks the protocol before anybody acts on it."""

    def __init__(self, dialer: bool, max_bindings: int = MAX_NUMBERS) -> None:
        self.greeting = Type.WELCOME if dialer else Type.HELLO  # the one that is due
        self.greeted = False
        self.max_bindings = max_bindings
        self.takes_enable = False  # only an acceptor can, P-146
        self.bound: dict[int, tuple[str, int]] = {}  # what the other end has bound: subject and registration
        self.pending = bytearray()

    def feed(self, data: bytes) -> Iterator[Frame]:
        self.pending += data
        while len(self.pending) >= HEADER.size:
            length, kind, flags, aux, target, number = HEADER.unpack_from(self.pending)
            # Checked before the body has come: a length alone gets no memory.
            limit = 4 + MAX_HEADERS + MAX_PAYLOAD if self.greeted else MAX_CONTROL
            check(length <= limit, "P-3", f"a body of {length} bytes, the limit is {limit}")
            check(kind in TYPES, "P-4", f"unknown frame type {kind}")
            end = HEADER.size + length
            if len(self.pending) < end:
                return
            frame = Frame(TYPES[kind], flags, aux, target, number, bytes(self.pending[HEADER.size : end]))
            del self.pending[:end]
            self.examine(frame)
            yield frame

    def examine(self, frame: Frame) -> None:
        kind, flags, aux, target, number, body = frame
        if kind in (Type.GOAWAY, Type.CLOSE, Type.REFUSED, Type.ERROR):
            check(aux <= len(body) and aux <= MAX_CONTROL, "P-72", f"a failure's header block of {aux} bytes")
        if not self.greeted and kind is not Type.CLOSE:
            check(kind is self.greeting, "P-13", f"{kind.name} instead of {self.greeting.name}")
            self.examine_greeting(frame)
            self.greeted = True
        elif kind in (Type.HELLO, Type.WELCOME):
            check(False, "P-4", "a second greeting")
        elif kind is Type.BIND:
            check(1 <= target <= MAX_NUMBERS, "P-20", f"BIND of number {target}")
            subject = body.decode("ascii", "replace")
            check(SUBJECT.match(subject) is not None, "P-20", "BIND of what is no subject")
            self.bound[target] = (subject, number)
            if len(self.bound) > self.max_bindings:  # P-24
                raise LintelError("resource_exhausted", "too many subjects are bound", "TOO_MANY")
        elif kind in (Type.SERVE, Type.SUBSCRIBE):
            check(number != 0 and aux <= len(body) <= 510, "P-50", f"illegal {kind.name}")
            check(kind is Type.SERVE or aux == 0, "P-51", "SUBSCRIBE with a queue")
        elif kind is Type.ENABLE:
            check(self.takes_enable, "P-146", "ENABLE at an end that does not take it")
            check(number != 0 and aux == 0 and len(body) <= 510, "P-147", "illegal ENABLE")
        elif kind is Type.DROPPED:
            check(target in self.bound, "P-65", f"number {target} is not bound")
        elif kind in (Type.REQUEST, Type.REPLY, Type.PUBLISH):
            if kind is not Type.REPLY:
                check(target in self.bound, "P-23", f"number {target} is not bound")
            if kind is Type.REQUEST:
                check(len(body) >= 4, "P-41", "REQUEST without a timeout")
                check(number != 0, "P-40", "REQUEST with id 0")
            head, payload = frame.parts()
            check(len(head) == aux, "P-30", "a header block longer than its frame")
            check(aux <= MAX_HEADERS and len(payload) <= MAX_PAYLOAD, "P-31", "a message over the limits")
            check(flags & 3 != 3, "P-32", "format 3")

    def examine_greeting(self, frame: Frame) -> None:
        highest, lowest = frame.target, frame.target if frame.type is Type.WELCOME else frame.id
        if not lowest <= VERSION <= highest:  # P-11
            raise LintelError("failed_precondition", f"no common version: {lowest} to {highest}", "BAD_VERSION")
        check(frame.aux == len(frame.body), "P-12", "a greeting with a payload")
        headers = Headers.read(frame.body)
        for name, least in (("max-payload", 1), ("max-headers", 16_384), ("max-bindings", 1)):
            value = headers.get(name)
            if name == "max-bindings" and (value is None or frame.type is Type.HELLO):
                continue  # it may be left out, and says nothing in a HELLO
            legal = re.fullmatch("[1-9][0-9]{0,9}", value or "") is not None and int(value) >= least
            check(legal, "P-12", f"{name} is {value!r}")
