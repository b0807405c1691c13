"""The transcript of middleman's protocol, every fact of it, against a hub whose keys are xyzzy, plugh and jabberwocky.

    python3 middleman_transcript.py ws://127.0.0.1:8764

Prints one line of JSON for each test: its name, and what went wrong if something did.
"""

import asyncio
import sys

import websockets
from middleman import Frame, Raw, Service
from transcript import Cast, run, test

SERVICE, CLIENT, OBSERVER = "xyzzy", "plugh", "jabberwocky"
URL = sys.argv[1].rstrip("/")


class Connections(Cast):
    async def service(self):
        return self.add(await Raw.dial(URL, SERVICE))

    async def client(self):
        return self.add(await Raw.dial(URL, CLIENT))

    async def observer(self):
        return self.add(await Raw.dial(URL, OBSERVER))


async def refused(raw, text, complaint):
    await raw.send(text)
    error = await raw.error()
    assert error == complaint, error


async def until_refused(client, text, complaint):
    """Sends it until it is refused: the server may not have seen yet that a service has left. Something must come each time."""
    for _ in range(10_000):
        await client.send(text)
        if (await client.frame()).body == complaint:
            return await rest_of(client)
    raise AssertionError(f"{text!r} is still done")


async def rest_of(client):
    """Bodies of what else has come to a client that may do nothing, such as that its subscription has ended."""
    await client.send("PUB a fence\n\n.\n")
    bodies = [(await client.frame()).body]
    while bodies[-1] != "Not trusted PUB a fence":
        bodies.append((await client.frame()).body)
    return bodies[:-1]


# Connection


@test
async def any_path_upgrades(cast):
    for path in ("/", "/text", "/some/where/else?x=1"):
        cast.add(await Raw.dial(URL + path, SERVICE))


@test
async def greeting_is_two_frames_and_guids_differ(cast):
    guids = {(await cast.service()).guid for _ in range(20)}
    assert len(guids) == 20


@test
async def short_greeting_is_one_frame(cast):
    short = cast.add(await Raw.dial_short(URL, SERVICE))
    await short.send("SUB short\r\n\r\n\r\n.\r\n")
    await short.send("PUB short\r\n\r\nfirst\r\n.\r\n")
    frame = await short.frame()
    assert (frame.target, frame.body) == ("short", "first"), frame


@test
async def bad_key_is_closed_with_a_reason(cast):
    for key in ("", "xyzz", "xyzzyy", "XYZZY", "PUB news\n\nspoken before the key\n.\n"):
        socket = await websockets.connect(URL)
        await socket.send(key)
        code, reason, frames = await Raw(socket, None).closed()
        assert (code, bool(reason), frames) == (1008, True, []), (key, code, reason, frames)


@test
async def nothing_is_done_before_the_key(cast):
    listener = await cast.service()
    await listener.send("SUB early\n\n.\n")
    await listener.settled()
    socket = await websockets.connect(URL)
    await socket.send("PUB early\n\nx\n.\n")
    await Raw(socket, None).closed()
    await listener.settled()


# Message


@test
async def line_ends_are_lf_or_crlf_and_leave_as_crlf(cast):
    raw = await cast.service()
    await raw.send("SUB lines\n\n.\n")
    for end in ("\n", "\r\n"):
        await raw.send(end.join(["PUB lines", "A: 1", "b:2", "", "body", ".", ""]))
        frame = await raw.frame()
        assert frame.headers[:2] == [("A", "1"), ("b", "2")], frame
        assert frame.body == "body", frame
    # As Python's library sends it: LF in front, CRLF around the dot.
    await raw.send("PUB lines\na: 1\n\nbody\r\n.\r\n")
    assert (await raw.frame()).body == "body"


@test
async def targets_may_contain_anything(cast):
    raw = await cast.service()
    targets = ["two words", " leading", "trailing ", "a:b", "a.b", ".", "..", "*", ">", "a.*", "Größe 🚀", "%41", "_x41", "x" * 200]
    for target in targets:
        await raw.send(f"SUB {target}\n\n.\n")
    for target in targets:
        await raw.send(f"PUB {target}\n\nto <{target}>\n.\n")
    for target in targets:
        frame = await raw.frame()
        assert (frame.target, frame.body) == (target, f"to <{target}>"), frame


