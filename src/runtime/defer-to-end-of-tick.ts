export type Defer = (callback: () => void) => void;

/**
 * What calls back when the code that runs, and all it has set going by promises, is through: by then everything that goes
 * out together has gathered. In Node it is setImmediate. Elsewhere it is a message to oneself, since timers wait for up to
 * a minute in a tab that is not seen.
 */
export function deferToEndOfTick(): Defer {
  if (typeof setImmediate === "function") return setImmediate;
  const { port1, port2 } = new MessageChannel();
  const waiting: (() => void)[] = [];
  port1.addEventListener("message", () => waiting.shift()?.());
  port1.start();
  return (callback) => {
    waiting.push(callback);
    port2.postMessage(undefined);
  };
}
