"""One session: a connection that speaks the protocol, from the greeting to CLOSE.

It numbers subjects, answers pings, runs handlers and finds the request that an answer belongs to. All of its state is
void when it ends; what outlives it is in lintel.py. Clauses such as P-12 are those of docs/PROTOCOL.md.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
from typing import TYPE_CHECKING, Any, Callable, Optional

from lintel_wire import CODES, MAX_HEADERS, MAX_NUMBERS, MAX_PAYLOAD, VERSION
from lintel_wire import Decoder, Frame, Headers, LintelError, Message, Type
from lintel_wire import check, connection_lost, failure_frame, late, read_failure, write_value

if TYPE_CHECKING:
    from lintel import Peer

MAX_BUFFER = 8_388_608  # bytes waiting to be written to the hub
HEARTBEAT_S, CLOSING_S = 2.5, 2.0
log = logging.getLogger("lintel")


class Job(Message):
    """A request in a handler's hands. `stopped` says why its task is cancelled: CALLER_GONE, DEADLINE, ..."""

    task: asyncio.Task[None]
    timer: asyncio.TimerHandle
    stopped = ""

    def __init__(self, frame: Frame, subject: str, registration: int) -> None:
        super().__init__(frame, subject)
        self.id, self.registration = frame.id, registration
        self.deadline = asyncio.get_running_loop().time() + frame.timeout_ms / 1000  # on the clock of the loop
        self.reply_headers: dict[str, str] = {}

    def remaining(self) -> float:
        """Seconds until nobody waits any more: the timeout for requests made on behalf of this one."""
        return max(0.0, self.deadline - asyncio.get_running_loop().time())

    def stop(self, why: str) -> None:
        self.stopped = why
        self.timer.cancel()
        self.task.cancel()


