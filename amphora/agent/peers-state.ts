// What HAProxy says of its peers: whether stick tables were learned, and whether the other amphora was told of everything. Pure.

/** Both halves of HAProxy's resynchronisation, with the process before and with remote peers, in its flags of a peers section. */
const settledFlags = 0x3;
const learningFlag = 0x4;
/** Finished or partial, from the process before or from a remote peer: all that the teacher had. */
const lessonFlags = 0xf00;

function sectionFlags(peers: string): number[] {
  const sections = [...peers.matchAll(/ id=\S+ disabled=0 flags=0x([0-9a-f]+) /g)];
  return sections.map(([, flags]) => Number.parseInt(flags!, 16));
}

/** Of `show peers`; what cannot be read is not waited for. */
export const isSettled = (peers: string): boolean =>
  sectionFlags(peers).every((flags) => (flags & settledFlags) === settledFlags);

/** A lesson is under way that a reload would break off. */
export const isLearning = (peers: string): boolean => sectionFlags(peers).some((flags) => (flags & learningFlag) !== 0);

const remotePeers = (peers: string): string[] =>
  peers.split(/^(?= {2}0x)/m).filter((block) => /^ {2}0x\S+: id=\S+\(remote,/.test(block));
const isConnected = (peer: string): boolean => /\(remote,active\).*last_status=ESTA/.test(peer);

/** True when this process was taught, and the other amphora tells it what changes. */
export const isInStep = (peers: string): boolean =>
  sectionFlags(peers).every((flags) => (flags & lessonFlags) !== 0) && remotePeers(peers).every(isConnected);

/** True when the other amphora was sent all that this process has to tell. */
export function hasToldAll(peers: string): boolean {
  return remotePeers(peers).every((peer) => {
    const pushed = [...peer.matchAll(/ last_pushed=(\d+) /g)].map(([, at]) => at);
    const wanted = [...peer.matchAll(/ localupdate=(\d+) /g)].map(([, at]) => at);
    return isConnected(peer) && pushed.join() === wanted.join();
  });
}
