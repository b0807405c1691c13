"""A worker of five lines: python3 interop/python/worker.py [URL], then request the subject `greet`."""

import asyncio
import sys

from lintel import connect


async def main() -> None:
    peer = await connect(sys.argv[1] if len(sys.argv) > 1 else "tcp://127.0.0.1:4500")
    await peer.serve("greet", lambda value, job: {"hello": value["name"]})
    print("serving greet", flush=True)
    await asyncio.Event().wait()


asyncio.run(main())
