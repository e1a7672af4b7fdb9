// What user data have a stock Debian machine do at its first boot to become an amphora: fetch a kit with packages from S3, which every
// VPC of ours reaches without a way out, and run its install.sh. For those who make no AMI; it takes a minute or two each time.

export interface KitPlace {
  /** GET of the archive that `kit.ts --node ... --debs ... --archive` made, presigned. */
  url: string;
  /** Of the archive, lowercase hex. */
  sha256: string;
}

/**
 * Shell lines for `userDataOf(document, install)`. Python is there wherever cloud-init is; curl may not be.
 * @throws RangeError for what could say something else to the shell than its text
 */
export function stockInstall({ url, sha256 }: KitPlace): string {
  if (!/^https?:\/\/[\w.~:/?#[\]@!$&()*+,;=%-]+$/.test(url)) throw new RangeError('the URL of the kit is none');
  if (!/^[0-9a-f]{64}$/.test(sha256)) throw new RangeError('the SHA-256 of the kit is none');
  const fetching = 'import sys, urllib.request as r; r.urlretrieve(sys.argv[1], sys.argv[2])';
  return [
    'kit=/var/lib/octavia-kit',
    // The boot document before it is for root alone; what is installed is for everybody.
    'umask 022',
    'mkdir -p "$kit"',
    `python3 -c '${fetching}' '${url}' "$kit.tar.gz"`,
    `echo "${sha256}  $kit.tar.gz" | sha256sum --check --quiet`,
    'tar -xzf "$kit.tar.gz" -C "$kit"',
    'sh "$kit/install.sh"',
    'rm -rf "$kit" "$kit.tar.gz"',
    '',
  ].join('\n');
}
