"""What transcripts share: tests by a decorator, each with connections of its own, reported as lines of JSON."""

import asyncio
import json
import traceback

TIMEOUT = 60  # seconds for one test
TESTS = []


def test(function):
    TESTS.append(function)
    return function


class Cast:
    """Connections of one test, which end with it."""

    def __init__(self):
        self.opened = []

    def add(self, connection):
        self.opened.append(connection)
        return connection


async def run(make_cast, only=()):
    """Runs all tests one after the other, or those that are named."""
    for function in TESTS:
        if only and function.__name__ not in only:
            continue
        cast, error = make_cast(), None
        try:
            await asyncio.wait_for(function(cast), TIMEOUT)
            for connection in cast.opened:
                await connection.close()
        except Exception:
            error = traceback.format_exc()
        print(json.dumps({"name": function.__name__.replace("_", " "), "error": error}), flush=True)
