// Fetches an amphora's keys from where user data says. The URL is a right to read them, so it is named nowhere.
import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { log, textOf } from '../agent/log.ts';
import type { BootBundle, BootDocument } from '../boot-document.ts';

/** There was no bundle in time, or what was there is not it. */
export class BundleUnavailable extends Error {
  override readonly name = 'BundleUnavailable';
}

export interface Patience {
  forMs: number;
  pauseMs: number;
}

/** The network may come up late, and the bundle may be put after the machine is started; the URL works for minutes. */
export const bundlePatience: Patience = { forMs: 300_000, pauseMs: 2_000 };

const requestTimeoutMs = 10_000;
const limitBytes = 256 * 1024;

/** @throws BundleUnavailable with the last reason */
export async function fetchBundle(document: BootDocument, { forMs, pauseMs }: Patience): Promise<BootBundle> {
  const deadline = performance.now() + forMs;
  let said = '';
  for (;;) {
    try {
      return await tryOnce(document);
    } catch (error) {
      const reason = textOf(error);
      if (performance.now() + pauseMs > deadline)
        throw new BundleUnavailable(`no boot bundle within ${forMs} ms: ${reason}`, { cause: error });
      // Each reason once, not each attempt.
      if (reason !== said) log('the boot bundle is tried for again', { reason });
      said = reason;
    }
    await sleep(pauseMs);
  }
}

async function tryOnce({ amphora_id, bundle }: BootDocument): Promise<BootBundle> {
  const answer = await fetch(bundle.url, { signal: AbortSignal.timeout(requestTimeoutMs) }).catch((cause) => {
    throw new BundleUnavailable('the store of objects does not answer', { cause });
  });
  if (!answer.ok) {
    await answer.body?.cancel();
    throw new BundleUnavailable(`the store of objects answers ${answer.status}`);
  }
  const bytes = await readAll(answer);
  if (createHash('sha256').update(bytes).digest('hex') !== bundle.sha256)
    throw new BundleUnavailable('what is there has another SHA-256 than the boot document says');
  const found = JSON.parse(bytes.toString('utf8')) as BootBundle;
  if (found.version !== 1) throw new BundleUnavailable(`boot bundle of version ${found.version}, known is 1`);
  if (found.amphora_id !== amphora_id) throw new BundleUnavailable(`the boot bundle is that of ${found.amphora_id}`);
  return found;
}

async function readAll(answer: Response): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of answer.body ?? []) {
    length += chunk.length;
    if (length > limitBytes) throw new BundleUnavailable(`the boot bundle is larger than ${limitBytes} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
