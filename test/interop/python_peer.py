"""The Python end of the interop test: serves, subscribes, and does what it reads; one JSON object a line both ways."""

import asyncio
import json
import logging
import sys
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "interop" / "python"))
import lintel_session  # noqa: E402
from lintel import LintelError, connect  # noqa: E402


taken = {}  # subscriptions by pattern


def say(**fields):
    print(json.dumps(fields), flush=True)


def plain(value):
    if not isinstance(value, bytes):
        return value
    return {"bytes": len(value)} if len(value) > 64 else {"hex": value.hex()}


def value_of(command):
    if "hex" in command:
        return bytes.fromhex(command["hex"])
    return bytes(command["size"]) if "size" in command else command.get("value")


def echo(value, job):
    job.reply_headers["x-echo"] = job.headers.get("x-sent", "")
    return value


def fail(value, job):
    raise LintelError("not_found", "no order 12", "NO_SUCH_ORDER", details={"order": 12})


async def stuck(value, job):
    say(event="stuck", value=value)
    try:
        await asyncio.Event().wait()
    finally:
        say(event="stopped", why=job.stopped)


def heard(pattern, value, message):
    say(event="heard", pattern=pattern, subject=message.subject, value=plain(value))


def together(count):
    """A handler that answers none before it holds as many as this."""
    held, all_here = [], asyncio.Event()

    async def handler(value, job):
        held.append(value)
        if len(held) == count:
            all_here.set()
        await all_here.wait()
        return len(held)

    return handler


async def read(subscription, last):
    """What an iteration has kept: the first, the last, and how many."""
    values = []
    try:
        async for message in subscription:
            values.append(message.value)
            if message.value == last:
                break
        end = "read"
    except LintelError as error:
        end = error.reason
    return [values[0], values[-1], len(values), subscription.dropped, end]


async def act(peer, command):
    n, do, subject = command["n"], command["do"], command.get("subject", "")
    options = {"headers": command.get("headers")}
    try:
        if do == "publish each":
            for value in command["values"]:
                await peer.publish(f"{subject}.{value}", value, **options)
            return say(n=n, value=None)
        if do in ("subscribe", "keep"):
            pattern = command["pattern"]
            listener = None if do == "keep" else partial(heard, pattern)
            taken[pattern] = await peer.subscribe(pattern, listener, overflow=command["overflow"])
            return say(n=n, value=None)
        if do == "read":
            return say(n=n, value=await read(taken[command["pattern"]], command["last"]))
        if do == "dropped":
            return say(n=n, value=taken[command["pattern"]].dropped)
        if do == "serve":
            service = await peer.serve(subject, echo)
            await service.close()
            return say(n=n, value="closed")
        if do == "publish":
            for value in command["values"]:
                await peer.publish(subject, value, **options)
            return say(n=n, value=None)
        options["timeout"] = command.get("timeout", 10)
        if do == "many":
            calls = [peer.request(subject, index, **options) for index in range(command["count"])]
            return say(n=n, value=await asyncio.gather(*calls))
        answer = await peer.request(subject, value_of(command), full=True, **options)
        say(n=n, value=plain(answer.value), echo=answer.headers.get("x-echo"))
    except LintelError as error:
        failure = {name: getattr(error, name) for name in ("code", "reason", "message", "retryable", "details")}
        say(n=n, error=failure)
    except asyncio.CancelledError:
        say(n=n, value="cancelled")


class Log(logging.Handler):
    def emit(self, record):
        say(event="log", text=record.getMessage())


async def main(url, heartbeat):
    lintel_session.HEARTBEAT_S = heartbeat
    logging.getLogger("lintel").addHandler(Log())
    peer = await connect(
        url, on_state=lambda state, error: say(event=state, why=getattr(error, "reason", None))
    )
    await peer.serve("py.echo", echo)
    await peer.serve("py.fail", fail)
    await peer.serve("py.crash", lambda value, job: value["no such key"])
    await peer.serve("py.left", lambda value, job: job.remaining() * 1000)
    await peer.serve("py.size", lambda value, job: len(value))
    await peer.serve("py.make", lambda value, job: bytes(value))
    await peer.serve("py.stuck", stuck)
    await peer.serve("py.together", together(200), queue="all", concurrency=200)
    for pattern in ("py.news.>", "py.*.tick"):
        taken[pattern] = await peer.subscribe(pattern, partial(heard, pattern))
    say(event="serving")
    loop, tasks = asyncio.get_running_loop(), {}
    while True:
        line = await loop.run_in_executor(None, sys.stdin.readline)
        if not line:
            break
        command = json.loads(line)
        if command["do"] == "withdraw":
            tasks[command["of"]].cancel()
            say(n=command["n"], value=None)
        else:
            tasks[command["n"]] = asyncio.ensure_future(act(peer, command))
    await peer.close()


asyncio.run(main(sys.argv[1], float(sys.argv[2])))
