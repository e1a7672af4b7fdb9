// Reads what HAProxy says on stderr: its alerts, and the lines of the configuration they name.
import type { ConfigurationRejected } from '../agent-api.ts';

const maxLines = 50;

export interface Complaint {
  message: string;
  lines: { line: number; message: string }[];
}

/** Only alerts: warnings do not keep a configuration from coming into force. */
export function readComplaint(output: string): Complaint {
  const alerts = [...output.matchAll(/^\[ALERT\]\s*\(\d+\) : (.*)$/gm)].map((match) => match[1]!);
  const lines = alerts.flatMap((alert) => {
    const named = /\[[^\]:]*haproxy\.cfg(?:\.new)?:(\d+)\]\s*:?\s*(.*)$/.exec(alert);
    if (!named) return [];
    // Some name the place last: `Proxy 'x': unable to ... at [haproxy.cfg:13].`
    const [, line, rest = ''] = named;
    const message = /\w/.test(rest)
      ? rest
      : alert
          .slice(0, named.index)
          .replace(/^config : /, '')
          .replace(/ at $/, '');
    return [{ line: Number(line), message }];
  });
  const message = lines[0]?.message ?? alerts[0]?.replace(/^config : /, '') ?? output.trim().split('\n').at(-1) ?? '';
  return { message, lines: lines.slice(0, maxLines) };
}

/** Octavia's operators look for different things behind a syntax error, a taken port and a missing privilege. */
export function toRejection(complaint: Complaint): ConfigurationRejected {
  const all = [complaint.message, ...complaint.lines.map((line) => line.message)].join('\n');
  const error = /Address already in use/.test(all)
    ? 'address_in_use'
    : /Permission denied|Cannot assign requested address|[Cc]annot bind/.test(all)
      ? 'address_not_allowed'
      : 'invalid';
  return {
    error,
    http_code: 400,
    message: complaint.message || 'HAProxy refused the configuration',
    lines: complaint.lines,
  };
}
