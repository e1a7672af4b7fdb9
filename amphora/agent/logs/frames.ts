// Takes apart what HAProxy's rings send: octet-counted syslog (RFC 6587), `<length> <priority>text`. Pure.

const space = 0x20;
const longestLength = 7;

/** Not octet-counted: whatever comes on that connection from here on cannot be told apart. */
export class NotFrames extends Error {
  override readonly name = 'NotFrames';
}

export class FrameReader {
  #rest: Buffer = Buffer.alloc(0);

  /** The frames that are whole by now, without their lengths. @throws NotFrames */
  read(chunk: Buffer): Buffer[] {
    const data = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    const frames: Buffer[] = [];
    let at = 0;
    for (;;) {
      const end = data.indexOf(space, at);
      if (end === -1 || end - at > longestLength) break;
      const length = Number(data.toString('latin1', at, end));
      if (!Number.isInteger(length)) throw new NotFrames(`no length of a frame at byte ${at}`);
      if (data.length < end + 1 + length) break;
      frames.push(data.subarray(end + 1, end + 1 + length));
      at = end + 1 + length;
    }
    if (data.length - at > longestLength && !/^\d+ /.test(data.toString('latin1', at, at + longestLength + 1)))
      throw new NotFrames('a length without an end');
    this.#rest = data.subarray(at);
    return frames;
  }
}

export interface Lines {
  /** Lines of traffic. */
  tenant: Buffer[];
  /** What HAProxy says itself. */
  admin: string[];
  /** Lines that HAProxy had no room for. */
  dropped: number;
}

/** local0, informational: every line of traffic has it, and nothing else. */
const ofTraffic = Buffer.from('<134>');

export function sorted(frames: Buffer[]): Lines {
  const lines: Lines = { tenant: [], admin: [], dropped: 0 };
  for (const frame of frames) {
    if (frame.length >= ofTraffic.length && frame.compare(ofTraffic, 0, ofTraffic.length, 0, ofTraffic.length) === 0) {
      lines.tenant.push(frame.subarray(ofTraffic.length));
      continue;
    }
    const text = frame.toString('utf8').replace(/^<\d+>/, '');
    lines.admin.push(text);
    lines.dropped += Number(/^(\d+) events? dropped$/.exec(text)?.[1] ?? 0);
  }
  return lines;
}
