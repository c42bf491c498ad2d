#!/bin/sh
# After the files are gone. dpkg calls it with "remove", "purge" or another word; rpm with 0 for a removal, 1 for an upgrade.
#
# /var/lib/signet has the master key and all users. It cannot be made again, so no removal deletes it, not even a purge.
set -e
[ ! -d /run/systemd/system ] || systemctl daemon-reload
case "$1" in
  purge | 0) ;;
  *) exit 0 ;;
esac
home=/var/lib/signet
[ ! -d "$home" ] || rmdir --ignore-fail-on-non-empty "$home"
if [ -d "$home" ]; then
  echo "signet: $home with the master key and all users is left, and so is the user signet who owns it"
elif getent passwd signet >/dev/null; then
  userdel signet
fi
