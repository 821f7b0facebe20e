# shellcheck shell=bash disable=SC2034,SC2154  # variables that the files beside it use and set
# A throw-away PKI, an OpenVPN server in a namespace of its own, and clients driven over their management interface.
# Needs lib/present.sh; runs inside the private world of lib/cage.sh. All files are in $work.

server_address=192.0.2.1
client_address=192.0.2.2
vpn_gateway=10.8.0.1
server_log=$work/server.log
syslog=$work/syslog # what the program says of its decisions

# --- certificates

make_authority() {
    new_key ca -x509 -days 2 -subj '/CN=Throw-away CA' -addext basicConstraints=critical,CA:TRUE
}

# issue NAME serverAuth|clientAuth
issue() {
    new_key "$1" -x509 -CA "$work/ca.crt" -CAkey "$work/ca.key" -days 2 -subj "/CN=$1" \
        -addext basicConstraints=critical,CA:FALSE -addext keyUsage=critical,digitalSignature -addext "extendedKeyUsage=$2"
}

new_key() {
    local name=$1 output
    shift
    output=$(openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -batch \
        -keyout "$work/$name.key" -out "$work/$name.crt" "$@" 2>&1) ||
        fail "openssl could not make the certificate of $name: $output"
}

# --- network and server

make_network() {
    ip netns add server
    ip link add to-server type veth peer name to-clients netns server
    ip address add "$client_address/30" dev to-server
    ip link set to-server up
    ip -n server address add "$server_address/30" dev to-clients
    ip -n server link set to-clients up
    ip -n server link set lo up
}

# start_server: with $work/server.conf.
start_server() {
    logs_on_failure+=("$server_log")
    ip netns exec server openvpn --cd "$work" --config server.conf >"$server_log" 2>&1 </dev/null &
    wait_until 15 grep -qs 'Initialization Sequence Completed' "$server_log" ||
        fail "The OpenVPN server did not start within 15 s." "The log above says why."
}

# --- a client

# start_client NAME SESSION [OPTION-LINE...]: certificate of NAME; SESSION names its files and its device. Leaves the
# connection to its management interface in $management.
management_port=7500
start_client() {
    local name=$1
    session=$2
    shift 2
    management_port=$((management_port + 1))
    cat >"$work/$session.ovpn" <<-END
		client
		proto udp
		remote $server_address 1194
		nobind
		dev tun-$session
		dev-type tun
		disable-dco
		ca ca.crt
		cert $name.crt
		key $name.key
		remote-cert-tls server
		explicit-exit-notify 1
		auth-user-pass
		auth-retry interact
		management 127.0.0.1 $management_port
		management-hold
		management-query-passwords
		$(printf '%s\n' "$@")
	END
    logs_on_failure=("$syslog" "$server_log" "$work/$session.log")
    openvpn --cd "$work" --config "$session.ovpn" >"$work/$session.log" 2>&1 </dev/null &
    client_process=$!
    wait_until 10 connect_management || fail "The client of $name did not start within 10 s." "Its log above says why."
    tell 'state on'
    tell 'hold off'
    tell 'hold release'
}

connect_management() {
    { exec {management}<>"/dev/tcp/127.0.0.1/$management_port"; } 2>/dev/null
}

tell() { printf '%s\n' "$1" >&"$management"; }

# A value in a management command: in quotes, with quotes and backslashes escaped.
quoted() {
    local value=${1//\\/\\\\}
    printf '"%s"' "${value//\"/\\\"}"
}

# log_in USER PASSWORD: answers the client's question for both. Waits for the question first.
log_in() {
    await_event need
    tell "username \"Auth\" $(quoted "$1")"
    tell "password \"Auth\" $(quoted "$2")"
}

answer_crtext() { tell "cr-response $(printf %s "$1" | base64 -w0)"; }
answer_crv1() { log_in "$1" "CRV1::$challenge_state::$2"; }
static_response() { printf 'SCRV1:%s:%s' "$(printf %s "$1" | base64 -w0)" "$(printf %s "$2" | base64 -w0)"; }

# next_event SECONDS: reads until something happened. $event is one of need, crtext, crv1, refused, connected, ended,
# silence; $event_text is what the user would read, or the address in the tunnel.
next_event() {
    local deadline=$(($(milliseconds) + $1 * 1000)) left line status=0
    event=silence event_text='' challenge_state=''
    while left=$((deadline - $(milliseconds))) && ((left > 0)); do
        read -r -t "$((left / 1000)).$(printf %03d $((left % 1000)))" -u "$management" line || status=$?
        if ((status == 1)); then event=ended; fi # above 128: the time is over
        if ((status == 0)); then understand "${line%$'\r'}"; fi
        if ((status)) || [[ $event != silence ]]; then return 0; fi
    done
}

understand() {
    local crv1="^>PASSWORD:Verification Failed: 'Auth' \['CRV1:[^:]*:([^:]*):[^:]*:(.*)'\]"
    local refused="^>PASSWORD:Verification Failed: 'Auth'( \['(.*)'\])?"
    case $1 in
        ">PASSWORD:Need 'Auth'"*) event=need ;;
        '>INFOMSG:CR_TEXT:'*) event=crtext event_text=${1#>INFOMSG:CR_TEXT:*:} ;;
        '>STATE:'*,CONNECTED,SUCCESS,*) event=connected event_text=$(cut -d, -f4 <<<"$1") ;;
        '>PASSWORD:Verification Failed'*)
            if [[ $1 =~ $crv1 ]]; then
                event=crv1 challenge_state=${BASH_REMATCH[1]} event_text=${BASH_REMATCH[2]}
            elif [[ $1 =~ $refused ]]; then
                event=refused event_text=${BASH_REMATCH[2]:-no reason given}
            fi
            ;;
    esac
}

# await_event WANTED: the next event must be this one.
await_event() {
    next_event 30
    if [[ $event != "$1" ]]; then
        fail "Expected '$1' of the server, got '$event'${event_text:+ ($event_text)}." \
            "This is a fault of the program or of the demo; the logs above say which."
    fi
}

stop_client() {
    tell 'signal SIGTERM' 2>/dev/null || true
    exec {management}>&-
    wait_until 5 process_gone "$client_process" || kill -KILL "$client_process"
    wait "$client_process" 2>/dev/null || true
}

process_gone() { ! kill -0 "$1" 2>/dev/null; }
