/**
 * The time this process has had a processor, in milliseconds. What else the machine does adds nothing to it, so that a test
 * can compare how much work two things are.
 */
export function cpuTime(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1_000;
}
