// One request at a time, from an address and with headers of the test's choice, `Host` among them; whatever the answer is, it is told.
import { type IncomingHttpHeaders, request } from 'node:http';

export interface Question {
  address: string;
  port: number;
  path?: string;
  method?: string;
  headers?: Record<string, string>;
  /** Where the client is. */
  from?: string;
}

export interface Answer {
  status: number;
  headers: IncomingHttpHeaders;
  text: string;
  /** Name and value of the cookie that was set; undefined when none was. */
  cookie: string | undefined;
}

const timeoutMs = 15_000;

/** @throws Error when there is no answer */
export function ask({
  address: host,
  port,
  path = '/',
  method = 'GET',
  headers = {},
  from,
}: Question): Promise<Answer> {
  const source = from === undefined ? {} : { localAddress: from };
  return new Promise((resolve, reject) => {
    const call = request(
      { host, port, path, method, headers, agent: false, timeout: timeoutMs, ...source },
      (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (chunk) => {
          text += chunk;
        });
        response.on('error', reject);
        response.on('end', () => {
          const cookie = response.headers['set-cookie']?.[0]?.split(';')[0];
          resolve({ status: response.statusCode ?? 0, headers: response.headers, text, cookie });
        });
      },
    );
    call.on('timeout', () => call.destroy(new Error('no answer in time')));
    call.on('error', reject).end();
  });
}
