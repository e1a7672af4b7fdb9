// The tables of the benchmarks.
import type { Row } from './bench.ts';
import type { Machine } from './machine.ts';

const widths = [38, 12, 10, 12, 8, 14, 9];
const columns = ['', 'p50 / value', 'p95', 'target', 'met', 'Octavia', 'ratio'];

export function amount(value: number | undefined, unit: Row['unit']): string {
  if (value === undefined) return '';
  const digits = value >= 100 ? 0 : value >= 10 ? 1 : 2;
  return `${value.toLocaleString('en', { maximumFractionDigits: digits })} ${unit}`.trim();
}

/** How many times better than real Octavia: more of a rate, less of anything else. */
export function ratio({ value, octavia, unit }: Row): number | undefined {
  if (octavia === undefined) return undefined;
  return unit === '/s' ? value / octavia : octavia / value;
}

export function isMet({ value, target, unit }: Row): boolean | undefined {
  if (target === undefined) return undefined;
  return unit === '/s' ? value >= target : value <= target;
}

function line(cells: string[]): string {
  const padded = cells.map((cell, index) =>
    index === 0 ? cell.padEnd(widths[0]!) : cell.padStart(widths[index] ?? 0),
  );
  return padded.join('').trimEnd();
}

export const header = (title: string): string => `\n${line([title.slice(0, 38), ...columns.slice(1)])}`;

export function rowLine(row: Row): string {
  const times = ratio(row);
  const met = isMet(row);
  const { value, p95, target, octavia, unit, note } = row;
  const cells = [row.what, amount(value, unit), amount(p95, unit), amount(target, unit)];
  cells.push(met === undefined ? '' : met ? 'yes' : 'NO', amount(octavia, unit));
  cells.push(times === undefined ? '' : `${amount(times, '')} x`);
  return `${line(cells)}${note === undefined ? '' : `   ${note}`}`;
}

export const machineLines = (machine: Machine): string[] => [
  `${machine.cores} cores (${machine.model}), ${machine.memory_gib} GiB, Linux ${machine.kernel}, Node ${machine.node}, HAProxy ${machine.haproxy}, load average ${machine.load_average}`,
  'Octavia: version 11 with noop drivers, measured elsewhere on the same kind of machine, not in this run. Ratio: times better.',
];
