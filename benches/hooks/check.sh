#!/bin/sh
# shellcheck disable=SC2154  # OpenVPN sets them
# A hook that checks the password of a login with a static challenge, as pam_unix does, and nothing else: the least that
# such a login can cost. Accepts the rest at once, as accept.sh does.
for file; do :; done

{ read -r _ && read -r password; } <"$file"
case $password in
    SCRV1:*)
        password=${password#SCRV1:}
        printf '%s\0' "$(printf %s "${password%%:*}" | /usr/bin/base64 -d)" | /sbin/unix_chkpwd "$username" nonull
        exit
        ;;
esac
exec "${0%/*}/accept.sh" "$file"