@test
async def names_are_not_patterns(cast):
    raw = await cast.service()
    for pattern in ("*", ">", "star.*", "star.>"):
        await raw.send(f"SUB {pattern}\n\n.\n")
    await raw.send("PUB star.x\n\nnot for them\n.\n")
    await raw.settled()


@test
async def bodies_come_as_they_were_sent(cast):
    raw = await cast.service()
    await raw.send("SUB bodies\n\n.\n")
    bodies = ["", ".", "..", "...", ".\r\n.", "a\n.b", "a\r\n..\r\nb", "\n", "\r\n", "\r", "\r\r\n", "a\n", "a\r\n", "a\r", "\n\n", "\n.", "\x00",
              "tab\tü🚀\u2028", "x" * 70_000, "REQ x\r\n\r\n\r\n.\r\n".replace("\n.", "\n..")]
    for body in bodies:
        stuffed = "".join("." + line if line.startswith(".") else line for line in splitlines(body))
        await raw.send(f"PUB bodies\r\n\r\n{stuffed}\r\n.\r\n")
        frame = await raw.frame()
        assert frame.body == body, (body[:100], frame.body[:100])


def splitlines(body):
    """Lines with their ends, which are LF or CRLF."""
    parts = body.split("\n")
    return [part + "\n" for part in parts[:-1]] + [parts[-1]]


@test
async def empty_bodies_come_in_both_forms_and_leave_in_one(cast):
    raw = await cast.service()
    await raw.send("SUB K\r\n\r\n.\r\n")
    for text in ("PUB K\r\n\r\n.\r\n", "PUB K\r\n\r\n\r\n.\r\n", "PUB K\n\n.\n", "PUB K\n\n\n.\n", "PUB K\n\n\r\n.\r\n"):
        await raw.send(text)
        frame = await raw.frame()
        assert frame.body == "" and frame.text.endswith("\r\n\r\n\r\n.\r\n"), frame


@test
async def bytes_behind_the_dot_are_an_error(cast):
    raw = await cast.service()
    await raw.send("SUB behind\n\n.\n")
    for rest in ("x", "PUB behind\r\n\r\nsecond\r\n.\r\n", "\r\n", "."):
        await raw.send(f"PUB behind\r\n\r\nfirst\r\n.\r\n{rest}")
        error = await raw.error()
        assert error.endswith(" PUB behind"), error
    await raw.settled()


@test
async def headers_keep_spelling_order_and_duplicates(cast):
    raw = await cast.service()
    await raw.send("SUB headers\n\n.\n")
    sent = [("ReqID", "7"), ("X-one", "a"), ("x-ONE", "b"), ("X-one", "a"), ("colon", "a:b: c"), ("empty", "")]
    await raw.send("PUB headers\r\n" + "".join(f"{name}: {value}\r\n" for name, value in sent) + "\r\n\r\n.\r\n")
    frame = await raw.frame()
    stamped = [(name, value) for name, value in frame.headers if name.lower() not in ("cid", "uid")]
    assert stamped == sent, frame


@test
async def cid_and_uid_are_stamped_and_not_spoofed(cast):
    sender, receiver = await cast.service(), await cast.service()
    await receiver.send("SUB stamped\n\n.\n")
    await receiver.settled()
    for forged in ("", "cid: forged\nuid: root\n", "CID: forged\nUid: root\ncid: again\n"):
        await sender.send(f"PUB stamped\n{forged}\nbody\n.\n")
        frame = await receiver.frame()
        assert frame.get("cid") == sender.guid and frame.named("cid") == [sender.guid], frame
        assert frame.get("uid") == "" and frame.named("uid") == [""], frame


# PUB, SUB, UNS


@test
async def publications_reach_every_subscriber_the_sender_included(cast):
    members = [await cast.service() for _ in range(4)]
    for member in members[:3]:
        await member.send("SUB room\n\n.\n")
        await member.settled()
    await members[0].send("PUB room\n\nhello\n.\n")
    for member in members[:3]:
        assert (await member.frame()).body == "hello"
    await members[3].settled()


