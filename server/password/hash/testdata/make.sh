#!/bin/sh
# Prints hashes that mkpasswd, openssl and slappasswd make, one JSON object a line. Programs that are not installed are left out.
PATH=$PATH:/usr/sbin
line() { printf '{"made_by": "%s", "scheme": "", "password": "%s", "hash": "%s"}\n' "$1" "$2" "$3"; }
for password in "correct horse battery" "Zürich könnte €5" p 01234567890123456789012345678901234567890123456789012345678901234567890123456789; do
  if command -v mkpasswd >/dev/null; then
    for method in yescrypt sha512crypt sha256crypt md5crypt; do
      line "mkpasswd $method" "$password" "$(printf %s "$password" | mkpasswd -s -m $method)"
    done
    line "mkpasswd bcrypt" "$password" "$(printf %s "$password" | mkpasswd -s -m bcrypt -R 4)"
    line "mkpasswd bcrypt-a" "$password" "$(printf %s "$password" | mkpasswd -s -m bcrypt-a -R 4)"
    line "mkpasswd yescrypt 3" "$password" "$(printf %s "$password" | mkpasswd -s -m yescrypt -R 3)"
  fi
  if command -v openssl >/dev/null; then
    for method in 1 apr1 5 6; do
      line "openssl passwd -$method" "$password" "$(printf %s "$password" | openssl passwd -$method -stdin)"
    done
  fi
  if command -v slappasswd >/dev/null; then
    for scheme in '{SSHA}' '{SMD5}' '{SHA}' '{MD5}'; do
      line "slappasswd $scheme" "$password" "$(slappasswd -h "$scheme" -s "$password")"
    done
  fi
done
