// A strict reader of Prometheus' text format 0.0.4: whatever it is not sure of is an error.

export interface Sample {
  labels: Record<string, string>;
  value: number;
}
export interface ReadFamily {
  help: string;
  type: string;
  samples: Sample[];
}

const name = '[a-zA-Z_:][a-zA-Z0-9_:]*';
const helpLine = new RegExp(`^# HELP (${name}) (\\S.*)$`);
const typeLine = new RegExp(`^# TYPE (${name}) (counter|gauge|untyped)$`);
const sampleLine = new RegExp(`^(${name})(?:\\{(.*)\\})? (\\S+)$`);
const label = /([a-zA-Z_]\w*)="((?:[^"\\]|\\[\\n"])*)"(,|$)/y;
const number = /^(?:[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?|NaN|[+-]Inf)$/;

function readLabels(text: string, line: string): Record<string, string> {
  const labels: Record<string, string> = {};
  label.lastIndex = 0;
  while (label.lastIndex < text.length) {
    const [, key, value] = label.exec(text) ?? [];
    if (key === undefined || key in labels) throw new Error(`no labels: ${line}`);
    labels[key] = value!;
  }
  return labels;
}

/** @throws Error for anything that is no page of metrics, with the line at fault */
export function readMetrics(text: string): Map<string, ReadFamily> {
  if (!text.endsWith('\n')) throw new Error('the last line does not end');
  const families = new Map<string, ReadFamily>();
  const series = new Set<string>();
  let current = '';
  for (const line of text.slice(0, -1).split('\n')) {
    const [, helped, help] = helpLine.exec(line) ?? [];
    const [, typed, type] = typeLine.exec(line) ?? [];
    const [, sampled, labelText = '', value = ''] = sampleLine.exec(line) ?? [];
    if (helped !== undefined) {
      if (families.has(helped)) throw new Error(`a family in two places: ${line}`);
      families.set(helped, { help: help!, type: '', samples: [] });
      current = helped;
    } else if (typed !== undefined) {
      if (typed !== current || families.get(typed)!.type !== '') throw new Error(`a type out of place: ${line}`);
      families.get(typed)!.type = type!;
    } else if (sampled !== undefined && !line.startsWith('#')) {
      if (sampled !== current || families.get(sampled)!.type === '') throw new Error(`a sample out of place: ${line}`);
      if (!number.test(value)) throw new Error(`no number: ${line}`);
      const labels = readLabels(labelText, line);
      const key = `${sampled}${JSON.stringify(Object.entries(labels).sort())}`;
      if (series.has(key)) throw new Error(`a sample twice: ${line}`);
      series.add(key);
      families.get(sampled)!.samples.push({ labels, value: Number(value.replace('Inf', 'Infinity')) });
    } else throw new Error(`neither comment nor sample: ${line}`);
  }
  return families;
}