@test
async def publications_keep_their_order(cast):
    sender, receiver = await cast.service(), await cast.service()
    for target in ("order a", "orderb"):
        await receiver.send(f"SUB {target}\n\n.\n")
    await receiver.settled()
    for index in range(500):
        await sender.send(f"PUB {('order a', 'orderb')[index % 2]}\n\n{index}\n.\n")
    heard = [(await receiver.frame()).body for _ in range(500)]
    assert heard == [str(index) for index in range(500)], heard


@test
async def subscribed_twice_delivers_once_and_uns_ends_it(cast):
    raw = await cast.service()
    for _ in range(2):
        await raw.send("SUB twice\n\n.\n")
    await raw.send("PUB twice\n\nonce\n.\n")
    assert (await raw.frame()).body == "once"
    await raw.settled()
    await raw.send("UNS twice\n\n.\n")
    await raw.send("PUB twice\n\nno more\n.\n")
    await raw.settled()


# EREQ, REQ, RES


@test
async def requests_go_to_one_responder_each(cast):
    responders = [await cast.service() for _ in range(3)]
    requester = await cast.service()
    for responder in responders:
        await responder.send("EREQ work\r\n\r\n\r\n.\r\n")
        await responder.settled()

    async def answer(responder):
        done = 0
        try:
            while True:
                frame = await responder.frame()
                assert (frame.command, frame.target) == ("REQ", "work"), frame
                done += 1
                await responder.send(f"RES work\r\nrid: {frame.get('rid')}\r\n\r\n{frame.body}!\r\n.\r\n")
        except asyncio.CancelledError:
            return done

    tasks = [asyncio.ensure_future(answer(responder)) for responder in responders]
    for index in range(60):
        await requester.send(f"REQ work\r\nReqID: {index}\r\n\r\n{index}\r\n.\r\n")
    answers = {}
    for _ in range(60):
        frame = await requester.frame()
        assert frame.command == "RES", frame
        answers[frame.get("ReqID")] = frame.body
    assert answers == {str(index): f"{index}!" for index in range(60)}, answers
    await requester.settled()
    for task in tasks:
        task.cancel()
    done = await asyncio.gather(*tasks)
    assert sum(done) == 60 and all(count > 0 for count in done), done


@test
async def ids_of_the_requester_come_back_as_it_spelled_them(cast):
    responder, requester = await cast.service(), await cast.service()
    await responder.send("EREQ ids\n\n.\n")
    await responder.settled()
    await requester.send("REQ ids\r\nReqID: q-1\r\nrid: mine\r\ncmd: Join\r\n\r\nbody\r\n.\r\n")
    request = await responder.frame()
    rid = request.get("rid")
    assert rid and rid != "mine" and request.named("rid") == [rid], request
    assert request.get("ReqID") == "q-1" and request.get("cmd") == "Join" and request.body == "body", request
    assert request.get("cid") == requester.guid, request
    # The Python library echoes every header, with its name in lower case.
    echoed = "".join(f"{name.lower()}: {value}\n" for name, value in request.headers)
    await responder.send(f"RES ids\n{echoed}\nanswer\r\n.\r\n")
    answer = await requester.frame()
    assert (answer.command, answer.target, answer.body) == ("RES", "ids", "answer"), answer
    assert answer.get("ReqID") == "q-1" and answer.named("reqid") == ["q-1"], answer
    assert answer.get("rid") == "mine" and answer.named("rid") == ["mine"], answer
    assert answer.get("cid") == responder.guid and answer.named("cid") == [responder.guid], answer


@test
async def requests_without_ids_are_answered(cast):
    responder, requester = await cast.service(), await cast.service()
    await responder.send("EREQ plain\n\n.\n")
    await responder.settled()
    await requester.send("REQ plain\n\n.\n")
    request = await responder.frame()
    await responder.send(f"RES plain\nrid: {request.get('rid')}\n\n.\n")
    answer = await requester.frame()
    assert (answer.command, answer.target, answer.body) == ("RES", "plain", ""), answer


