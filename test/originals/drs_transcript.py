"""The transcript of DRS, every fact of its wire, against examples/commands-server.js.

    python3 drs_transcript.py ws://127.0.0.1:12000 http://127.0.0.1:12000/stats     over WebSocket
    python3 drs_transcript.py tcp://127.0.0.1:12001 http://127.0.0.1:12000/stats    over TCP

Prints one line of JSON for each test: its name, and what went wrong if something did.
"""

import asyncio
import json
import sys
import time
import urllib.request

from drs import PATIENCE, Client, push_id
from transcript import Cast, run, test

URL, STATS = sys.argv[1:3]


class Connections(Cast):
    async def client(self, query=""):
        return self.add(await Client.dial(URL, query))


def is_reply(command, action, body, key):
    assert command["action"] == action and command.get("key") == key, command
    assert command.get("body") == body, command


# Bytes


@test
async def replies_carry_the_key_and_the_result(cast):
    client = await cast.client()
    for body in ("text", 1, True, False, [1, [2]], {"a": {"b": None}}, "", {}, [], "ü🚀\u2028\x00"):
        key = push_id()
        is_reply(await client.call("echo", key=key, body=body), "drs.response", body, key)


@test
async def null_is_left_out_and_zero_is_kept(cast):
    client = await cast.client()
    for body in (0, False, ""):
        reply = await client.call("echo", body=body)
        assert "body" in reply and reply["body"] == body and reply["body"] is not None, reply
    assert "body" not in await client.call("echo", body=None)
    assert "body" not in await client.call("echo")


@test
async def numbers_stay_exact(cast):
    client = await cast.client()
    for number in ("9007199254740993", "-12345678901234567890", "0.1", "1e300", "123456789012345678901234567890"):
        key = push_id()
        client.waiting[key] = asyncio.get_running_loop().create_future()
        await client.line.write(f'{{"key":"{key}","action":"echo","body":{number}}}\n')
        reply = await asyncio.wait_for(client.waiting[key], PATIENCE)
        assert reply["body"] == json.loads(number), reply
        assert f'"body":{number}' in reply["raw"].replace("1e+300", "1e300"), reply["raw"]


@test
async def commands_may_be_split_and_joined(cast):
    client = await cast.client()
    keys = [push_id() for _ in range(4)]
    for key in keys:
        client.waiting[key] = asyncio.get_running_loop().create_future()
    waiting = [client.waiting[key] for key in keys]
    texts = [json.dumps({"key": key, "action": "echo", "body": f"{{}}[]\\\" {key} ü"}, ensure_ascii=False) for key in keys]
    await client.line.write(texts[0] + texts[1] + "\n" + texts[2][:30])
    for character in texts[2][30:]:
        await client.line.write(character)
    await client.line.write(" \n\t\r\n" + texts[3])
    for key, reply in zip(keys, waiting):
        is_reply(await asyncio.wait_for(reply, PATIENCE), "drs.response", f"{{}}[]\\\" {key} ü", key)


@test
async def binary_frames_are_accepted_and_split_anywhere(cast):
    client = await cast.client()
    key = push_id()
    client.waiting[key] = reply = asyncio.get_running_loop().create_future()
    data = json.dumps({"key": key, "action": "echo", "body": "ü🚀"}, ensure_ascii=False).encode()
    for index in range(len(data)):
        await client.line.write(data[index : index + 1])
    is_reply(await asyncio.wait_for(reply, PATIENCE), "drs.response", "ü🚀", key)


@test
async def what_is_no_object_ends_the_connection(cast):
    for text in ("[]", "[1]", '"text"', "17 ", "null", "true", "{]", "}"):
        client = await Client.dial(URL)
        await client.line.write(text + "\n")
        assert await client.next() is None, text
        await client.close()
    await (await cast.client()).settled()


@test
async def unknown_fields_and_versions_do_no_harm(cast):
    client = await cast.client()
    key = push_id()
    is_reply(await client.call("echo", key=key, body=1, version=3, more={"x": 1}), "drs.response", 1, key)


@test
async def large_bodies_pass(cast):
    client = await cast.client()
    body = "x" * 500_000
    assert (await client.call("echo", body=body))["body"] == body


# Replies


@test
async def expected_errors_and_crashes(cast):
    client = await cast.client()
    key = push_id()
    is_reply(await client.call("fail", key=key), "drs.error", {"message": "nope"}, key)
    for action in ("crash", "drs.kaboom"):
        reply = await client.call(action)
        assert reply["action"] == "drs.exception" and isinstance(reply["body"]["message"], str), reply
    await client.settled()


@test
async def no_handler_is_an_error(cast):
    client = await cast.client()
    for action in ("nobody", "two words", "__proto__", "constructor", "drs.nothing", "x.*", ">"):
        key = push_id()
        is_reply(await client.call(action, key=key), "drs.error", {"message": f"No handlers for {action}"}, key)


