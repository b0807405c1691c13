"""A service for `lintel up`: adds numbers, and crashes when it is told to."""

import asyncio
import os

from lintel import connect


def add(value, job):
    if isinstance(value, list):
        return {"sum": sum(value)}
    print("told to crash", flush=True)
    os._exit(3)


async def main() -> None:
    peer = await connect()
    await peer.serve("sum", add)
    print("serving sum", flush=True)
    await asyncio.Event().wait()


asyncio.run(main())