@test
async def nobody_to_answer_is_an_error(cast):
    raw = await cast.service()
    await raw.send("REQ nobody here\r\nReqID: 9\r\n\r\n\r\n.\r\n")
    frame = await raw.frame()
    assert (frame.command, frame.target, frame.body) == ("PUB", "ERROR", "No responder for REQ nobody here"), frame
    assert frame.get("ReqID") == "9", frame


@test
async def responders_that_leave_end_their_requests(cast):
    responder, requester = await Raw.dial(URL, SERVICE), await cast.service()
    await responder.send("EREQ leaving\n\n.\n")
    await responder.settled()
    await requester.send("REQ leaving\r\nReqID: 1\r\n\r\n\r\n.\r\n")
    assert (await responder.frame()).command == "REQ"
    await responder.close()
    frame = await requester.frame()
    assert (frame.command, frame.target, frame.get("ReqID")) == ("PUB", "ERROR", "1"), frame
    await refused(requester, "REQ leaving\n\n.\n", "No responder for REQ leaving")


@test
async def answers_of_others_are_refused(cast):
    responder, thief, requester = await cast.service(), await cast.service(), await cast.service()
    for raw in (responder, thief):
        await raw.send("EREQ held\n\n.\n" if raw is responder else "EREQ other\n\n.\n")
        await raw.settled()
    await requester.send("REQ held\r\nReqID: 1\r\n\r\n\r\n.\r\n")
    rid = (await responder.frame()).get("rid")
    for guess in (rid, "1", "0", "", "x" * 500):
        await refused(thief, f"RES held\nrid: {guess}\n\nforged\n.\n", "No client for request ID RES held")
    await refused(thief, "RES held\n\nforged\n.\n", "No client for request ID RES held")
    await requester.settled()
    await responder.send(f"RES held\nrid: {rid}\n\ntrue\n.\n")
    assert (await requester.frame()).body == "true"
    await refused(responder, f"RES held\nrid: {rid}\n\ntwice\n.\n", "No client for request ID RES held")
    await requester.settled()


# Clients, and what services enable


@test
async def clients_may_do_nothing_and_nothing_is_done(cast):
    service, client = await cast.service(), await cast.client()
    await service.send("SUB denied\n\n.\n")
    await service.send("SUB denied too\n\n.\n")
    await service.send("EREQ asked\n\n.\n")
    await service.settled()
    for command in ("PUB", "SUB", "EPUB", "ESUB", "EREQ", "REQ", "RES"):
        await refused(client, f"{command} denied too\n\nx\n.\n", f"Not trusted {command} denied too")
    await refused(client, f"INT UID\nforcid: {client.guid}\nsetuid: root\n\n.\n", "Not trusted INT UID")
    await service.settled()
    await service.send("PUB denied too\n\nnot for clients\n.\n")
    assert (await service.frame()).body == "not for clients"
    await service.send(f"PUB MSG:{client.guid}\n\nfor you\n.\n")
    frame = await client.frame()
    assert (frame.target, frame.body, frame.get("cid")) == (f"MSG:{client.guid}", "for you", service.guid), frame
    await refused(service, "REQ denied too\n\n.\n", "No responder for REQ denied too")


@test
async def epub_and_esub_enable_clients_until_the_last_service_leaves(cast):
    first, second, client = await Raw.dial(URL, SERVICE), await cast.service(), await cast.client()
    for service in (first, second):
        for command in ("EPUB enabled", "ESUB enabled", "SUB enabled"):
            await service.send(f"{command}\n\n.\n")
        await service.settled()
    await client.send("SUB enabled\n\n.\n")
    await client.send("PUB enabled\n\nfrom a client\n.\n")
    for raw in (first, second, client):
        frame = await raw.frame()
        assert (frame.body, frame.get("cid")) == ("from a client", client.guid), frame
    await first.close()
    await client.send("PUB enabled\n\nstill\n.\n")
    for raw in (second, client):
        assert (await raw.frame()).body == "still"
    await second.close()
    third = await cast.service()
    await until_refused(client, "PUB enabled\n\nno more\n.\n", "Not trusted PUB enabled")
    await third.send("PUB enabled\n\nunheard\n.\n")
    await third.settled()
    assert "unheard" not in await rest_of(client)
    await refused(client, "SUB enabled\n\n.\n", "Not trusted SUB enabled")