@test
async def fires_without_a_key_are_replied_to_without_one(cast):
    client = await cast.client()
    await client.send({"action": "echo", "body": "fired"})
    reply = await client.next()
    assert reply["action"] == "drs.response" and reply["body"] == "fired" and "key" not in reply, reply
    await client.send({"action": "fail"})
    reply = await client.next()
    assert reply["action"] == "drs.error" and "key" not in reply, reply
    await client.send({"action": "nobody"})
    reply = await client.next()
    assert reply["action"] == "drs.error" and reply["body"] == {"message": "No handlers for nobody"}, reply
    await client.settled()


@test
async def chains_share_a_context(cast):
    client = await cast.client()
    for _ in range(3):
        assert (await client.call("chain"))["body"] == "abc"


@test
async def ping_is_the_time(cast):
    client = await cast.client()
    before = time.time() * 1_000
    now = (await client.call("drs.ping"))["body"]
    assert before - 5_000 <= now <= time.time() * 1_000 + 5_000 and isinstance(now, int), now


@test
async def replies_with_unknown_keys_are_dropped(cast):
    client = await cast.client()
    for action in ("drs.response", "drs.error", "drs.exception"):
        for body in (1, None, "text", {"message": 5}, [], {}):
            await client.send({"key": push_id(), "action": action, "body": body})
            await client.send({"action": action, "body": body})
    await client.settled()


@test
async def slow_calls_do_not_hold_others_back(cast):
    client = await cast.client()
    await client.send({"key": push_id(), "action": "slow"})
    await client.settled()


@test
async def answers_come_to_their_calls(cast):
    client = await cast.client()
    replies = await asyncio.gather(*(client.call("echo", body=index) for index in range(500)))
    assert [reply["body"] for reply in replies] == list(range(500))


# Both sides are equal


@test
async def a_handler_calls_its_caller_back(cast):
    client = await cast.client()
    client.actions["client.ask"] = lambda body: {"asked": body}
    assert (await client.call("back", body=[1]))["body"] == {"asked": [1]}


@test
async def a_caller_without_the_action_is_an_error_for_its_handler(cast):
    client = await cast.client()
    call = asyncio.ensure_future(client.call("back", body=1))
    asked = await client.next()
    assert asked["action"] == "client.ask" and asked["body"] == 1 and asked["key"], asked
    await client.send({"key": asked["key"], "action": "drs.error", "body": {"message": "No handlers for client.ask"}})
    reply = await call
    assert reply["action"] in ("drs.error", "drs.exception") and "client.ask" in reply["body"]["message"], reply
    # Bodies of errors that are no objects have crashed the original.
    for body in (None, "text", 5, [1], {}, {"message": None}):
        call = asyncio.ensure_future(client.call("back", body=1))
        asked = await client.next()
        await client.send({"key": asked["key"], "action": "drs.exception", "body": body})
        assert (await call)["action"] in ("drs.error", "drs.exception")
    await client.settled()


@test
async def keys_belong_to_their_connection(cast):
    client, thief = await cast.client(), await cast.client()
    call = asyncio.ensure_future(client.call("back", body="mine"))
    asked = await client.next()
    await thief.send({"key": asked["key"], "action": "drs.response", "body": "forged"})
    await thief.settled()
    await client.send({"key": asked["key"], "action": "drs.response", "body": "true"})
    assert (await call)["body"] == "true"
    # Two connections may use the same key at the same time.
    key = push_id()
    one, other = await asyncio.gather(client.call("echo", key=key, body=1), thief.call("echo", key=key, body=2))
    assert (one["body"], other["body"]) == (1, 2)


@test
async def a_caller_that_vanishes_ends_what_its_handler_asks(cast):
    for _ in range(20):
        client = await Client.dial(URL)
        call = asyncio.ensure_future(client.call("back", body=1))
        assert (await client.next())["action"] == "client.ask"
        call.cancel()
        await client.close()
    await (await cast.client()).settled()


@test
async def broadcasts_reach_every_connection_without_a_key(cast):
    clients = [await cast.client() for _ in range(3)]
    for client in clients:
        await client.settled()
    await clients[0].send({"action": "cast", "body": {"n": 1}})
    for client in clients:
        news = await client.next()
        if news["action"] == "drs.response":  # a keyless fire gets its reply
            news = await client.next()
        assert news["action"] == "news" and news["body"] == {"n": 1} and "key" not in news, news


# Stats


@test
async def stats_count_by_action_and_outcome(cast):
    client = await cast.client()
    before = stats()
    for action in ("echo", "echo", "fail", "crash"):
        await client.call(action, body=1)
    after = stats()
    assert isinstance(after["hostname"], str) and after["connections"]["inbound"] >= 1, after
    assert "functions" in after, after

    def grown(action, kind):
        return after["commands"][action][kind] - before["commands"].get(action, {}).get(kind, 0)

    assert grown("echo", "success") == 2 and grown("fail", "errors") == 1 and grown("crash", "exceptions") == 1, after
    assert set(after["commands"]["echo"]) >= {"errors", "exceptions", "success"}, after
    client.actions["client.ask"] = lambda body: body
    await client.call("back", body=1)
    assert stats()["commands"]["client.ask"]["success"] >= 1, stats()


def stats():
    with urllib.request.urlopen(STATS, timeout=PATIENCE) as response:
        return json.load(response)


asyncio.run(run(Connections, sys.argv[3:]))
