/** Timestamps of MessagePack: extension -1, in 4, 8 or 12 bytes. */

const MAX_NANOSECONDS = 999_999_999;

/** What a date can be: milliseconds before and after 1970. */
const MAX_TIME = 8_640_000_000_000_000;

/**
 * The date a timestamp says, in whole milliseconds: what is finer is left out, so that a date is never later than its
 * timestamp, before 1970 neither. Throws for more nanoseconds than a second has, other lengths, and times that no date has.
 */
export function dateOfTimestamp(data: Uint8Array): Date {
  const view = new DataView(data.buffer, data.byteOffset, data.length);
  switch (data.length) {
    case 4:
      return dateOf(view.getUint32(0), 0);
    case 8: {
      const high = view.getUint32(0);
      return dateOf((high & 0x3) * 0x1_0000_0000 + view.getUint32(4), high >>> 2);
    }
    case 12:
      return dateOf(Number(view.getBigInt64(4)), view.getUint32(0));
    default:
      throw new Error(`a timestamp has ${data.length} bytes, not 4, 8 or 12`);
  }
}

function dateOf(seconds: number, nanoseconds: number): Date {
  if (nanoseconds > MAX_NANOSECONDS) throw new Error(`a timestamp has ${nanoseconds} nanoseconds`);
  const time = seconds * 1_000 + Math.floor(nanoseconds / 1_000_000);
  if (Math.abs(time) > MAX_TIME) throw new Error("a timestamp is out of range");
  return new Date(time);
}
