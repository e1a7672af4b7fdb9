// Commands of the Runtime API that must all be obeyed.
import type { RuntimeApi } from './runtime-api.ts';

/** HAProxy did not do as told; only a reload brings the text into force. */
export class RuntimeRefused extends Error {
  override readonly name = 'RuntimeRefused';
}

export interface Command {
  text: string;
  isDone: (answer: string) => boolean;
}

/** @throws RuntimeRefused when HAProxy refused any; some may have been done */
export async function tell(runtime: RuntimeApi, worker: number, commands: Command[]): Promise<void> {
  if (commands.length === 0) return;
  const answers = await runtime.askAll(
    worker,
    commands.map(({ text }) => text),
  );
  const refused = commands.findIndex(({ isDone }, index) => !isDone(answers[index]!));
  // The first line names what was asked; what follows may be a private key.
  if (refused !== -1) throw new RuntimeRefused(`${commands[refused]!.text.split('\n')[0]}: ${answers[refused]}`);
}
