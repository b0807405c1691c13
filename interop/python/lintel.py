"""Talk to a Lintel hub: request, serve, publish, subscribe. Standard library only, Python 3.9 or later.

    peer = await connect("tcp://127.0.0.1:4500")
    await peer.serve("greet", lambda value, job: {"hello": value["name"]})
    print(await peer.request("greet", {"name": "Ada"}, timeout=2))

Three files, from the bytes up: lintel_wire.py, lintel_session.py, and this one with the peer, which dials again for
ever and announces services and subscriptions on every session. Clauses such as P-12 are those of docs/PROTOCOL.md.
"""

from __future__ import annotations

import asyncio
import logging
import math
import os
import random
import re
from collections import deque
from typing import Any, Callable, Optional, Union
from urllib.parse import urlsplit

from lintel_session import Job, Session
from lintel_wire import PATTERN, POLICIES, SUBJECT, VERBS, Frame, HeadersInit, LintelError, Message, Type
from lintel_wire import late, read_failure, write_value

__all__ = ["Job", "LintelError", "Message", "Peer", "Registration", "connect"]

MAX_WAITING = 65_536  # publications nobody has read yet; requests without an outcome
GREETING_S = 5.0
REFUSALS = ("unauthenticated", "permission_denied")  # before WELCOME: the hub lets nobody in with this token
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.05, 0.8  # between attempts to connect
Token = Union[str, Callable[[], str], None]
log = logging.getLogger("lintel")


def closed() -> LintelError:
    return LintelError("failed_precondition", "the peer was closed", "CLOSED")


def slow_consumer() -> LintelError:
    return LintelError("resource_exhausted", "the iteration does not keep up", "SLOW_CONSUMER")


def enable_unsupported() -> LintelError:
    return LintelError("unimplemented", "this hub does not take enablements", "ENABLE_UNSUPPORTED")


class Registration:
    """A service, a subscription or an enablement. A subscription without a listener is read with `async for`.

    `dropped` is how many publications it has missed: by the hub, as far as it has told, and here."""

    def __init__(self, peer: Peer, kind: Type, pattern: str, queue: str, number: int, take: Any) -> None:
        if not PATTERN.match(pattern) or (queue and not SUBJECT.match(queue)):
            raise LintelError(
                "invalid_argument", f"not a legal pattern or queue: {pattern[:64]!r}", "BAD_SUBJECT"
            )
        peer._last_registration += 1
        self.peer, self.id, self.pattern, self.take = peer, peer._last_registration, pattern, take
        name = queue.encode()
        self.frame = Frame(kind, 0, len(name), number, self.id, name + pattern.encode())
        self.matches = re.compile(
            pattern.replace(".", r"\.").replace("*", "[^.]+").replace(">", ".+")
        ).fullmatch
        self.ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.left, self.arrived = asyncio.Event(), asyncio.Event()
        self.messages: deque[Message] = deque()
        self.dropped, self.closing = 0, False
        self.failure: Optional[LintelError] = None  # why it has ended, if nobody closed it

    def deliver(self, message: Message) -> None:
        if self.take is None:
            if len(self.messages) >= MAX_WAITING:
                policy = POLICIES[self.frame.target]
                if policy == "disconnect":
                    return self._cut_off(slow_consumer())
                self.dropped += 1
                if policy == "drop-newest":
                    return None
                self.messages.popleft()
            self.messages.append(message)
            return self.arrived.set()
        try:
            self.take(message.value, message)
        except Exception as error:
            log.error("the listener to %s failed", self.pattern, exc_info=error)

    def __aiter__(self) -> Registration:
        return self

    async def __anext__(self) -> Message:
        while not self.messages and not self.left.is_set():
            self.arrived.clear()
            await self.arrived.wait()
        if not self.messages:
            raise self.failure or StopAsyncIteration
        return self.messages.popleft()

    def _cut_off(self, why: LintelError) -> None:
        """It must not miss anything, and has: it ends after what it has kept."""
        self.failure = why
        log.error("the subscription to %s is cut off", self.pattern, exc_info=why)
        if self.peer.session:
            self.peer.session.send(Frame(Type.LEAVE, id=self.id))
        self.peer._forget(self)

    async def close(self) -> None:
        """Takes nothing new; a service still answers what it holds. P-55: it is over when READY has come."""
        self.closing = True
        if self.peer.session and not self.left.is_set():
            self.peer.session.send(Frame(Type.LEAVE, id=self.id))
            await self.left.wait()
        self.peer._forget(self)


