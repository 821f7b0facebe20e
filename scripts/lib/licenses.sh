# shellcheck shell=bash disable=SC2154  # variables that the files beside it set
# The licences of what the program is linked with, which go wherever the program goes. Needs lib/build.sh.

# collect_licenses METADATA: prints every crate with its licence, and then each text once. METADATA is that of cargo.
collect_licenses() {
    local -A numbers=()
    local texts=() directories name version expression directory file sum which
    directories=$(grep -o '"manifest_path":"[^"]*"' <<<"$1" | cut -d'"' -f4 | sed 's|/Cargo.toml$||')
    echo 'openvpn-2fa is linked with the crates below, with SQLite, which is in the public domain, and with the standard'
    echo 'library of Rust (MIT or Apache-2.0). The numbers are those of the texts that follow.'
    echo
    while IFS='|' read -r name version expression; do
        directory=$(grep -m1 -e "/$name-${version#v}\$" <<<"$directories") || continue
        which=''
        for file in "$directory"/{LICENSE,LICENCE,License,COPYING,COPYRIGHT,NOTICE}*; do
            [[ -f $file ]] || continue
            sum=$(sha256sum <"$file")
            if [[ -z ${numbers[$sum]:-} ]]; then
                texts+=("$file")
                numbers[$sum]=${#texts[@]}
            fi
            which+=" ${numbers[$sum]}"
        done
        echo "$name ${version#v}: $expression;${which:- no text in the crate}"
    done < <("${cargo[@]}" tree --locked --offline --edges normal --prefix none --format '{p}|{l}' |
        sed -E 's/^([^ ]+) (v[^ |]+)[^|]*/\1|\2/; s/ \(\*\)$//' | grep -v '^openvpn-2fa|' | sort -u)
    for which in "${!texts[@]}"; do
        printf '\n--- %d\n\n' $((which + 1))
        cat "${texts[which]}"
    done
}
