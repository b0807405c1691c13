"""A service of the Python library that runs until it is ended: python3 echo_service.py URL"""

import asyncio
import sys

from middleman import Service


class Echo(Service):
    def REQ_Echo(self, headers, body):
        return body

    async def PUB_Repeat(self, headers, body):
        await self.send("PUB", "Repeated", {"uid": "forged"}, body)


async def main():
    echo = await Echo(sys.argv[1]).start()
    await echo.send("ESUB", "Repeated")
    await echo.raw.send("PUB Echo\ncmd: Started\n\n\r\n.\r\n")
    while not echo.heard:
        await asyncio.sleep(0.01)
    print("ready", flush=True)
    await echo.task


asyncio.run(main())
