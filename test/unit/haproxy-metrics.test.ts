// A PROMETHEUS listener as HAProxy gets it.
import { afterAll, describe, expect, test } from 'vitest';
import { outline } from '../../amphora/agent/config-diff.ts';
import { renderConfiguration } from '../../lambdas/haproxy/render.ts';
import { aListener, aTree, idOf } from '../support/builders.ts';
import { HaproxyDirectory } from '../support/haproxy.ts';

const directory = new HaproxyDirectory();
afterAll(() => directory[Symbol.dispose]());

const options = { amphora_id: idOf('other'), hardStopAfterMs: 1_000 };
const metrics = { protocol: 'PROMETHEUS' as const, protocol_port: 9100 };
const render = (...listeners: ReturnType<typeof aListener>[]) => renderConfiguration(aTree({ listeners }), options);

describe('a PROMETHEUS listener', () => {
  test('is rendered with its proxies, and HAProxy takes it', async () => {
    const { text } = render(aListener({ ...metrics, allowed_cidrs: ['192.0.2.0/24'] }));
    await expect(text).toMatchFileSnapshot('../golden/haproxy/metrics.cfg');
    const verdict = await directory.check(text);
    expect(verdict.isValid, verdict.output).toBe(true);
  });

  test('shares its proxies with the next one', async () => {
    const { text, origins } = render(
      aListener(metrics),
      aListener({ ...metrics, id: idOf('listener', 2), protocol_port: 9101 }),
    );
    expect(text.match(/^backend/gm)).toHaveLength(1);
    expect(origins).toHaveLength(text.split('\n').length);
    expect((await directory.check(text)).isValid).toBe(true);
  });

  test('has no proxies while it is disabled, and there are none without it', () => {
    expect(render(aListener({ ...metrics, admin_state_up: false })).text).not.toContain('prometheus');
    expect(render(aListener({})).text).not.toContain('prometheus');
  });

  test('with a certificate is refused rather than served in the clear', () => {
    const secret = aListener({ ...metrics, default_tls_container_ref: 'https://keys.example/v1/containers/1' });
    const refusal = { name: 'Unrenderable', resource_id: secret.id };
    expect(() => render(secret)).toThrow(expect.objectContaining(refusal));
  });

  test('is the only listener that the agent sees in them', () => {
    const listener = aListener(metrics);
    expect(outline(render(listener).text).frontends).toEqual(new Set([listener.id]));
  });
});
