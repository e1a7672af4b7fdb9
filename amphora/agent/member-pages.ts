// Statistics of members as they ride along with heartbeats: in pages, of which only those with news are sent, and no more at
// once than a message can bear. Pure.
import type { MemberCounts, MemberPage } from '../agent-api.ts';

/** A page is an item of the table, and written whole: 64 members are 4 KB of it. */
export const membersPerPage = 64;
/** A message holds 1 MiB, and the statuses of thousands of members are in it too; the rest waits for the next one. */
export const pagesBudgetBytes = 64 * 1024;

/** Heartbeats after which a page is sent again without news, about an hour: what was handed over may still have been lost. */
const repeatedAfter = 360;

export class MemberPages {
  /** A member stays on its page: were it on two, it would count twice. */
  readonly #pages: Set<string>[];
  readonly #pageOf = new Map<string, number>();
  /** Pages as they arrived last; none after a start of the agent, so that all are sent once more. */
  readonly #arrived = new Map<number, { text: string; beat: number }>();
  readonly #repeatedAfter: number;
  #next = 0;
  #beat = 0;

  constructor(saved: string[][] = [], repeatedAfterBeats = repeatedAfter) {
    this.#repeatedAfter = repeatedAfterBeats;
    this.#pages = saved.map((accounts) => new Set(accounts));
    this.#pages.forEach((accounts, page) => {
      for (const account of accounts) this.#pageOf.set(account, page);
    });
  }

  /** Gives new members a place, and frees those of members that are no more. @param accounts `<pool>/<member>` of all */
  place(accounts: string[]): void {
    const wanted = new Set(accounts);
    for (const [account, page] of this.#pageOf) {
      if (wanted.has(account)) continue;
      this.#pageOf.delete(account);
      this.#pages[page]!.delete(account);
    }
    let page = 0;
    for (const account of wanted) {
      if (this.#pageOf.has(account)) continue;
      while ((this.#pages[page]?.size ?? 0) >= membersPerPage) page++;
      this.#pages[page] ??= new Set();
      this.#pages[page]!.add(account);
      this.#pageOf.set(account, page);
    }
  }

  /** Pages with news, those first that waited longest. @param countsOf what a member has counted, since the amphora began */
  due(countsOf: (account: string) => MemberCounts): Record<string, MemberPage> {
    this.#beat++;
    const due: Record<string, MemberPage> = {};
    let bytes = 0;
    for (let turn = 0; turn < this.#pages.length; turn++) {
      const page = (this.#next + turn) % this.#pages.length;
      const members = Object.fromEntries(
        [...this.#pages[page]!].map((account) => [account.split('/')[1]!, countsOf(account)]),
      );
      const text = JSON.stringify(members);
      if (this.#isKnown(page, text)) continue;
      if (bytes > 0 && bytes + text.length > pagesBudgetBytes) break;
      bytes += text.length;
      due[page] = members;
    }
    return due;
  }

  #isKnown(page: number, text: string): boolean {
    const arrived = this.#arrived.get(page);
    return arrived?.text === text && this.#beat - arrived.beat < this.#repeatedAfter;
  }

  /** What was sent is with the control plane: the next ones come first from now on. */
  settle(sent: Record<string, MemberPage>): void {
    for (const [page, members] of Object.entries(sent)) {
      this.#arrived.set(Number(page), { text: JSON.stringify(members), beat: this.#beat });
      this.#next = (Number(page) + 1) % Math.max(1, this.#pages.length);
    }
  }

  save(): string[][] {
    return this.#pages.map((accounts) => [...accounts]);
  }
}
