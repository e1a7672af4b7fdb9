#!/bin/sh
# Makes an amphora of a Debian 12 or 13 root (amd64, arm64): diskimage-builder's elements in Octavia. Lies in a kit, which kit.ts makes.
#
#   install.sh            packages and files: a machine that runs becomes an amphora
#   install.sh packages   Debian's packages alone
#   install.sh files      all but Debian's packages
#   install.sh seal       removes what must not be in an image: ids, keys, logs, caches
set -eu
umask 022
export LC_ALL=C DEBIAN_FRONTEND=noninteractive
kit=$(cd "$(dirname "$0")" && pwd)
library=/usr/lib/octavia

say() { echo "octavia-install: $*"; }
fail() { echo "octavia-install: $*" >&2; exit 1; }
is_running() { [ -d /run/systemd/system ]; }

check_system() {
  [ "$(id -u)" = 0 ] || fail 'must be run as root'
  . /etc/os-release
  case "${ID:-}-${VERSION_ID:-}" in
    debian-12 | debian-13) ;;
    *) fail "Debian 12 or 13 is needed, this is ${PRETTY_NAME:-unknown}" ;;
  esac
  architecture=$(dpkg --print-architecture)
}

# Where the kit brings packages, they come from there alone: an amphora's subnet may have no way out.
apt_get() {
  if [ -f "$kit/debs/Packages" ]; then
    set -- -o Dir::Etc::SourceList="$kit/debs/sources.list" -o Dir::Etc::SourceParts=/dev/null -o APT::Sandbox::User=root "$@"
  fi
  apt-get -qq -o DPkg::Use-Pty=0 -o Acquire::Retries=3 "$@"
}

install_packages() {
  say 'installing packages of Debian'
  # Neither HAProxy nor keepalived is to start by itself; the agent starts them.
  printf '#!/bin/sh\nexit 101\n' > /usr/sbin/policy-rc.d
  chmod 755 /usr/sbin/policy-rc.d
  trap 'rm -f /usr/sbin/policy-rc.d' EXIT
  # The kit's own hash was checked by whoever unpacked it.
  if [ -f "$kit/debs/Packages" ]; then echo "deb [trusted=yes] file:$kit/debs ./" > "$kit/debs/sources.list"; fi
  apt_get update
  # shellcheck disable=SC2046
  apt_get -y --no-install-recommends install $(grep -v '^#' "$kit/packages") > /dev/null
  # No way to log in, and nothing that changes the machine by itself.
  apt-get -qq -y -o DPkg::Use-Pty=0 purge openssh-server unattended-upgrades > /dev/null 2>&1 || true
  rm -f /usr/sbin/policy-rc.d
  trap - EXIT
}

# Debian has no Node 24. npm's package of its program is taken, by the hash that is written down in node.json.
install_node() {
  line=$(grep "^$architecture " "$kit/node") || fail "no Node for $architecture"
  # Architecture, URL, SHA-512, version.
  # shellcheck disable=SC2086
  set -- $line
  tarball="$kit/node-$architecture.tgz"
  if [ ! -f "$tarball" ]; then
    say "fetching $2"
    curl --fail --silent --show-error --location --retry 5 --output "$tarball" "$2"
  fi
  echo "$3  $tarball" | sha512sum --check --quiet || fail 'Node is not what it should be'
  mkdir -p "$library"
  tar -xzf "$tarball" -C "$library" --strip-components=2 --no-same-owner package/bin/node
  chmod 755 "$library/node"
  "$library/node" --version | grep -qx "v$4" || fail 'Node does not run here'
}

install_files() {
  say 'installing the agent'
  install_node
  install -m 644 "$kit/agent.mjs" "$kit/boot.mjs" "$library/"
  getent passwd octavia > /dev/null ||
    useradd --system --user-group --no-create-home --home-dir /var/lib/octavia --shell /usr/sbin/nologin octavia
  (cd "$kit/root" && find . -type f) | while read -r file; do
    install -D -m 644 "$kit/root/$file" "/$file"
  done
  configure_services
  if is_running; then set_going; fi
}

configure_services() {
  # Their work is the agent's; a unit that is not there is masked all the same.
  systemctl --quiet mask haproxy.service keepalived.service ipvsadm.service \
    ssh.service ssh.socket sshd.service getty@.service serial-getty@.service \
    apt-daily.timer apt-daily-upgrade.timer unattended-upgrades.service 2> /dev/null
  systemctl --quiet enable octavia-agent.service octavia-masquerade.service systemd-timesyncd.service
  passwd --quiet --lock root
}

# What a boot would do.
set_going() {
  systemctl daemon-reload
  systemctl restart systemd-modules-load.service || say 'some kernel modules are missing: UDP or SCTP listeners will say which'
  systemctl restart systemd-sysctl.service systemd-journald.service systemd-timesyncd.service
  systemctl start octavia-masquerade.service || say 'no rule of masquerading: UDP listeners need members on this machine'
  systemctl stop ssh.service ssh.socket haproxy.service keepalived.service 2> /dev/null || true
}

seal() {
  say 'sealing the image'
  if command -v cloud-init > /dev/null; then cloud-init clean --logs > /dev/null 2>&1 || true; fi
  apt-get -qq clean
  rm -rf /var/lib/apt/lists/* /var/cache/apt/*.bin /var/cache/debconf/*-old /var/cache/ldconfig/* /var/lib/octavia /etc/octavia/boot.json
  rm -rf /etc/ssh/ssh_host_* /root/.ssh /home/*/.ssh /root/.bash_history /var/lib/systemd/random-seed
  # Backups of passwd and the like, and copies of dpkg's lists: what they were before is nothing's business.
  rm -f /etc/passwd- /etc/group- /etc/shadow- /etc/gshadow- /var/lib/dpkg/*-old
  # Of a machine that runs Image Builder cleans these itself, when nothing writes there any more.
  if ! is_running; then
    find /var/log -type f -delete
    rm -rf /tmp/* /var/tmp/*
  fi
  # Empty, not absent: a machine that boots with it makes its own.
  : > /etc/machine-id
  rm -f /var/lib/dbus/machine-id
}

check_system
case "${1:-all}" in
  all)
    install_packages
    install_files
    ;;
  packages) install_packages ;;
  files) install_files ;;
  seal) seal ;;
  *) fail "unknown step $1" ;;
esac
say "done"
