"""The transcript of DRS against a hub: its workers answer commands, and its requests reach handlers of DRS clients.

    python3 drs_gateway_transcript.py ws://127.0.0.1:12000 http://127.0.0.1:8500/stats

The hub knows the tokens `worker`, `page` and `admin`, and serves echo, fail, crash and back (which asks `client.ask`). A page may only
request those. Prints one line of JSON for each test: its name, and what went wrong if something did.
"""

import asyncio
import json
import sys
import urllib.request

from drs import PATIENCE, Client, push_id
from transcript import Cast, run, test

URL, STATS = sys.argv[1:3]
IS_TCP = URL.startswith("tcp:")


class Connections(Cast):
    async def page(self):
        return await self.known("page")

    async def worker(self):
        return await self.known("worker")

    async def known(self, token):
        if not IS_TCP:
            return await self.client(f"?token={token}")
        client = await self.client()
        assert (await client.call("auth.upgrade", body=token))["action"] == "drs.response"
        return client

    async def client(self, query=""):
        return self.add(await Client.dial(URL, query))


@test
async def workers_of_the_hub_answer(cast):
    client = await cast.page()
    for body in ("text", 0, False, "", [1, [2]], {"a": {"b": None}}, "ü🚀"):
        key = push_id()
        reply = await client.call("echo", key=key, body=body)
        assert (reply["action"], reply["key"], reply.get("body")) == ("drs.response", key, body), reply
    assert "body" not in await client.call("echo", body=None)
    assert "body" not in await client.call("echo")


@test
async def numbers_stay_exact(cast):
    client, worker = await cast.page(), await cast.worker()
    worker.actions["client.exact"] = lambda body: body
    for number in ("9007199254740993", "-12345678901234567890", "0.1", "123456789012345678901234567890"):
        key = push_id()
        client.waiting[key] = asyncio.get_running_loop().create_future()
        await client.line.write(f'{{"key":"{key}","action":"client.exact","body":{number}}}\n')
        reply = await asyncio.wait_for(client.waiting[key], PATIENCE)
        assert f'"body":{number}' in reply["raw"], reply["raw"]


@test
async def failures_are_errors_and_exceptions(cast):
    client = await cast.page()
    reply = await client.call("fail")
    assert reply["action"] == "drs.error" and reply["body"]["message"] == "nope", reply
    reply = await client.call("crash")
    assert reply["action"] == "drs.exception" and isinstance(reply["body"]["message"], str), reply
    assert (await client.call("drs.kaboom"))["action"] == "drs.exception"
    reply = await (await cast.worker()).call("nobody here")
    assert reply["action"] == "drs.error" and reply["body"]["message"] == "No handlers for nobody here", reply


@test
async def fires_are_replied_to_without_a_key(cast):
    client = await cast.page()
    await client.send({"action": "echo", "body": "fired"})
    reply = await client.next()
    assert reply["action"] == "drs.response" and reply["body"] == "fired" and "key" not in reply, reply
    await client.settled()


@test
async def frames_may_be_split_joined_and_binary(cast):
    client = await cast.page()
    keys = [push_id() for _ in range(3)]
    waiting = []
    for key in keys:
        client.waiting[key] = asyncio.get_running_loop().create_future()
        waiting.append(client.waiting[key])
    texts = [json.dumps({"key": key, "action": "echo", "body": "ü"}, ensure_ascii=False).encode() for key in keys]
    data = b"".join(texts)
    for at in range(0, len(data), 7):
        await client.line.write(data[at : at + 7])
    for reply in waiting:
        assert (await asyncio.wait_for(reply, PATIENCE))["body"] == "ü"


@test
async def what_is_no_object_ends_the_connection(cast):
    client = await cast.page()
    await client.line.write("[]\n")
    assert await client.next() is None


