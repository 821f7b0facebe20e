# A machine to follow the documentation on: world.sh DIRECTORY PROGRAM CHECKOUT CERTIFICATES. Runs in a mount namespace of its
# own, in which nothing that it changes is the machine's.
set -eu
world=$1 program=$2 checkout=$3 certificates=$4
mkdir -p "$world/bin" "$world/checkout/target/release"
mount --bind "$world" "$world" # stays writable, wherever it is
touch "$world/program"
mount --bind "$program" "$world/program"
# Both before another mount hides them: a checkout may be anywhere, also below /tmp or /home.
(cd "$checkout" && cp -a README.md CHANGELOG.md SECURITY.md contrib scripts "$world/checkout/")
mkdir "$world/fixtures"
cp "$checkout"/tests/blackbox/fixtures/import/* "$world/fixtures/"

# over DIRECTORY [NAME...]: an empty directory over it, in which these alone are what they were.
over() {
    directory=$1
    shift
    mkdir -p "$world/below$directory" "$world/above$directory"
    chmod --reference="$directory" "$world/above$directory"
    mount --bind "$directory" "$world/below$directory"
    mount --bind "$world/above$directory" "$directory"
    for name; do
        if [ -e "$world/below$directory/$name" ]; then ln -s "$world/below$directory/$name" "$directory/$name"; fi
    done
}

# Locks of accounts that are made at this moment come and go.
mkdir "$world/etc"
cp -a /etc/. "$world/etc" 2>/dev/null || true
rm -f "$world"/etc/*.lock "$world"/etc/.pwd.lock
mount --bind "$world/etc" /etc
over /root
over /home
over /tmp
over /usr/local
over /var/lib apt dpkg
over /var/log
mkdir "$world/share"
# The directories of completions and manuals are ours, everything else in there is as it was.
(cd /usr/share && for name in *; do case $name in bash-completion | zsh | fish) ;; *) ln -s "$world/below/usr/share/$name" "$world/share/$name" ;; esac; done)
over /usr/share
mv "$world"/share/* /usr/share/
mkdir -p /usr/local/bin
mount -o remount,bind,ro / 2>/dev/null || true # the rest is not ours to change

# --- What a server has before the installation

printf '%s: files\n' passwd group shadow gshadow hosts >/etc/nsswitch.conf
echo 'password required pam_unix.so yescrypt' >/etc/pam.d/chpasswd
echo 'auth required pam_unix.so' >/etc/pam.d/common-auth
echo 'account required pam_unix.so' >/etc/pam.d/common-account
rm -f /etc/pam.d/openvpn
for name in alice bob; do
    sed -i "/^$name:/d" /etc/passwd /etc/shadow /etc/group /etc/gshadow
    useradd -m -s /usr/sbin/nologin "$name"
    echo "$name:the password of $name" | chpasswd -c YESCRYPT
done
rm -rf /etc/openvpn /etc/openvpn-2fa
mkdir -p /etc/openvpn/server
cat >/etc/openvpn/server/server.conf <<END
dev tun
proto udp
port 1194
topology subnet
server 10.8.0.0 255.255.255.0
keepalive 5 60
disable-dco
ca $certificates/ca.crt
cert $certificates/server.crt
key $certificates/server.key
dh none
END
echo 'a passphrase of several words' >/root/passphrase
chmod 600 /root/passphrase

# --- What stands in for programs that cannot do their work here

# stand_in NAME: the script on standard input is that program.
stand_in() {
    { echo '#!/bin/bash'; echo 'set -eu'; cat; } >"$world/bin/$1"
    chmod 755 "$world/bin/$1"
}

stand_in sudo <<'END'
exec env "$@"
END

stand_in cargo <<END
[[ \$1 == build ]]
ln -sf "$world/program" target/release/openvpn-2fa
END

# Installs nothing, and knows which packages there are where apt has lists.
stand_in apt-get <<'END'
[[ $1 == update ]] && exit
[[ $1 == install ]]
shift
compgen -G '/var/lib/apt/lists/*_Packages*' >/dev/null || exit 0
for package; do
    case $package in
        -*) ;;
        ./*) [[ -e $package ]] ;;
        fail2ban) mkdir -p /etc/fail2ban/filter.d /etc/fail2ban/jail.d ;;
        *) apt-cache show "$package" >/dev/null ;;
    esac
done
END

# Knows what the unit's drop-ins say, and hands out the credential that one of them would.
stand_in systemctl <<'END'
case $1 in
    daemon-reload) ;;
    edit | enable | disable | reload | start | status | stop) [[ -n $2 ]] ;;
    restart)
        [[ -n $2 ]]
        if [[ -e /etc/openvpn-2fa/store.key.cred ]]; then
            install -D -m 0400 /etc/openvpn-2fa/store.key.cred "/run/credentials/$2.service/openvpn-2fa.key"
        fi
        ;;
    show)
        property=${3#--property=} value=10
        for file in /etc/systemd/system/"${2%%@*}"@.service.d/*.conf; do
            if [[ -e $file ]]; then value=$(sed -n "s/^$property=//p" "$file"); fi
        done
        echo "$value"
        ;;
    *) exit 1 ;;
esac
END

# Keeps the credential as it is.
stand_in systemd-creds <<'END'
[[ $1 == encrypt && $2 == --name=* ]]
install -m 0600 "$3" "$4"
END

echo 'echo yes' | stand_in timedatectl
# There is no journal; what is asked of it is for people to read.
stand_in journalctl <<'END'
[[ $# -gt 0 ]]
if [[ " $* " == *' --output json '* ]]; then
    echo '{"__REALTIME_TIMESTAMP": "1795295268123456", "_UID": "0", "MESSAGE": "event=login user=alice outcome=accept reason=both-factors"}'
fi
END
echo '[[ -s $2 ]]' | stand_in fail2ban-regex
command -v pamtester >/dev/null || echo '[[ $# -gt 2 ]]' | stand_in pamtester

echo ready
exec cat
