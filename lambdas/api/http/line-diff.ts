// The difference of two texts by lines, as `diff -u` writes it: what a dry run shows of a configuration.

const contextLines = 3;
/** Longest common subsequences cost the product of both lengths; beyond this the whole stretch is said to be replaced. */
const cellsAtMost = 4_000_000;

type Step = ' ' | '-' | '+';
interface Line {
  step: Step;
  text: string;
}

const all = (step: Step, lines: string[]): Line[] => lines.map((text) => ({ step, text }));

/** Lengths of the longest common subsequences of all tails. */
function tails(before: string[], after: string[]): Uint32Array[] {
  const lengths = Array.from({ length: before.length + 1 }, () => new Uint32Array(after.length + 1));
  for (let i = before.length - 1; i >= 0; i--) {
    for (let j = after.length - 1; j >= 0; j--) {
      lengths[i]![j] =
        before[i] === after[j] ? lengths[i + 1]![j + 1]! + 1 : Math.max(lengths[i + 1]![j]!, lengths[i]![j + 1]!);
    }
  }
  return lengths;
}

function changed(before: string[], after: string[]): Line[] {
  if (before.length * after.length > cellsAtMost) return [...all('-', before), ...all('+', after)];
  const lengths = tails(before, after);
  const lines: Line[] = [];
  let [i, j] = [0, 0];
  while (i < before.length && j < after.length) {
    if (before[i] === after[j]) {
      lines.push({ step: ' ', text: before[i]! });
      i++;
      j++;
    } else if (lengths[i + 1]![j]! >= lengths[i]![j + 1]!) lines.push({ step: '-', text: before[i++]! });
    else lines.push({ step: '+', text: after[j++]! });
  }
  return [...lines, ...all('-', before.slice(i)), ...all('+', after.slice(j))];
}

function compared(before: string[], after: string[]): Line[] {
  let start = 0;
  while (start < before.length && start < after.length && before[start] === after[start]) start++;
  let end = 0;
  const most = Math.min(before.length, after.length) - start;
  while (end < most && before.at(-1 - end) === after.at(-1 - end)) end++;
  return [
    ...all(' ', before.slice(0, start)),
    ...changed(before.slice(start, before.length - end), after.slice(start, after.length - end)),
    ...all(' ', before.slice(before.length - end)),
  ];
}

/** Empty when nothing differs. */
export function lineDiff(before: string, after: string): string {
  if (before === after) return '';
  const linesOf = (text: string) => (text === '' ? [] : text.split('\n'));
  const lines = compared(linesOf(before), linesOf(after));
  const near = lines.map(() => false);
  lines.forEach(({ step }, index) => {
    if (step !== ' ') near.fill(true, Math.max(0, index - contextLines), index + contextLines + 1);
  });
  const shown: string[] = [];
  let [old, young] = [0, 0];
  lines.forEach(({ step, text }, index) => {
    if (near[index] && !near[index - 1]) shown.push(`@@ -${old + 1} +${young + 1} @@`);
    if (near[index]) shown.push(step + text);
    if (step !== '+') old++;
    if (step !== '-') young++;
  });
  return shown.join('\n');
}
