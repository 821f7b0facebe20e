#!/bin/sh
# shellcheck disable=SC2154  # OpenVPN sets them
# A hook that asks for a code, looks at nothing, and accepts: the least that a login with a challenge can cost.
for file; do :; done

if [ "$script_type" = client-crresponse ]; then
    printf 1 >"$auth_control_file"
    exec /bin/rm "$file"
fi

{ read -r _ && read -r password; } <"$file"
case $password in
    SCRV1:* | CRV1::*) exit 0 ;;
esac
case $IV_SSO in
    *crtext*)
        printf '300\ncrtext\nCR_TEXT:R,E:Code\n' >"$auth_pending_file"
        exit 2
        ;;
esac
printf 'CRV1:R,E:state:dXNlcg==:Code' >"$auth_failed_reason_file"
exit 1
