// The schemas and samples in events/published, and the table in the documentation, are what the code states.
import { globSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { eventTypes } from '../../lambdas/domain/published-events.ts';
import type { OctaviaEvent } from '../../lambdas/drivers/events/event-driver.ts';
import { CheckedEvents } from '../support/checked-events.ts';
import { eventsTable, jsonSchemaOf, sampleOf } from '../support/event-samples.ts';

const folder = 'events/published';
const text = (value: unknown) => `${JSON.stringify(value, null, 2)}\n`;

describe('published events', () => {
  it.each(eventTypes)('%s has a schema, and a sample that conforms to it', async (type) => {
    await expect(text(jsonSchemaOf(type))).toMatchFileSnapshot(`../../${folder}/${type}.schema.json`);
    await expect(text(sampleOf(type))).toMatchFileSnapshot(`../../${folder}/${type}.json`);
    await new CheckedEvents().publish([sampleOf(type).detail]);
  });

  it('have no other files, and each its row in the documentation', () => {
    const expected = eventTypes.flatMap((type) => [`${type}.json`, `${type}.schema.json`]);
    expect(globSync('*', { cwd: folder }).toSorted()).toEqual(expected.toSorted());
    expect(readFileSync('docs/events.md', 'utf8')).toContain(eventsTable());
  });

  it('that say something else than their schema are noticed by every test', async () => {
    const { detail } = sampleOf('usage');
    const events = new CheckedEvents();
    const more = { ...detail, detail: { ...detail.detail, password: 'secret' } };
    await expect(events.publish([more])).rejects.toThrow('password');
    await expect(events.publish([{ ...detail, type: 'gossip' } as unknown as OctaviaEvent])).rejects.toThrow(
      'it has none',
    );
    await expect(events.publish([{ ...detail, resource: 'member' }])).rejects.toThrow(
      'usage is not as its schema says',
    );
  });
});
