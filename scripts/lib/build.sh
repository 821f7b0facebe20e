# shellcheck shell=bash disable=SC2034,SC2154  # variables that the files beside it use and set
# Finds cargo and builds the program. Needs lib/present.sh and lib/cage.sh.

rust_hint='It needs Rust 1.89 or later, from https://rustup.rs.'

# Sets $binary.
build_program() {
    local cargo target
    step 'Build'
    find_cargo
    target=$("${cargo[@]}" metadata --quiet --format-version 1 --no-deps --manifest-path "$checkout/Cargo.toml" |
        sed 's/.*"target_directory":"\([^"]*\)".*/\1/') || fail 'cargo does not understand Cargo.toml.' "$rust_hint"
    command_line 'cargo build --release'
    build_tied "${cargo[@]}" build --release --locked --bin openvpn-2fa --manifest-path "$checkout/Cargo.toml" 2>&1 |
        narrate_build || fail 'The program does not build; what cargo says is above.' "$rust_hint"
    binary=$target/release/openvpn-2fa
    tick "$binary, $(($(stat -c %s "$binary") / 1024)) KiB"
}

# Sets $cargo: the caller's, or that of the user who called sudo, then run as that user.
find_cargo() {
    local found home user=${SUDO_USER:-root}
    home=$(getent passwd "$user" | cut -d: -f6)
    if found=$(PATH=$caller_path:$HOME/.cargo/bin command -v cargo); then
        cargo=(env PATH="$(dirname "$found"):$caller_path" "$found")
    elif [[ -x $home/.cargo/bin/cargo ]]; then
        cargo=(runuser -u "$user" -- env PATH="$home/.cargo/bin:$caller_path" HOME="$home" cargo)
    else
        fail 'cargo is not installed, or not in the PATH of root.' "$rust_hint"
    fi
}

# cargo's output as one passing line; after an error, the end of it in full.
narrate_build() {
    local line lines=()
    while read -r line; do
        lines+=("$line")
        passing "$line"
    done
    passing ''
    if printf '%s\n' "${lines[@]}" | grep -q '^error'; then printf '%s\n' "${lines[@]}" | tail -n 25 | quote; fi
}
