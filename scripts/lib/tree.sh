# shellcheck shell=bash disable=SC2034,SC2154  # variables that the files beside it use and set
# A fresh Debian in a directory. Needs lib/present.sh and lib/cage.sh.

# grow_tree DIRECTORY SUITE PACKAGE...: with nothing in it but what every Debian has, and these packages.
grow_tree() {
    local directory=$1 suite=$2 packages mirror found
    shift 2
    packages=$(IFS=, && echo "$*")
    # From where this machine has its own packages.
    found=$(debian_of_apt) || fail 'apt knows no Debian here.' "/etc/apt/sources.list names none, or 'apt-get update' never ran."
    mirror=${found% *} suite=${suite:-${found##* }}
    passing "debootstrap $suite"
    debootstrap --variant=minbase --include="$packages" "$suite" "$directory" "$mirror" >"$directory.log" 2>&1 ||
        { tail -n 15 "$directory.log" | quote && fail "debootstrap could not make a Debian ($suite)."; }
    passing ''
    rm "$directory.log"
    # Services are not started in it.
    printf '#!/bin/sh\nexit 101\n' >"$directory/usr/sbin/policy-rc.d"
    chmod 755 "$directory/usr/sbin/policy-rc.d"
    tick "a fresh Debian: $suite, $(<"$directory/etc/debian_version")"
}

# The address and the code name of the main Debian that apt has, as "ADDRESS NAME".
# shellcheck disable=SC2016  # apt's variables
debian_of_apt() {
    apt-get indextargets --format '$(ORIGIN) $(COMPONENT) $(REPO_URI) $(CODENAME)' 'Created-By: Packages' |
        awk '$1 == "Debian" && $2 == "main" && $4 !~ /-/ { print $3, $4; found = 1; exit } END { exit !found }'
}

# in_tree DIRECTORY COMMAND...: in namespaces of its own, with this machine's network.
in_tree() {
    setpriv --pdeathsig KILL unshare --mount --pid --fork --kill-child --mount-proc --propagation private -- \
        bash "$self" --inside enter_tree "$@"
}

# in_caged_tree DIRECTORY COMMAND...: the same without a network.
in_caged_tree() { in_cage bash "$self" --inside enter_tree "$@"; }

# enter_tree DIRECTORY COMMAND...: inside the namespaces. Gives the tree what a running system has, and starts the command
# there.
enter_tree() {
    local directory=$1 name
    shift
    mount --bind "$directory" "$directory" # so that "/" is a mount, as "ip netns" wants it
    mount -t proc proc "$directory/proc"
    mount -t tmpfs -o mode=755 tmpfs "$directory/run"
    mount -t tmpfs -o mode=755 tmpfs "$directory/dev"
    mkdir "$directory/dev/net" "$directory/dev/pts"
    for name in null zero full random urandom tty net/tun; do
        : >"$directory/dev/$name"
        mount --bind "/dev/$name" "$directory/dev/$name"
    done
    ln -s /proc/self/fd "$directory/dev/fd"
    ln -s fd/0 "$directory/dev/stdin" && ln -s fd/1 "$directory/dev/stdout" && ln -s fd/2 "$directory/dev/stderr"
    exec env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root TERM="${TERM:-dumb}" \
        NO_COLOR="${NO_COLOR:-}" DEMO_STEP="${DEMO_STEP:-0}" DEBIAN_FRONTEND=noninteractive chroot "$directory" "$@"
}
