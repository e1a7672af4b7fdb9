// PING monitors: HAProxy starts a program for each check, and this is the program. Stands for Octavia's ping-wrapper.
import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { ConfigurationRefused } from './validation.ts';

/** In the agent's directory, where the configuration looks for it: one above HAProxy's own. */
const scriptFile = 'ping-check.sh';

/** HAProxy tells the member's address and name, but not that another one is to be asked: that stands in the text in force. */
const script = `#!/bin/sh
monitor_address=$(sed -n "s/^ *server $HAPROXY_SERVER_NAME .* addr \\([^ ]*\\).*/\\1/p" haproxy.cfg | sed 1q | tr -d '[]')
exec ping -n -q -c 1 "\${monitor_address:-$3}" >/dev/null 2>&1
`;

export function writePingCheck(): void {
  writeFileSync(scriptFile, script, { mode: 0o755 });
}

/** Programs of HAProxy get no privileges by being started: whether ping works without them is to be known before it is relied on. */
const trial = ['setpriv', ['--no-new-privs', 'ping', '-n', '-q', '-c', '1', '-W', '1', '127.0.0.1']] as const;

export class PingTrial {
  #mayPing = false;

  /** @throws ConfigurationRefused naming the lines that want pings, where this amphora cannot ping */
  async check(text: string): Promise<void> {
    const lines = text
      .split('\n')
      .flatMap((line, index) => (/^\s+external-check command /.test(line) ? [index + 1] : []));
    if (lines.length === 0 || this.#mayPing) return;
    const failure = await new Promise<Error | null>((resolve) => execFile(...trial, (error) => resolve(error)));
    this.#mayPing = failure === null;
    if (failure === null) return;
    const message = 'this amphora may not ping: it needs ping, and its group in net.ipv4.ping_group_range';
    const named = lines.map((line) => ({ line, message }));
    throw new ConfigurationRefused({ error: 'invalid', http_code: 400, message, lines: named }, { cause: failure });
  }
}
