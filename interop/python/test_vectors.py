"""Holds the bytes of spec/vectors against the code: python3 -m unittest test_vectors"""

from __future__ import annotations

import json
import unittest
from pathlib import Path
from typing import Any, Iterator

from lintel_wire import BYTES, CODES, POLICIES, TEXT, TYPED, VERBS, Decoder, Frame, Headers, LintelError, Type
from lintel_wire import failure_frame, read_failure, write_headers

FOLDER = Path(__file__).resolve().parents[2] / "spec" / "vectors"
FORMATS = {"typed": TYPED, "bytes": BYTES, "text": TEXT}
MESSAGES = (Type.REQUEST, Type.REPLY, Type.PUBLISH)
FAILURES = (Type.GOAWAY, Type.CLOSE, Type.REFUSED, Type.ERROR)
# Names that the fields of the header go by in the vectors.
NAMES: dict[Type, dict[str, str]] = {
    Type.HELLO: {"target": "highest", "id": "lowest"},
    Type.WELCOME: {"target": "version"},
    Type.PING: {"id": "id"},
    Type.PONG: {"id": "id"},
    Type.BIND: {"target": "number", "id": "registration"},
    Type.SERVE: {"target": "concurrency", "id": "registration"},
    Type.SUBSCRIBE: {"id": "registration"},
    Type.ENABLE: {"id": "registration"},
    Type.LEAVE: {"id": "registration"},
    Type.READY: {"id": "registration"},
    Type.REFUSED: {"id": "registration"},
    Type.REQUEST: {"target": "binding", "id": "id"},
    Type.REPLY: {"target": "registration", "id": "id"},
    Type.ERROR: {"target": "registration", "id": "id"},
    Type.CANCEL: {"target": "registration", "id": "id"},
    Type.PUBLISH: {"target": "binding"},
    Type.DROPPED: {"target": "binding", "id": "count"},
}


def vectors(kind: str) -> Iterator[tuple[dict[str, Any], dict[str, str]]]:
    """Each vector of a kind, with the bytes of the good frames of its file by name."""
    for path in sorted(FOLDER.glob("*.json")):
        document = json.loads(path.read_text("utf-8"))
        known = {frame["name"]: frame["hex"] for frame in document["frames"]}
        assert document[kind], f"{path} has no {kind}"
        for vector in document[kind]:
            if vector.get("needs", "enablement") == "enablement":  # this client takes nothing else that one may need
                yield vector, known


def receiver(state: str, end: str, vector: dict[str, Any], known: dict[str, str]) -> Decoder:
    decoder = Decoder(dialer=end == "dialer")
    decoder.greeted = state == "open"
    decoder.takes_enable = end == "acceptor" and "needs" in vector
    for name in vector.get("after", []):
        list(decoder.feed(bytes.fromhex(known[name])))
    return decoder


def fields_of(frame: Frame) -> dict[str, Any]:
    kind = frame.type
    fields: dict[str, Any] = {name: getattr(frame, field) for field, name in NAMES.get(kind, {}).items()}
    head, payload = frame.parts()
    if kind in (Type.HELLO, Type.WELCOME) or kind in MESSAGES:
        fields["headers"] = [list(pair) for pair in Headers.read(head)]
    if kind in MESSAGES:
        fields["format"] = next(name for name, form in FORMATS.items() if form == frame.flags & 3)
        fields["payloadHex"] = payload.hex()
    if kind is Type.REQUEST:
        fields["timeoutMs"] = frame.timeout_ms
    if kind in FAILURES:
        error = read_failure(frame)
        fields.update(code=error.code, reason=error.reason, message=error.message, retryable=error.retryable)
        fields["details"] = payload.decode() if payload else None
    if kind is Type.SERVE:
        fields.update(queue=head.decode(), pattern=payload.decode())
    if kind in (Type.BIND, Type.SUBSCRIBE, Type.ENABLE):
        fields["subject" if kind is Type.BIND else "pattern"] = frame.body.decode()
    if kind is Type.SUBSCRIBE:
        fields["policy"] = POLICIES[frame.target]
    if kind is Type.ENABLE:
        fields["verb"] = VERBS[frame.target - 1]
    if kind is Type.READY:
        fields["asked"] = Type(frame.aux).name.lower()
    if kind is Type.CANCEL:
        fields["code"] = CODES[frame.aux]
    return fields


def frame_of(kind: Type, fields: dict[str, Any]) -> Frame:
    numbers = {field: fields[name] for field, name in NAMES.get(kind, {}).items()}
    target, number = numbers.get("target", 0), numbers.get("id", 0)
    if kind is Type.SUBSCRIBE:
        target = POLICIES.index(fields["policy"])
    if kind is Type.ENABLE:
        target = VERBS.index(fields["verb"]) + 1
    if kind in FAILURES:
        details = None if fields["details"] is None else json.loads(fields["details"])
        error = LintelError(fields["code"], fields["message"], fields["reason"], fields["retryable"], details)
        return failure_frame(kind, error, target, number)
    head = b"".join(write_headers({name: value}) for name, value in fields.get("headers", []))
    if kind is Type.SERVE:
        head = fields["queue"].encode()
    body = head + bytes.fromhex(fields.get("payloadHex", ""))
    body += fields.get("pattern", fields.get("subject", "")).encode()
    if kind is Type.REQUEST:
        body = fields["timeoutMs"].to_bytes(4, "little") + body
    aux = len(head)
    if kind is Type.READY:
        aux = Type[fields["asked"].upper()]
    if kind is Type.CANCEL:
        aux = CODES.index(fields["code"])
    return Frame(kind, FORMATS[fields.get("format", "typed")], aux, target, number, body)


class Vectors(unittest.TestCase):
    def test_good_frames(self) -> None:
        for vector, known in vectors("frames"):
            kind, data = Type[vector["type"].upper()], bytes.fromhex(vector["hex"])
            state = "greeting" if kind in (Type.HELLO, Type.WELCOME) else "open"
            end = "acceptor" if kind in (Type.HELLO, Type.ENABLE) else "dialer"
            with self.subTest(vector["name"]):
                self.assertEqual(frame_of(kind, vector["fields"]).encode().hex(), vector["hex"])
                for cut in range(len(data)):  # cut at 0: whole
                    decoder = receiver(state, end, vector, known)
                    frames = [*decoder.feed(data[:cut]), *decoder.feed(data[cut:])]
                    self.assertEqual([frame.type for frame in frames], [kind])
                    self.assertEqual(fields_of(frames[0]), vector["fields"])
                    self.assertEqual(len(decoder.pending), 0)

    def test_malformed_frames_are_refused(self) -> None:
        for vector, known in vectors("malformed"):
            data = bytes.fromhex(vector["hex"])
            with self.subTest(vector["name"]):
                for cut in range(len(data)):
                    decoder = receiver(vector["state"], vector["receiver"], vector, known)
                    with self.assertRaises(LintelError) as caught:
                        list(decoder.feed(data[:cut]))
                        list(decoder.feed(data[cut:]))
                    self.assertEqual(caught.exception.reason, vector["closes"])

    def test_truncated_frames_are_waited_for(self) -> None:
        for vector, known in vectors("truncated"):
            kind = "greeting" if vector["name"].startswith("hello") else "open"
            before = {"after": ["bind for no registration"]} if kind == "open" else {}
            decoder = receiver(kind, "acceptor", before, known)
            with self.subTest(vector["name"]):
                self.assertEqual(list(decoder.feed(bytes.fromhex(vector["hex"]))), [])
                self.assertEqual(len(decoder.pending), vector["pending"])


if __name__ == "__main__":
    unittest.main()
