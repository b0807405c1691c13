"""A service that the tests of lintel_text talk to: python3 text_service.py URL KEY [AUTHORITY] or URL KEY silence SECONDS"""

import asyncio
import ssl
import sys

import lintel_websocket
from lintel_text import TextError, TextService, decode, encode


class Echo(TextService):
    async def started(self):
        print("started", flush=True)

    def REQ_say(self, message):
        return message.body

    def REQ_who(self, message):
        return f"{message.cid} {message.uid}"

    async def REQ_later(self, message):
        await asyncio.sleep(0)
        return message.body.upper(), {"X-Seen": "yes", "content-type": "text/plain"}

    def REQ_refuse(self, message):
        raise TextError("not_found", "no milk left")

    def REQ_crash(self, message):
        raise RuntimeError("a secret")

    def REQ_split(self, message):
        return "body", {"X-Seen": "a\r\n.\r\n"}

    async def REQ_stuck(self, message):
        print("stuck", flush=True)
        try:
            await asyncio.Event().wait()
        finally:
            print("canceled", flush=True)

    def REQ_name(self, message):
        self.set_uid(message.cid, message.body)

    def PUB_news(self, message):
        self.publish("answers", f"heard {message.body} from {message.uid}")

    def PUB_crash(self, message):
        raise RuntimeError("nobody waits for it")


if sys.argv[1] == "vectors":
    # Frames in hexadecimal, one a line: each is read, written, and printed.
    for line in sys.stdin:
        try:
            message = decode(bytes.fromhex(line).decode())
        except ValueError as error:
            print("malformed", error)
            continue
        assert decode(encode(message)) == message
        print(encode(message).encode().hex(), flush=True)
else:
    try:
        tls = None
        if sys.argv[3:4] == ["silence"]:
            lintel_websocket.SILENCE_S = float(sys.argv[4])
        elif len(sys.argv) > 3:
            tls = ssl.create_default_context(cafile=sys.argv[3])
        Echo(sys.argv[1], key=sys.argv[2], tls=tls).run()
    except PermissionError as error:
        print(f"refused {error}", flush=True)
