# shellcheck shell=bash disable=SC2034,SC2154  # variables that the files beside it use and set
# What must be on the machine, and which Debian package brings it. Needs lib/present.sh.

# Prints the packages of which something is missing, one a line. $1: "build" when there is something to compile.
missing_packages() {
    local need
    local needs=(openvpn:openvpn oathtool:oathtool ip:iproute2 ping:iputils-ping openssl:openssl
        unshare:util-linux setpriv:util-linux mount:mount useradd:passwd chpasswd:passwd)
    if [[ $1 == build ]]; then needs+=(gcc:gcc); fi
    {
        for need in "${needs[@]}"; do
            command -v "${need%%:*}" >/dev/null || echo "${need#*:}"
        done
        have_file '/lib/*/libpam.so.0' '/usr/lib/*/libpam.so.0' || echo libpam0g
        have_file '/lib/*/security/pam_unix.so' '/usr/lib/*/security/pam_unix.so' || echo libpam-modules
        if [[ $1 == build ]]; then have_file '/usr/include/stdio.h' || echo libc6-dev; fi
    } | sort -u
}

# Is there a file by any of these patterns?
have_file() {
    local pattern
    for pattern in "$@"; do
        if compgen -G "$pattern" >/dev/null; then return 0; fi
    done
    return 1
}

# install_packages PACKAGE...: from Debian; with a fresh package list only when the old one does not do.
install_packages() {
    local output
    if ! command -v apt-get >/dev/null; then
        fail "These Debian packages, or what your system calls them, are missing: $*" \
            "There is no apt-get here. Install them and run scripts/demo again."
    fi
    passing "installing $*"
    if ! output=$(apt_install "$@" 2>&1) && ! output=$(apt-get -qq update 2>&1 && apt_install "$@" 2>&1); then
        passing ''
        tail -n 15 <<<"$output" | quote >&2
        fail "apt-get could not install: $*" "Check the network and /etc/apt/sources.list, or install them by hand."
    fi
    passing ''
}

apt_install() {
    DEBIAN_FRONTEND=noninteractive apt-get -qq -y -o DPkg::Lock::Timeout=120 \
        install --no-install-recommends "$@" </dev/null
}

# unpack_package PACKAGE DIRECTORY: its files, where its installation would start a service.
unpack_package() {
    local output
    rm -rf "$2" && mkdir -p "$2"
    if ! output=$(download_into "$2" "$1" 2>&1) && ! output=$(apt-get -qq update 2>&1 && download_into "$2" "$1" 2>&1); then
        rm -rf "$2"
        tail -n 15 <<<"$output" | quote >&2
        fail "apt-get could not fetch $1." "Check the network and /etc/apt/sources.list."
    fi
    dpkg-deb --extract "$2"/*.deb "$2" && rm "$2"/*.deb
}

download_into() { (cd "$1" && apt-get -qq download "$2"); }

# Challenges that stay open while the user types (CR_TEXT) need 2.6; before 2.6.2 deferral is broken.
check_openvpn_version() {
    local version
    version=$(openvpn --version | sed -n '1s/^OpenVPN \([0-9.]*\).*/\1/p')
    if ! printf '%s\n' 2.6.2 "$version" | sort -V -C; then
        fail "OpenVPN here is ${version:-unknown}; 2.6.2 or later is needed." "Debian 12 and later have it."
    fi
    echo "$version"
}