class Session(asyncio.Protocol):
    transport: asyncio.Transport

    def __init__(self, peer: Peer) -> None:
        self.peer, self.loop = peer, asyncio.get_running_loop()
        self.decoder = Decoder(dialer=True)
        self.greeted: asyncio.Future[None] = self.loop.create_future()
        self.ended: Optional[LintelError] = None  # why
        self.closed_here = False
        self.leaving: Optional[LintelError] = None  # what GOAWAY said
        self.over, self.gone, self.writable = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self.max_payload = self.max_headers = self.max_bindings = 0  # what the other end takes
        self.takes_enable = False  # it does, P-146
        self.numbers: dict[str, int] = {}  # the subjects we have bound, oldest first
        self.pending: dict[int, asyncio.Future[Frame]] = {}  # our requests without an outcome
        self.jobs: dict[int, Job] = {}  # the hub's requests without an outcome
        self.heard = self.loop.time()
        self.writable.set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]
        self.transport.set_write_buffer_limits(high=MAX_PAYLOAD)
        token = self.peer.token() if callable(self.peer.token) else self.peer.token
        head = f"name:{self.peer.name}\nmax-payload:{MAX_PAYLOAD}\nmax-headers:{MAX_HEADERS}\n".encode()
        head += f"token:{token}\n".encode() if token else b""  # P-140
        self.send(Frame(Type.HELLO, 0, len(head), VERSION, VERSION, head))

    def data_received(self, data: bytes) -> None:
        self.heard = self.loop.time()
        try:
            for frame in self.decoder.feed(b"" if self.ended else data):
                self.receive(frame)
                if self.ended:  # P-17: what follows is not acted on
                    return
        except LintelError as error:
            self.close(error)

    def connection_lost(self, exc: Optional[Exception]) -> None:
        self.end(connection_lost(str(exc or "end of file")))
        self.gone.set()

    def pause_writing(self) -> None:
        self.writable.clear()

    def resume_writing(self) -> None:
        self.writable.set()

    def send(self, frame: Frame) -> None:
        if self.ended:
            return None
        if self.transport.get_write_buffer_size() > MAX_BUFFER:  # P-62
            self.end(LintelError("resource_exhausted", "the hub does not read", "SLOW_CONSUMER"))
            return self.transport.abort()
        self.transport.write(frame.encode())

    def close(self, why: LintelError) -> None:
        """Says why, then lets the connection end; P-16, P-17."""
        if not self.ended:
            self.send(failure_frame(Type.CLOSE, why))
            self.closed_here = True
            self.end(why)
            self.loop.call_later(CLOSING_S, self.transport.abort)
            self.transport.write_eof()

    def end(self, why: LintelError) -> None:
        """P-19: numbers, registrations and ids are void from here on."""
        if self.ended:
            return
        self.ended = why
        if not self.greeted.done():
            self.greeted.set_exception(why)
        for job in self.jobs.values():
            job.stop(why.reason)
        self.jobs.clear()
        lost = why if self.closed_here and why.reason == "CLOSED" else connection_lost(why.message)
        for answer in self.pending.values():
            if not answer.done():
                answer.set_exception(lost)
        self.pending.clear()
        self.writable.set()
        self.over.set()
        self.peer._ended(self)

    async def heartbeat(self) -> None:
        """P-80. Returns when the session is over."""
        while not await self.over_within(self.heard + HEARTBEAT_S - self.loop.time()):
            if self.loop.time() - self.heard < HEARTBEAT_S:
                continue
            asked = self.loop.time()
            self.send(Frame(Type.PING))
            await self.over_within(HEARTBEAT_S)
            stood_still = self.loop.time() - asked > 2 * HEARTBEAT_S  # we, not the hub: ask once more
            if self.heard < asked and not stood_still:
                self.close(LintelError("unavailable", "the hub stopped answering pings", "HEARTBEAT_LOST"))

    async def over_within(self, seconds: float) -> bool:
        try:
            await asyncio.wait_for(self.over.wait(), seconds)
        except asyncio.TimeoutError:
            pass
        return self.over.is_set()

    def number(self, subject: str) -> int:
        """The number that stands for a subject, P-20 to P-24."""
        number = self.numbers.get(subject, 0)
        if not number:
            full = len(self.numbers) >= self.max_bindings
            number = self.numbers.pop(next(iter(self.numbers))) if full else len(self.numbers) + 1
            self.numbers[subject] = number
            self.send(Frame(Type.BIND, target=number, body=subject.encode()))
        return number

    def check_size(self, head: bytes, payload: bytes) -> None:
        if len(payload) > self.max_payload:
            raise LintelError("resource_exhausted", "the payload is over the limit", "TOO_LARGE")
        if len(head) > self.max_headers:
            raise LintelError("resource_exhausted", "the headers are over the limit", "HEADERS_TOO_LARGE")

    def receive(self, frame: Frame) -> None:
        kind = frame.type
        if kind is Type.WELCOME:
            limits = Headers.read(frame.body)
            self.max_payload, self.max_headers = int(limits.get("max-payload")), int(limits.get("max-headers"))
            self.max_headers = min(self.max_headers, 65_535)
            self.max_bindings = min(int(limits.get("max-bindings", str(MAX_NUMBERS))), MAX_NUMBERS)
            self.takes_enable = limits.get("enablement") == "clients"
            self.greeted.set_result(None)
        elif kind is Type.CLOSE:
            why = read_failure(frame)
            if why.reason not in ("DRAINING", "CLOSED"):  # P-68
                log.error("the hub has ended the session", exc_info=why)
            if why.reason == "SLOW_CONSUMER":
                self.peer._cut_off(why)
            self.end(why)
            self.transport.close()
        elif kind is Type.GOAWAY:
            self.leaving = read_failure(frame)  # P-18: no new requests
        elif kind is Type.PING:
            self.send(Frame(Type.PONG, id=frame.id))
        elif kind is Type.REQUEST:
            self.execute(frame, *self.decoder.bound[frame.target])
        elif kind is Type.CANCEL:
            job = self.jobs.get(frame.id)
            if job and job.registration == frame.target:
                del self.jobs[frame.id]
                job.stop("DEADLINE" if frame.aux == CODES.index("deadline_exceeded") else "CALLER_GONE")
        elif kind in (Type.REPLY, Type.ERROR) and frame.target == 0:  # P-42: we bind for no registration
            answer = self.pending.pop(frame.id, None)  # P-43: none when it comes late
            if answer and not answer.done():
                answer.set_result(frame) if kind is Type.REPLY else answer.set_exception(read_failure(frame))
        elif kind is Type.PUBLISH:
            message = Message(frame, self.decoder.bound[frame.target][0])  # P-63: who wants it is ours to find
            for registration in self.peer._listening(message.subject):
                registration.deliver(message)
        elif kind is Type.DROPPED:
            for registration in self.peer._listening(self.decoder.bound[frame.target][0]):
                registration.dropped += frame.id  # P-65
        elif kind in (Type.READY, Type.REFUSED):
            self.peer._answered(frame)
        elif kind in (Type.SERVE, Type.SUBSCRIBE):  # P-56: we route nothing
            no = LintelError("unimplemented", "this end takes no registrations")
            self.send(failure_frame(Type.REFUSED, no, number=frame.id))
        elif kind is Type.LEAVE:
            self.send(Frame(Type.READY, aux=Type.LEAVE, id=frame.id))

    def execute(self, frame: Frame, subject: str, registration: int) -> None:
        check(frame.id not in self.jobs, "P-40", f"request {frame.id} is under way")
        service = self.peer.registrations.get(registration)
        if service is None or service.frame.type is not Type.SERVE:  # P-26
            error = LintelError("unavailable", "nobody serves this subject", "NO_RESPONDERS", retryable=True)
            return self.send(failure_frame(Type.ERROR, error, registration, frame.id))
        if frame.timeout_ms == 0:  # P-41
            return self.send(failure_frame(Type.ERROR, late(), registration, frame.id))
        job = self.jobs[frame.id] = Job(frame, subject, registration)
        job.task = self.loop.create_task(self.work(job, service.take))
        job.timer = self.loop.call_at(job.deadline, self.expire, job)

    def expire(self, job: Job) -> None:
        self.answer(job, failure_frame(Type.ERROR, late(), job.registration, job.id))
        job.stop("DEADLINE")

    def answer(self, job: Job, frame: Frame) -> None:
        if self.jobs.get(job.id) is job:  # else it was cancelled, or the session is over
            del self.jobs[job.id]
            self.send(frame)

    async def work(self, job: Job, handler: Callable[[Any, Job], Any]) -> None:
        try:
            result = handler(job.value, job)
            if inspect.isawaitable(result):
                result = await result
            try:
                form, head, payload = write_value(result, job.reply_headers)
            except LintelError as error:
                raise TypeError("the answer cannot be sent") from error
            try:
                self.check_size(head, payload)
            except LintelError as error:  # not the caller's mistake, P-48
                log.error("the answer of the handler for %s cannot be sent: %s", job.subject, error)
                raise LintelError("internal", f"the worker answered, but {error}", "BAD_ANSWER") from error
            while not self.writable.is_set():  # P-62; those who wait are all woken at once
                await self.writable.wait()
            frame = Frame(Type.REPLY, form, len(head), job.registration, job.id, head + payload)
        except LintelError as error:
            frame = failure_frame(Type.ERROR, error, job.registration, job.id, self.max_payload)
        except (Exception, asyncio.CancelledError) as error:
            if not job.stopped:
                log.error("the handler for %s failed", job.subject, exc_info=error)
            failed = LintelError("internal", "the handler failed; its log says why", "HANDLER_FAILED")
            frame = failure_frame(Type.ERROR, failed, job.registration, job.id)
        job.timer.cancel()
        self.answer(job, frame)

    def withdraw(self, number: int, code: str) -> None:
        """Ends a request of ours if it has no outcome yet, P-44 and P-45."""
        answer = self.pending.pop(number, None)
        if answer:
            self.send(Frame(Type.CANCEL, aux=CODES.index(code), id=number))
            if not answer.done():
                answer.set_exception(late())
