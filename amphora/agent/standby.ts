// An amphora without the VIP: its HAProxy listens for nobody, and keeps what the other amphora of the pair tells it of sessions
// until the VIP comes. Pure.
import { sections } from './config-diff.ts';

export const hasPeers = (text: string): boolean => /^peers\b/m.test(text);

/** Only somebody to learn from is worth a process that serves nobody: a server of the section beside the amphora's own. */
export const hasRemotePeer = (text: string): boolean =>
  /^peers\b.*\n(?:[ \t].*\n)*?[ \t]+server \S+ [^\s:]*:\d+ /m.test(text);

/** The text, line for line, without the places where clients come in. */
export function withoutListeners(text: string): string {
  let section = '';
  const lines = text.split('\n').map((line) => {
    const [word = ''] = line.trim().split(/\s/);
    if (sections.has(word)) section = word;
    return section === 'frontend' && word === 'bind' ? '    # bind' : line;
  });
  return lines.join('\n');
}