class Peer:
    def __init__(
        self, url: str, name: str, token: Token, on_state: Callable[[str, Optional[Exception]], Any]
    ) -> None:
        self.url, self.name, self.token, self.on_state = url, name, token, on_state
        self.session: Optional[Session] = None  # while there is one, and it is open
        self.registrations: dict[int, Registration] = {}
        self.closed = False
        self.connected = asyncio.Event()  # for the first time, or refused
        self.refused: Optional[LintelError] = None  # why the hub lets nobody in with this token
        self.failure: Optional[Exception] = None  # of the last attempt or session
        self._last_registration = self._last_id = 0
        self.runner = asyncio.get_running_loop().create_task(self._run())

    async def request(
        self,
        subject: str,
        value: Any = None,
        *,
        timeout: float = 30.0,
        headers: HeadersInit = None,
        full: bool = False,
    ) -> Any:
        """The answer's value, or with `full` the whole Message. Raises LintelError; always ends within `timeout`."""
        loop = asyncio.get_running_loop()
        until = loop.time() + timeout
        form, head, payload = write_value(value, headers)
        session = await self._way(subject, head, payload, timeout)
        if session.leaving:
            raise LintelError("unavailable", session.leaving.message, "DRAINING", retryable=True)
        if len(session.pending) >= MAX_WAITING:
            raise LintelError("resource_exhausted", "too many requests are in flight", "IN_FLIGHT_FULL", True)
        left = min(math.ceil((until - loop.time()) * 1000), 2**31 - 1)
        if left <= 0:
            raise late()
        number = self._last_id = self._last_id % (2**32 - 1) + 1
        answer = session.pending[number] = loop.create_future()
        body = left.to_bytes(4, "little") + head + payload
        session.send(Frame(Type.REQUEST, form, len(head), session.number(subject), number, body))
        timer = loop.call_at(until, session.withdraw, number, "deadline_exceeded")
        try:
            message = Message(await answer)
        finally:
            timer.cancel()
            session.withdraw(number, "canceled")  # when this task was cancelled
        return message if full else message.value

    async def publish(self, subject: str, value: Any = None, *, headers: HeadersInit = None) -> None:
        """Sends to every subscriber. At most once: it is neither stored nor confirmed."""
        form, head, payload = write_value(value, headers)
        session = await self._way(subject, head, payload, None)
        session.send(Frame(Type.PUBLISH, form, len(head), session.number(subject), 0, head + payload))

    async def serve(
        self, subject: str, handler: Callable[[Any, Job], Any], *, queue: str = "", concurrency: int = 0
    ) -> Registration:
        """Answers requests with what the handler returns; what it raises fails them. A plain handler must not block.
        Its task is cancelled when nobody waits for the answer any more. Concurrency 0: as many as the hub thinks fit."""
        return await self._register(Registration(self, Type.SERVE, subject, queue, concurrency, handler))

    async def subscribe(
        self,
        pattern: str,
        listener: Optional[Callable[[Any, Message], Any]] = None,
        *,
        overflow: str = "drop-newest",
    ) -> Registration:
        """Calls the listener, a plain function, with each publication; without one, iterate over the result.

        `overflow` says what becomes of publications when this end does not keep up: "drop-newest" and "drop-oldest" drop
        and count them, "disconnect" ends the subscription with SLOW_CONSUMER, which an iteration raises at its end."""
        policy = POLICIES.index(overflow)  # ValueError: it is none
        return await self._register(Registration(self, Type.SUBSCRIBE, pattern, "", policy, listener))

    async def enable(self, verb: str, pattern: str) -> Registration:
        """Lets the clients of the hub "publish", "subscribe" or "request" on the subjects of the pattern, until it is
        closed or this peer is. Raises PERMISSION_DENIED where this peer may not do the counterpart itself: P-149."""
        number = VERBS.index(verb) + 1  # ValueError: it is none
        return await self._register(Registration(self, Type.ENABLE, pattern, "", number, None))

    async def close(self) -> None:
        """Ends now: requests under way fail with CLOSED, handlers are cancelled."""
        self.closed = True
        self.runner.cancel()
        session = self.session
        if session:
            session.close(closed())
            await session.gone.wait()
        for registration in list(self.registrations.values()):
            if not registration.ready.done():
                registration.ready.set_exception(closed())
            self._forget(registration)
        await asyncio.wait({self.runner})

    async def _register(self, registration: Registration) -> Registration:
        if self.closed:
            raise closed()
        self.registrations[registration.id] = registration
        if self.session:
            self._announce(self.session, registration)
        await registration.ready
        return registration

    def _announce(self, session: Session, registration: Registration) -> None:
        if registration.frame.type is Type.ENABLE and not session.takes_enable:  # P-146
            self._refused(registration, enable_unsupported())
        else:
            session.send(registration.frame)

    def _ended(self, session: Session) -> None:
        """P-19: registrations are void; those that are not closing are announced again on the next session."""
        if session is self.session:
            self.session = None
            for registration in [one for one in self.registrations.values() if one.closing]:
                self._forget(registration)

    def _forget(self, registration: Registration) -> None:
        self.registrations.pop(registration.id, None)
        registration.left.set()
        registration.arrived.set()

    def _cut_off(self, why: LintelError) -> None:
        """The hub ends the session because it did not keep up, P-61."""
        for one in list(self.registrations.values()):
            if one.frame.type is Type.SUBSCRIBE and POLICIES[one.frame.target] == "disconnect":
                one._cut_off(why)

    def _listening(self, subject: str) -> list[Registration]:
        everything = self.registrations.values()
        return [one for one in everything if one.frame.type is Type.SUBSCRIBE and one.matches(subject)]

    def _answered(self, frame: Frame) -> None:
        """READY or REFUSED."""
        registration = self.registrations.get(frame.id)
        if registration is None:
            return
        if frame.type is Type.REFUSED:
            self._refused(registration, read_failure(frame))
        elif frame.aux == Type.LEAVE:
            self._forget(registration)
        elif not registration.ready.done():
            registration.ready.set_result(None)

    def _refused(self, registration: Registration, why: LintelError) -> None:
        self._forget(registration)
        registration.failure = why
        if registration.ready.done():
            log.error("%s is refused by the hub", registration.pattern, exc_info=why)
        else:
            registration.ready.set_exception(why)

    async def _way(self, subject: str, head: bytes, payload: bytes, timeout: Optional[float]) -> Session:
        """The session for a message, once there is room for it."""
        if not SUBJECT.match(subject):
            raise LintelError("invalid_argument", f"not a legal subject: {subject[:64]!r}", "BAD_SUBJECT")
        while self.session and not self.session.writable.is_set():
            try:
                await asyncio.wait_for(self.session.writable.wait(), timeout)
            except asyncio.TimeoutError:
                raise late() from None
        if self.closed:
            raise closed()
        if self.refused:
            raise self.refused
        if self.session is None:
            raise LintelError(
                "unavailable", "there is no connection to the hub", "NOT_CONNECTED", retryable=True
            )  # P-102
        self.session.check_size(head, payload)
        return self.session

    async def _run(self) -> None:
        """Dials for ever, P-101, unless the hub lets nobody in with this token, P-143."""
        pause = FIRST_PAUSE_S
        while True:
            try:
                session = await self._dial()
                pause = FIRST_PAUSE_S
                await session.heartbeat()
                self.failure = session.ended
            except (OSError, LintelError, asyncio.TimeoutError) as error:
                self.failure = error
                if isinstance(error, LintelError) and error.code in REFUSALS:
                    return self._refuse(error)
            self.on_state("connecting", self.failure)
            await asyncio.sleep(pause * random.uniform(0.5, 1))  # half of it random: not all peers at once
            pause = min(2 * pause, LONGEST_PAUSE_S)

    def _refuse(self, why: LintelError) -> None:
        self.refused = why
        for one in list(self.registrations.values()):
            self._forget(one)
            one.failure = why
            if not one.ready.done():
                one.ready.set_exception(why)
        self.connected.set()
        self.on_state("closed", why)

    async def _dial(self) -> Session:
        loop, url = asyncio.get_running_loop(), urlsplit(self.url)
        if url.scheme == "unix":
            dialing: Any = loop.create_unix_connection(
                lambda: Session(self), self.url[len("unix://") :]
            )
        else:
            dialing = loop.create_connection(lambda: Session(self), url.hostname or "", url.port or 0)
        session: Session
        _, session = await asyncio.wait_for(dialing, GREETING_S)
        try:
            await asyncio.wait_for(asyncio.shield(session.greeted), GREETING_S)
        except asyncio.TimeoutError:
            session.close(LintelError("unavailable", "no greeting in time", "HEARTBEAT_LOST"))  # P-14
            raise
        except asyncio.CancelledError:
            session.transport.abort()
            raise
        self.session = session
        in_order = sorted(self.registrations.values(), key=lambda one: one.frame.type is Type.ENABLE)
        for registration in in_order:  # P-153
            self._announce(session, registration)
        self.connected.set()
        self.on_state("connected", None)
        return session