@test
async def ereq_enables_req_and_pub_for_clients(cast):
    service, client = await Raw.dial(URL, SERVICE), await cast.client()
    await refused(client, "REQ Counter\n\n.\n", "Not trusted REQ Counter")
    await service.send("EREQ Counter\n\n.\n")
    await service.send("SUB Counter\n\n.\n")
    await service.settled()
    await client.send("REQ Counter\r\nReqID: 5\r\n\r\nup\r\n.\r\n")
    request = await service.frame()
    await service.send(f"RES Counter\nrid: {request.get('rid')}\n\nupped\n.\n")
    answer = await client.frame()
    assert (answer.body, answer.get("ReqID")) == ("upped", "5"), answer
    await client.send("PUB Counter\n\nnews\n.\n")
    assert (await service.frame()).body == "news"
    await refused(client, "SUB Counter\n\n.\n", "Not trusted SUB Counter")
    await service.close()
    await until_refused(client, "REQ Counter\n\n.\n", "Not trusted REQ Counter")
    await refused(client, "PUB Counter\n\n.\n", "Not trusted PUB Counter")


# INT, private channels


@test
async def int_sets_the_uid_of_a_connection(cast):
    service, client = await cast.service(), await cast.client()
    await service.send("EPUB who\n\n.\n")
    await service.send("SUB who\n\n.\n")
    await service.send(f"INT UID\r\nforcid: {client.guid}\r\nsetuid: ada\r\n\r\n\r\n.\r\n")
    await service.settled()
    await client.send("PUB who\nuid: root\n\nme\n.\n")
    frame = await service.frame()
    assert (frame.get("uid"), frame.get("cid")) == ("ada", client.guid), frame
    await service.send(f"INT UID\nforcid: {client.guid}\nsetuid: \n\n.\n")
    await service.settled()
    await client.send("PUB who\n\nme\n.\n")
    assert (await service.frame()).get("uid") == ""


@test
async def int_with_an_unknown_cid_is_an_error(cast):
    service = await cast.service()
    for cid in ("0" * 20, "nobody", ""):
        await service.send(f"INT UID\nforcid: {cid}\nsetuid: ada\n\n.\n")
        assert (await service.error()).endswith(" INT UID")
    await service.send("INT UID\n\n.\n")
    assert (await service.error()).endswith(" INT UID")
    await service.settled()


@test
async def private_channels_are_private(cast):
    service, client, other = await cast.service(), await cast.client(), await cast.service()
    await refused(client, f"SUB MSG:{service.guid}\n\n.\n", f"Not trusted SUB MSG:{service.guid}")
    await service.send(f"PUB MSG:{client.guid}\n\nsecret\n.\n")
    assert (await client.frame()).body == "secret"
    await other.settled()


# Errors


@test
async def unknown_commands_and_malformed_messages_are_errors(cast):
    raw = await cast.service()
    for text, ending in (
        ("NOPE target\n\n.\n", " NOPE target"),
        ("pub target\n\n.\n", " pub target"),
        ("PUB", " PUB ?"),
        ("PUB target", " PUB target"),
        ("PUB target\n", " PUB target"),
        ("PUB target\nno colon\n\n.\n", " PUB target"),
        ("PUB target\n\nbody without a dot\n", " PUB target"),
    ):
        await raw.send(text)
        error = await raw.error()
        assert error.rstrip().endswith(ending), (text, error)
        await raw.settled()


@test
async def repeated_abuse_ends_the_connection(cast):
    raw = await Raw.dial(URL, SERVICE)
    for _ in range(50):
        try:
            await raw.send("malformed")
        except Exception:  # it has been closed meanwhile
            break
    code, reason, frames = await raw.closed()
    assert code == 1008 and reason, (code, reason)
    assert 1 <= len(frames) <= 50 and all(Frame(frame).target == "ERROR" for frame in frames), frames
    (await cast.service())


