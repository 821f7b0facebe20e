# shellcheck shell=bash disable=SC2034,SC2154  # variables that the files beside it use and set
# The Debian package in a fresh Debian: installed, logged in with, upgraded, removed, purged. Needs lib/present.sh,
# lib/packages.sh, lib/cage.sh, lib/tree.sh and lib/vpn.sh.

database=/var/lib/openvpn-totp/token_index.sqlite3

# try_in_fresh_debian SUITE: outside.
try_in_fresh_debian() {
    local suite=$1 first=$deb
    check_cage
    package_deb "$version+1"
    step 'A fresh Debian'
    trial=$(mktemp -d "${TMPDIR:-/var/tmp}/openvpn-2fa-trial.XXXXXX")
    trap 'rm -rf --one-file-system "$trial"' EXIT # what was mounted in it is gone with its namespace
    grow_tree "$trial/tree" "$suite" oathtool iproute2 iputils-ping openssl procps
    mkdir "$trial/tree/opt/trial"
    cp -r "$checkout/scripts" "$trial/tree/opt/trial/"
    cp "$first" "$trial/tree/opt/trial/first.deb"
    mv "$deb" "$trial/tree/opt/trial/next.deb"
    in_tree "$trial/tree" bash /opt/trial/scripts/package --inside install_with_apt
    DEMO_STEP=$step_number in_caged_tree "$trial/tree" bash /opt/trial/scripts/package --inside try_package
}

# Inside, with the network: what the package needs comes from Debian.
install_with_apt() {
    local output
    step_started=$(milliseconds)
    output=$(apt-get -q -y install /opt/trial/first.deb 2>&1 </dev/null) ||
        { tail -n 20 <<<"$output" | quote && fail 'apt does not install the package.'; }
    [[ -x /usr/bin/openvpn-2fa && -x /usr/sbin/openvpn ]] || fail 'After the installation there is no openvpn-2fa, or no openvpn (recommended).'
    tick "apt installed it, with openvpn $(check_openvpn_version)"
}

# Inside, without a network but its own.
try_package() {
    trap 'fail "The trial itself failed in line $LINENO ($BASH_COMMAND)."' ERR
    set -E
    mkdir "$work" "$work/tmp"
    ip link set lo up
    step 'What is installed'
    look_at_files
    follow_a_remedy
    step 'A login'
    prepare_login
    connects alice
    try_wrong_code
    step 'Upgrade, while the server runs and alice is connected'
    upgrade
    step 'Removal and purge'
    remove_and_purge
    printf '\n%sInstalled, logged in, upgraded, removed, purged.%s\n' "$bold" "$plain"
}

# is WHAT WANTED FOUND
is() { [[ $2 == "$3" ]] || fail "$1: '$3' and not '$2'."; }

look_at_files() {
    local file
    is '/var/lib/openvpn-totp' '700 root root directory' "$(stat -c '%a %U %G %F' /var/lib/openvpn-totp)"
    is 'the program' '755 root root' "$(stat -c '%a %U %G' /usr/bin/openvpn-2fa)"
    for file in /etc/pam.d/openvpn /usr/lib/systemd/system/openvpn{,-server}@.service.d/openvpn-2fa.conf \
        /usr/share/man/man8/openvpn-2fa.8.gz /usr/share/man/man5/openvpn-2fa.toml.5.gz \
        /usr/share/bash-completion/completions/openvpn-2fa /usr/share/zsh/vendor-completions/_openvpn-2fa \
        /usr/share/fish/vendor_completions.d/openvpn-2fa.fish \
        /usr/share/doc/openvpn-2fa/{copyright,licenses,README.md,doc/encryption.md} \
        /usr/share/doc/openvpn-2fa/examples/{server.conf,config.toml,pam.d/openvpn-radius,clients/gui.ovpn}; do
        is "$file" '644 root root' "$(stat -c '%a %U %G' "$file")"
    done
    is 'conffiles' /etc/pam.d/openvpn "$(dpkg-query --show --showformat '${Conffiles}' openvpn-2fa | awk '{ print $1 }' | xargs)"
    is 'files that others could write to' '' "$(dpkg -L openvpn-2fa | xargs -d '\n' -I{} find {} -maxdepth 0 -perm /022 ! -type l)"
    is 'files changed since' '' "$(dpkg --verify openvpn-2fa)"
    tick "$(openvpn-2fa --version): program, manual pages, completions, PAM, drop-in, examples, a directory for secrets"
}

# What check tells an administrator to do works where the sources are not.
follow_a_remedy() {
    local output remedy
    mv /etc/pam.d/openvpn "$work/pam"
    output=$(openvpn-2fa check 2>&1) && fail 'openvpn-2fa check is content without a PAM service.'
    remedy=$(grep -o 'install -m 0644 .* /etc/pam.d/openvpn' <<<"$output") || fail "openvpn-2fa check has no remedy: $output"
    bash -c "$remedy" || fail "The remedy of openvpn-2fa check does not work: $remedy"
    cmp -s "$work/pam" /etc/pam.d/openvpn || fail "The remedy does not bring the same file back: $remedy"
    mv "$work/pam" /etc/pam.d/openvpn
    tick "without its PAM service openvpn-2fa check says what to do, and that does it"
}

declare -A secrets=()