async def connect(
    url: Optional[str] = None,
    *,
    name: str = "python",
    token: Token = None,
    timeout: float = 10.0,
    on_state: Callable[[str, Optional[Exception]], Any] = lambda state, error: None,
) -> Peer:
    """
    Connects to `tcp://HOST:PORT` or `unix:///PATH`; without one to the environment variable LINTEL_HUB, else to
    `tcp://127.0.0.1:4500`. Once connected, a lost connection is made again for ever. `token` shows the hub who this is; a
    function is asked for it each time. Raises what the hub says when it lets nobody in with it, and dials no more then.
    """
    url = url or os.environ.get("LINTEL_HUB") or "tcp://127.0.0.1:4500"
    if not re.match("tcp://[^/]+:[0-9]+$|unix:///", url):
        raise ValueError(f"{url!r} is neither tcp://HOST:PORT nor unix:///PATH")
    peer = Peer(url, name, token, on_state)
    try:
        await asyncio.wait_for(peer.connected.wait(), timeout)
    except BaseException as error:
        await peer.close()
        if not isinstance(error, asyncio.TimeoutError):
            raise
        why = f"no connection to {url} in {timeout} s: {peer.failure}"
        raise LintelError("unavailable", why, "NOT_CONNECTED", retryable=True) from peer.failure
    if peer.refused:
        await peer.close()
        raise peer.refused
    return peer
