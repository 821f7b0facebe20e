# shellcheck shell=bash disable=SC2034,SC2154  # variables that the files beside it use and set
# A private world: its own processes, network, and file system tree. Needs lib/present.sh.
#
# Everything in it ends when its first process ends, and that one ends with the process outside that waits for it,
# even by kill -9: the kernel takes down the processes, then the network, then the mounts. So there is no clean-up
# code that could be skipped.

# in_cage COMMAND...: runs it in new namespaces, tied to the life of this shell.
in_cage() {
    setpriv --pdeathsig KILL \
        unshare --mount --net --pid --fork --kill-child --mount-proc --propagation private -- "$@"
}

# build_tied COMMAND...: replaces this (sub)shell; all that the command starts dies with our parent. Only processes
# are set apart: a build needs the network and its files. Who is not root cannot set them apart.
build_tied() {
    if ((EUID != 0)); then exec "$@"; fi
    # shellcheck disable=SC2016  # the inner shell expands it; it is process 1, which ignores signals that it does not trap
    exec setpriv --pdeathsig KILL unshare --pid --fork --kill-child -- \
        bash -c 'trap "exit 130" INT TERM HUP; "$@" & wait $! || { echo "error: status $?"; exit 1; }' build "$@"
}

check_cage() {
    if [[ ! -c /dev/net/tun ]] || ! { : <>/dev/net/tun; } 2>/dev/null; then
        fail "/dev/net/tun is missing or cannot be opened, and OpenVPN cannot make a tunnel without it." \
            "Try 'modprobe tun'. In a container: 'docker run --privileged', or --device /dev/net/tun --cap-add SYS_ADMIN --cap-add NET_ADMIN."
    fi
    if ! in_cage true 2>/dev/null; then
        fail "This machine does not let root make namespaces, so the demo has nowhere private to run." \
            "In a container: 'docker run --privileged'. Otherwise use a machine or a virtual machine of your own."
    fi
}

# furnish_cage PROGRAM: inside. Puts the program where the README puts it, and a throw-away tree over every directory
# that the demo writes to.
furnish_cage() {
    local program
    exec {program}<"$1" # before a mount can hide it
    cd /
    mount -t tmpfs -o mode=755 tmpfs /usr/local/bin
    install -m 755 /dev/fd/"$program" /usr/local/bin/openvpn-2fa
    exec {program}<&-
    PATH=/usr/local/bin:$PATH

    mount -t tmpfs -o mode=755 tmpfs /run # also hides the journal's and the name service cache's sockets
    cp -a /etc /run/etc
    mount --bind /run/etc /etc
    mount -t tmpfs -o mode=1777 tmpfs /tmp
    mount -t tmpfs -o mode=755 tmpfs /var
    mkdir /var/lib /var/log
    ln -s /run /var/run
    private_devices
    mount -o remount,bind,ro / 2>/dev/null || true # belt and braces: the rest is not ours to change
    ip link set lo up
}

# A /dev with what programs need and no more, so that /dev/log can be ours.
private_devices() {
    local name
    mkdir -p /run/dev/net /run/dev/pts
    for name in null zero full random urandom tty net/tun; do
        : >"/run/dev/$name"
        mount --bind "/dev/$name" "/run/dev/$name"
    done
    mount --rbind /dev/pts /run/dev/pts
    ln -s /proc/self/fd /run/dev/fd
    ln -s fd/0 /run/dev/stdin && ln -s fd/1 /run/dev/stdout && ln -s fd/2 /run/dev/stderr
    mount --rbind /run/dev /dev
}

# start_syslog FILE: takes what is sent to /dev/log, one line a message. perl-base is on every Debian.
start_syslog() {
    # shellcheck disable=SC2016  # perl's variables
    perl -MSocket -e '
        my $log;
        socket($log, AF_UNIX, SOCK_DGRAM, 0) && bind($log, sockaddr_un("/dev/log")) or die "/dev/log: $!";
        $| = 1;
        while (defined recv($log, my $message, 65536, 0)) { $message =~ s/^<\d+>//; print "$message\n" }
    ' >"$1" 2>&1 </dev/null &
    wait_until 5 test -S /dev/log || fail "Nothing listens on /dev/log: $(<"$1")"
}

# private_user NAME: a Unix account that exists in this world's /etc only, password on standard input.
private_user() {
    local password
    read -r password
    # Somebody of that name may live on this machine; not in this copy of /etc.
    sed -i "/^$1:/d" /etc/passwd /etc/shadow /etc/group /etc/gshadow
    useradd --no-log-init --no-create-home --shell /usr/sbin/nologin "$1"
    chpasswd <<<"$1:$password"
    grep -q "^$1:[$]y[$]" /etc/shadow || fail "The password of $1 was not hashed with yescrypt."
}

# Accounts and passwords from files only, hashed with yescrypt, whatever this machine does otherwise (LDAP, SSSD, …).
private_accounts() {
    printf '%s: files\n' passwd group shadow gshadow hosts >/etc/nsswitch.conf
    echo 'password required pam_unix.so yescrypt' >/etc/pam.d/chpasswd
    echo 'auth required pam_unix.so' >/etc/pam.d/common-auth
    echo 'account required pam_unix.so' >/etc/pam.d/common-account
}
