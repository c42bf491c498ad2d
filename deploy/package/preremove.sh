#!/bin/sh
# Before the files go. dpkg calls it with "remove" or "upgrade"; rpm with 0 for a removal, 1 for an upgrade.
set -e
case "$1" in
  remove | 0) ;;
  *) exit 0 ;;
esac
[ -d /run/systemd/system ] || exit 0
systemctl disable --now signet.service