# Super key


@test
async def the_super_key_receives_everything_and_sends_nothing(cast):
    observer, service, client = await cast.observer(), await cast.service(), await cast.client()
    await service.send("EREQ Watched\n\n.\n")
    await service.settled()
    assert (await observer.frame()).body == "settled"
    await service.send("PUB some where\nX-Y: 1\n\nnews\n.\n")
    frame = await observer.frame()
    assert (frame.command, frame.target, frame.body, frame.get("X-Y")) == ("PUB", "some where", "news", "1"), frame
    assert frame.get("cid") == service.guid, frame
    await client.send("REQ Watched\nReqID: 1\n\nask\n.\n")
    request = await service.frame()
    await service.send(f"RES Watched\nrid: {request.get('rid')}\n\ntell\n.\n")
    assert (await client.frame()).body == "tell"
    copies = [await observer.frame(), await observer.frame()]
    assert [(frame.command, frame.target, frame.body) for frame in copies] == [
        ("REQ", "Watched", "ask"),
        ("RES", "Watched", "tell"),
    ], copies
    await service.send("SUB watched news\n\n.\n")
    await service.settled()
    assert (await observer.frame()).body == "settled"
    for command in ("PUB", "SUB", "REQ", "EREQ", "EPUB", "ESUB"):
        await refused(observer, f"{command} watched news\n\nx\n.\n", f"Not trusted {command} watched news")
    await service.settled()


# The Python service library


class Auth(Service):
    users = {}

    def REQ_Salt(self, headers, body):
        return f"salt of {body}"

    def REQ_Register(self, headers, body):
        name, _, password = body.partition("\n")
        if name in self.users:
            return "taken"
        self.users[name] = password
        return "OK"

    async def REQ_Verify(self, headers, body):
        name, _, password = body.partition("\n")
        if self.users.get(name) != password:
            return ""
        await self.raw.send(f"INT UID\nforcid: {headers['cid']}\nsetuid: {name}\n\n\r\n.\r\n")
        return "OK"


class Chat(Service):
    def REQ_Join(self, headers, body):
        return f"{headers['uid']} joined {body}"

    async def PUB_Say(self, headers, body):
        await self.send("PUB", f"Room {headers['room']}", {"from": headers["uid"]}, body)


@test
async def services_of_the_python_library_answer_a_browser_client(cast):
    auth, chat = await Auth(URL).start(), await Chat(URL).start()
    room = await cast.service()
    await room.send("ESUB Room tea\n\n.\n")
    await room.settled()
    client = await cast.client()
    count = 0

    async def request(target, cmd, body):
        nonlocal count
        count += 1
        await client.send(f"REQ {target}\r\nReqID: {count}\r\ncmd: {cmd}\r\n\r\n{body}\r\n.\r\n")
        frame = await client.frame()
        assert (frame.command, frame.target, frame.get("ReqID"), frame.get("cmd")) == ("RES", target, str(count), cmd), frame
        return frame.body

    assert await request("Auth", "Salt", "ada") == "salt of ada"
    assert await request("Auth", "Register", "ada\nsecret") == "OK"
    assert await request("Auth", "Register", "ada\nother") == "taken"
    assert await request("Auth", "Verify", "ada\nwrong") == ""
    assert await request("Chat", "Join", "tea") == " joined tea"
    assert await request("Auth", "Verify", "ada\nsecret") == "OK"
    assert await request("Chat", "Join", "tea") == "ada joined tea"
    await client.send("SUB Room tea\r\n\r\n\r\n.\r\n")
    await client.send("PUB Chat\r\ncmd: Say\r\nroom: tea\r\n\r\nhello\r\n.\r\n")
    frame = await client.frame()
    assert (frame.target, frame.get("from"), frame.body) == ("Room tea", "ada", "hello"), frame
    assert frame.get("cid") == chat.raw.guid, frame
    await auth.stop()
    await chat.stop()


asyncio.run(run(Connections, sys.argv[2:]))
