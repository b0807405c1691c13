"""Who is who in the chat: a service of the text protocol.

The page turns a password into a proof that only the owner of the password can make, with the salt that this service gives out
for a name. The service keeps a digest of the proof, so that what it keeps lets nobody in. Users are kept in memory.
"""

import hashlib
import hmac
import json
import os
import secrets
import sys

from lintel_text import TextError, TextService

MAX_USERS = 10_000


class Auth(TextService):
    def __init__(self, *arguments: object, **options: object) -> None:
        super().__init__(*arguments, **options)
        self.users: dict[str, bytes] = {}
        self.pepper = secrets.token_bytes(32)

    async def started(self) -> None:
        print("Auth serves", flush=True)

    def REQ_Salt(self, message):
        """The salt of a name. One that nobody has gets one too, so that names cannot be found out here."""
        name = checked(message.body, "a name")
        return hmac.new(self.pepper, name.encode(), hashlib.sha256).hexdigest()

    def REQ_Register(self, message):
        name, proof = credentials(message.body)
        if name in self.users:
            raise TextError("already_exists", f"{name} is taken")
        if len(self.users) >= MAX_USERS:
            raise TextError("resource_exhausted", "there are too many users")
        self.users[name] = digest(proof)
        return self.admit(message, name)

    def REQ_Verify(self, message):
        name, proof = credentials(message.body)
        known = self.users.get(name, b"")
        if not hmac.compare_digest(known, digest(proof)):
            raise TextError("unauthenticated", "the name or the password is wrong")
        return self.admit(message, name)

    def admit(self, message, name):
        """From now on the server puts the name on everything that this connection sends."""
        self.set_uid(message.cid, name)
        return name


def credentials(body: str) -> "tuple[str, str]":
    try:
        said = json.loads(body)
        return checked(said["name"], "a name"), checked(said["proof"], "a proof")
    except (ValueError, KeyError, TypeError) as error:
        raise TextError("invalid_argument", "the body must be a JSON object with name and proof") from error


def checked(text: object, what: str) -> str:
    if not isinstance(text, str) or not 0 < len(text) <= 64 or not text.isprintable():
        raise TextError("invalid_argument", f"{what} has 1 to 64 characters")
    return text


def digest(proof: str) -> bytes:
    return hashlib.sha256(proof.encode()).digest()


if __name__ == "__main__":
    url = sys.argv[1] if len(sys.argv) > 1 else "ws://127.0.0.1:8764"
    Auth(url, key=os.environ.get("LINTEL_KEY", "anonymous")).run()
