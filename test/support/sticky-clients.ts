// Clients that are to stay where they are: several addresses or cookies, and the member each of them meets.
import { randomInt } from 'node:crypto';
import { ask, type Question } from './asking.ts';
import type { WebLoadBalancer } from './web-load-balancer.ts';
import { listenerPort } from './web-load-balancer.ts';

/** Many enough that chance does not bring them all back to where they were. */
const addresses = Array.from({ length: 12 }, (_, index) => `127.0.9.${index + 1}`);

/** In the order of the time before, taking turns would bring everybody back to where they were. */
function shuffled<T>(given: readonly T[]): T[] {
  const left = [...given];
  return given.map(() => left.splice(randomInt(left.length), 1)[0]!);
}

const met = async (question: Question): Promise<string> => (await ask(question)).text;

/** Which member answers each client address. */
export async function membersByAddress(web: WebLoadBalancer): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  for (const from of shuffled(addresses)) found[from] = await met({ address: web.vip, port: listenerPort, from });
  return found;
}

/** Which member answers each bearer of a cookie. */
export async function membersByCookie(web: WebLoadBalancer, cookies: string[]): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  for (const cookie of shuffled(cookies))
    found[cookie] = await met({ address: web.vip, port: listenerPort, headers: { cookie } });
  return found;
}

/** Sessions that the application begins: each with a cookie of its name that the member sets. */
export async function beginSessions(web: WebLoadBalancer, count: number): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  for (let begun = 0; begun < count; begun += 1) {
    const { cookie, text } = await ask({ address: web.vip, port: listenerPort, path: '/log-in' });
    found[cookie ?? 'no cookie'] = text;
  }
  return found;
}
