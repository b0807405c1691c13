/** Waits on sockets where nothing happens, then closes them and should end. Prints how much processor time that took. */
import { adoptSocket, socketPair } from "../../../src/transport/descriptors/endpoints.ts";

const sockets = socketPair().map((fd) => adoptSocket(fd));
const [one, other] = sockets;
let echoes = 0;
one!.open({
  data: () => {
    if (++echoes < 100) one!.send(Buffer.from("ping"));
    else setTimeout(measure, 50);
  },
  drained: () => undefined,
  closed: () => undefined,
});
other!.open({
  data: (bytes) => void other!.send(bytes),
  drained: () => undefined,
  closed: () => undefined,
});
one!.send(Buffer.from("ping"));

function measure(): void {
  const start = performance.now();
  const usage = process.cpuUsage();
  setTimeout(() => {
    const { user, system } = process.cpuUsage(usage);
    console.log(JSON.stringify({ elapsed: performance.now() - start, used: (user + system) / 1000 }));
    for (const socket of sockets) socket.close();
  }, 400);
}
