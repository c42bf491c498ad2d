#!/bin/sh
# After the files are there. dpkg calls it with "configure" and, in an upgrade, the version before; rpm with 1, in an upgrade with 2.
set -e
case "$1" in
  configure | 1 | 2) ;;
  *) exit 0 ;;
esac

home=/var/lib/signet
config=$home/signet.yaml

if ! getent passwd signet >/dev/null; then
  useradd --system --user-group --home-dir "$home" --no-create-home --shell /usr/sbin/nologin signet
fi
[ -d "$home" ] || install -d -o signet -g signet -m 700 "$home"

if [ ! -e "$config" ]; then
  echo "signet: no install yet. Make one, and start it:"
  echo "  runuser -u signet -- signet init --dir $home --issuer https://auth.example.com"
  echo "  systemctl enable --now signet"
fi

# Only where systemd runs: not in a chroot or a container.
[ -d /run/systemd/system ] || exit 0
systemctl daemon-reload
systemctl is-active --quiet signet.service || exit 0
# A server that runs goes on with its old program where the new one refuses the configuration.
if runuser -u signet -- signet config check --config "$config" >/dev/null; then
  systemctl try-restart signet.service
else
  echo "signet: the new program refuses $config, so the server was not restarted. Change the file, then: systemctl restart signet" >&2
fi