# Three of them, so that nobody has to wait for a code that was not used before.
prepare_login() {
    local output name
    for name in alice bob carol; do
        useradd --no-create-home --shell /usr/sbin/nologin "$name"
        chpasswd <<<"$name:the password of $name"
        output=$(openvpn-2fa enroll "$name" 2>&1) || fail "enroll: $output"
        secrets[$name]=$(sed -n 2p <<<"$output")
    done
    make_authority
    issue server serverAuth
    issue alice clientAuth
    openvpn --genkey auth-token /etc/openvpn/server/auth-token.key
    cp /usr/share/doc/openvpn-2fa/examples/server.conf "$work/server.conf"
    cat >>"$work/server.conf" <<-END
		proto udp
		local $server_address
		dev tun
		disable-dco
		topology subnet
		server ${vpn_gateway%.*}.0 255.255.255.0
		keepalive 5 60
		duplicate-cn
		ca ca.crt
		cert server.crt
		key server.key
		dh none
		remote-cert-tls client
		tmp-dir $work/tmp
	END
    output=$(openvpn-2fa check --server-conf "$work/server.conf") || fail "openvpn-2fa check finds fault: $output"
    tick 'enrolled, and openvpn-2fa check is content'
    make_network
    start_syslog "$syslog"
    start_server
    tick "the server runs, with the example of the package"
}

code_of() { oathtool --totp --base32 - <<<"${secrets[$1]}"; }

# connects USER: by password and code, with the certificate of alice.
connects() {
    start_client alice "$1" 'setenv IV_SSO crtext'
    log_in "$1" "the password of $1"
    await_event crtext
    answer_crtext "$(code_of "$1")"
    await_event connected
    ping -q -n -c 2 -i 0.2 -W 2 -I "tun-$1" "$vpn_gateway" >/dev/null || fail "No answer to ping through the tunnel of $1."
    grep -q "event=answer user=$1 .*outcome=accept reason=both-factors" "$syslog" || fail "The log does not say that $1 is in."
    tick "$1 is connected as $event_text (pam_unix, a code of oathtool), and ping comes back"
}

try_wrong_code() {
    start_client alice wrong 'static-challenge "Code" 1'
    log_in alice "$(static_response 'the password of alice' 000000)"
    next_event 30
    [[ $event == crv1 || $event == refused ]] || fail "A wrong code: '$event'."
    tick "a wrong code is refused: $event_text"
    stop_client
}

upgrade() {
    local before
    before=$(sha256sum "$database")
    echo '# changed by an administrator' >>/etc/pam.d/openvpn
    dpkg_quietly --install /opt/trial/next.deb
    is 'version' "$(dpkg-deb --field /opt/trial/next.deb Version)" "$(dpkg-query --show --showformat '${Version}' openvpn-2fa)"
    grep -q '# changed by an administrator' /etc/pam.d/openvpn || fail 'The upgrade has taken the change in /etc/pam.d/openvpn away.'
    is 'the database' "$before" "$(sha256sum "$database")"
    is '/var/lib/openvpn-totp' '700 root root' "$(stat -c '%a %U %G' /var/lib/openvpn-totp)"
    ping -q -n -c 2 -i 0.2 -W 2 -I tun-alice "$vpn_gateway" >/dev/null || fail 'alice was thrown out.'
    tick 'the database, the changed PAM file and the connection of alice are as before'
    connects bob
    stop_client
}

remove_and_purge() {
    local said
    dpkg_quietly --remove openvpn-2fa
    [[ ! -e /usr/bin/openvpn-2fa && -s $database && -e /etc/pam.d/openvpn ]] || fail 'A removal is to leave PAM file and database.'
    start_client alice carol 'static-challenge "Code" 1'
    log_in carol "$(static_response 'the password of carol' "$(code_of carol)")"
    await_event refused
    stop_client
    tick 'removed: PAM file and database stay, and without the program nobody gets in'
    dpkg_quietly --install /opt/trial/first.deb
    is 'enrolled' 'alice bob carol' "$(openvpn-2fa list | cut -f1 | xargs)"
    connects carol
    stop_client
    tick 'installed again: all are still enrolled'
    said=$(dpkg --purge openvpn-2fa 2>&1) || fail "dpkg --purge: $said"
    [[ -s $database && $said == *"/var/lib/openvpn-totp holds secrets and is kept"* ]] || fail "A purge is to keep the enrolments and to say so: $said"
    is 'left after the purge' '' "$(find / -xdev -name '*openvpn-2fa*' -not -path '/opt/trial/*' -not -path '/proc/*' 2>/dev/null)"
    [[ ! -e /etc/pam.d/openvpn ]] || fail 'The purge has left /etc/pam.d/openvpn.'
    tick 'purged: nothing is left but the enrolments, and it says so'
    rm -r /var/lib/openvpn-totp
    dpkg_quietly --install /opt/trial/first.deb
    dpkg_quietly --purge openvpn-2fa
    [[ ! -e /var/lib/openvpn-totp ]] || fail 'Without enrolments a purge is to leave nothing.'
    tick 'without enrolments, nothing at all'
}

dpkg_quietly() {
    local output
    output=$(dpkg "$@" 2>&1 </dev/null) || fail "dpkg $*: $output"
}
