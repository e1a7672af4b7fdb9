// Which rules of a template would be given a sample event: EventBridge's matching, as far as ours use it.
import { readFileSync } from 'node:fs';

interface Rule {
  Properties: Record<string, any>;
}

export function rulesHearing<R extends Rule>(rules: R[], file: string): R[] {
  const event = JSON.parse(readFileSync(file, 'utf8'));
  return rules.filter(({ Properties }) => {
    const { source, 'detail-type': types, detail = {} } = Properties['EventPattern'] ?? {};
    if (!source?.includes(event.source) || !types.includes(event['detail-type'])) return false;
    return Object.entries(detail).every(([name, values]) => (values as unknown[]).includes(event.detail[name]));
  });
}