@test
async def nobody_without_a_token(cast):
    client = await cast.client()
    reply = await client.call("echo", body=1)
    assert (reply["action"], reply["body"]["message"]) == ("drs.error", "Authentication required"), reply
    for token in (None, 5, {"token": "page"}, ["page"], True):
        reply = await client.call("auth.upgrade", body=token)
        assert (reply["action"], reply["body"]["message"]) == ("drs.error", "Token must be a string"), reply
    reply = await client.call("auth.upgrade", body="guessed")
    assert reply["action"] == "drs.error", reply
    assert (await client.call("echo", body=1))["body"]["message"] == "Authentication required"
    assert (await client.call("auth.upgrade", body="page"))["action"] == "drs.response"
    assert (await client.call("echo", body=1))["body"] == 1


@test
async def a_bad_token_in_the_address_is_refused(cast):
    if IS_TCP:
        return
    try:
        client = await cast.client("?token=guessed")
        reply = await client.call("echo", body=1)
    except Exception:  # the handshake, or the connection right behind it
        return
    assert reply["action"] == "drs.error", reply


@test
async def what_a_page_may_not_is_not_done(cast):
    client = await cast.page()
    reply = await client.call("secret", body=1)
    assert reply["action"] == "drs.error", reply
    assert (await (await cast.worker()).call("secret", body="asked"))["body"] == ["asked"], "it was done"


@test
async def requests_of_the_hub_reach_handlers_of_a_client(cast):
    worker, page = await cast.worker(), await cast.page()
    worker.actions["client.ask"] = lambda body: {"asked": body}
    assert (await page.call("back", body=[1]))["body"] == {"asked": [1]}
    del worker.actions["client.ask"]
    call = asyncio.ensure_future(page.call("back", body=2))
    asked = await worker.next()
    assert (asked["action"], asked["body"]) == ("client.ask", 2) and asked["key"], asked
    # An answer by somebody else is dropped.
    await page.send({"key": asked["key"], "action": "drs.response", "body": "forged"})
    await page.settled()
    await worker.send({"key": asked["key"], "action": "drs.error", "body": {"message": "not today"}})
    reply = await call
    assert reply["action"] == "drs.error" and reply["body"]["message"] == "not today", reply


@test
async def clients_without_the_handler_are_passed_over(cast):
    first, second, page = await cast.worker(), await cast.worker(), await cast.page()
    second.actions["client.ask"] = lambda body: "second"

    async def refuse():
        while (asked := await first.next()) is not None:
            message = {"message": f"No handlers for {asked['action']}"}
            await first.send({"key": asked["key"], "action": "drs.error", "body": message})

    refusing = asyncio.ensure_future(refuse())
    for _ in range(6):
        assert (await page.call("back", body=1))["body"] == "second"
    await first.close()
    await refusing


@test
async def a_worker_that_vanishes_ends_its_calls(cast):
    page = await cast.page()
    for _ in range(10):
        worker = await cast.worker()
        call = asyncio.ensure_future(page.call("back", body=1))
        assert (await worker.next())["action"] == "client.ask"
        cast.opened.remove(worker)
        await worker.close()
        assert (await call)["action"] in ("drs.error", "drs.exception")


@test
async def publications_reach_every_connection_that_may_hear_them(cast):
    workers = [await cast.worker() for _ in range(2)]
    for worker in workers:
        await worker.settled()
    page = await cast.page()
    await workers[0].call("tell", body={"n": 1})
    for worker in workers:
        news = await worker.next()
        assert news["action"] == "news.tea" and news["body"] == {"n": 1} and "key" not in news, news
    await page.settled()


@test
async def stats_count_both_ways(cast):
    worker, page = await cast.worker(), await cast.page()
    worker.actions["client.ask"] = lambda body: body
    for action in ("echo", "fail", "crash", "back"):
        await page.call(action, body=1)
    request = urllib.request.Request(STATS, headers={"Authorization": "Bearer admin"})
    with urllib.request.urlopen(request, timeout=PATIENCE) as response:
        stats = json.load(response)
    assert isinstance(stats["hostname"], str) and stats["connections"]["inbound"] >= 2, stats
    commands = stats["commands"]
    assert commands["echo"]["success"] > 0 and commands["fail"]["errors"] > 0, stats
    assert commands["crash"]["exceptions"] > 0 and commands["client.ask"]["success"] > 0, stats


asyncio.run(run(Connections, sys.argv[3:]))
