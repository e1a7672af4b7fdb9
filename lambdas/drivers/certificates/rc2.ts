// RC2 in CBC mode (RFC 2268), deciphering only: what OpenSSL before 3 and Windows encrypt the certificates of a PKCS#12 file with.
// Node's own OpenSSL has it no more. It keeps nothing secret; certificates are public.

/** The permutation of RFC 2268, section 2. */
const pi = Buffer.from(
  'd978f9c419ddb5ed28e9fd794aa0d89dc67e37832b76538e624c6488448bfba217' +
    '9a59f587b34f1361456d8d09817d32bd8f40eb86b77b0bf09521225c6b4e82' +
    '54d66593ce60b21c7356c014a78cf1dc1275ca1f3bbee4d1423dd430a33cb626' +
    '6fbf0eda4669075727f21d9bbc944303f811c7f690ef3ee706c3d52fc8661ed7' +
    '08e8eade8052eef784aa72ac354d6a2a961ad2715a1549744b9fd05e0418a4ec' +
    'c2e0416e0f51cbcc2491af50a1f47039997c3a8523b8b47afc02365b25559731' +
    '2d5dfa98e38a92ae05df2910676cbac9d300e6cfe19ea82c6316013f58e289a9' +
    '0d38341bab33ffb0bb480c5fb9b1cd2ec5f3db47e5a59c770aa62068fe7fc1ad',
  'hex',
);

/** 64 words of 16 bits. @param bits effective length of the key */
function expandedKey(key: Buffer, bits: number): number[] {
  const expanded = Buffer.alloc(128);
  key.copy(expanded);
  for (let at = key.length; at < 128; at++) {
    expanded[at] = pi[(expanded[at - 1]! + expanded[at - key.length]!) & 0xff]!;
  }
  const effective = Math.ceil(bits / 8);
  const mask = 0xff >> (8 * effective - bits);
  expanded[128 - effective] = pi[expanded[128 - effective]! & mask]!;
  for (let at = 127 - effective; at >= 0; at--) {
    expanded[at] = pi[expanded[at + 1]! ^ expanded[at + effective]!]!;
  }
  return Array.from({ length: 64 }, (_, word) => expanded.readUInt16LE(2 * word));
}

const rotations = [1, 2, 3, 5];
const rotatedRight = (word: number, by: number): number => ((word >> by) | (word << (16 - by))) & 0xffff;

function unmix(words: number[], key: number[], round: number): void {
  for (let at = 3; at >= 0; at--) {
    const [before, second, third] = [words[(at + 3) % 4]!, words[(at + 2) % 4]!, words[(at + 1) % 4]!];
    const mixed = key[4 * round + at]! + (before & second) + (~before & third);
    words[at] = (rotatedRight(words[at]!, rotations[at]!) - mixed) & 0xffff;
  }
}

function unmash(words: number[], key: number[]): void {
  for (let at = 3; at >= 0; at--) words[at] = (words[at]! - key[words[(at + 3) % 4]! & 63]!) & 0xffff;
}

function decipheredBlock(block: Buffer, key: number[]): Buffer {
  const words = [0, 2, 4, 6].map((at) => block.readUInt16LE(at));
  for (let round = 15; round >= 0; round--) {
    unmix(words, key, round);
    // Sixteen rounds of mixing have a mash after the fifth and the eleventh.
    if (round === 11 || round === 5) unmash(words, key);
  }
  const deciphered = Buffer.alloc(8);
  words.forEach((word, index) => {
    deciphered.writeUInt16LE(word, 2 * index);
  });
  return deciphered;
}

/** @throws TypeError when the padding shows that the key was another */
export function rc2Decipher(key: Buffer, iv: Buffer, ciphered: Buffer): Buffer {
  if (ciphered.length === 0 || ciphered.length % 8 !== 0) throw new TypeError('no whole blocks of RC2');
  const expanded = expandedKey(key, key.length * 8);
  const plain = Buffer.alloc(ciphered.length);
  let before = iv;
  for (let at = 0; at < ciphered.length; at += 8) {
    const block = ciphered.subarray(at, at + 8);
    const deciphered = decipheredBlock(block, expanded);
    for (let byte = 0; byte < 8; byte++) plain[at + byte] = deciphered[byte]! ^ before[byte]!;
    before = block;
  }
  const padding = plain.at(-1)!;
  const isPadded = padding >= 1 && padding <= 8 && plain.subarray(-padding).every((byte) => byte === padding);
  if (!isPadded) throw new TypeError('deciphered with another key');
  return plain.subarray(0, -padding);
}
