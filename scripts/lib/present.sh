# shellcheck shell=bash disable=SC2034,SC2154  # variables that the files beside it use and set
# How the demo speaks: numbered steps, ticks with the time they took, a dialogue, quoted lines.

# Colours only for a person at a terminal who has not switched them off (https://no-color.org).
bold='' dim='' red='' green='' blue='' magenta='' yellow='' plain=''
if [[ -t 1 && -z ${NO_COLOR:-} && ${TERM:-dumb} != dumb ]]; then
    bold=$'\e[1m' dim=$'\e[2m' plain=$'\e[0m'
    red=$'\e[31m' green=$'\e[32m' yellow=$'\e[33m' blue=$'\e[34m' magenta=$'\e[35m'
fi

step_number=${DEMO_STEP:-0}
step_started=0

milliseconds() {
    local now=$EPOCHREALTIME
    echo $((${now/[.,]/} / 1000))
}

# seconds_since START: whole tenths, as "1.4 s".
seconds_since() {
    local elapsed=$(($(milliseconds) - $1))
    echo "$((elapsed / 1000)).$((elapsed % 1000 / 100)) s"
}

step() {
    step_number=$((step_number + 1))
    step_started=$(milliseconds)
    printf '\n%s%2d  %s%s\n' "$bold" "$step_number" "$1" "$plain"
}

# Good news, with the time since the step began or since the last tick when that says something.
tick() {
    local took=''
    if (($(milliseconds) - step_started >= 100)); then took="  ${dim}$(seconds_since "$step_started")$plain"; fi
    printf '    %s✓%s %s%s\n' "$green" "$plain" "$1" "$took"
    step_started=$(milliseconds)
}

say() { printf '    %s\n' "$1"; }

# A command that a person could have typed.
command_line() { printf '    %s#%s %s%s%s\n' "$dim" "$plain" "$bold" "$1" "$plain"; }

# Lines from elsewhere (standard input), set apart.
quote() {
    local line
    while IFS= read -r line; do printf '    %s│%s %s\n' "$dim" "$plain" "$line"; done
}

# One line of the dialogue between a person and the server.
speaks() {
    local colour=$blue
    if [[ $1 == server ]]; then colour=$magenta; fi
    printf "    %s%8s:%s %s\n" "$colour" "$1" "$plain" "$2"
}

# Something on one line that the next thing overwrites; nothing where there is no terminal.
passing() {
    [[ -t 1 ]] || return 0
    if [[ -n $1 ]]; then printf '\r\e[K    %s… %.68s%s' "$dim" "$1" "$plain"; else printf '\r\e[K'; fi
}

# fail WHAT [HINT]: what happened, the ends of the logs that know more, what to check; exit status 1.
logs_on_failure=()
fail() {
    local log
    printf '\n%s✗ %s%s\n' "$red" "$1" "$plain" >&2
    for log in "${logs_on_failure[@]}"; do
        [[ -s $log ]] || continue
        printf '\n  The end of %s:\n' "${log##*/}" >&2
        tail -n 15 "$log" | quote >&2
    done
    if [[ -n ${2:-} ]]; then printf '\n  %s\n' "$2" >&2; fi
    exit 1
}

# wait_until SECONDS COMMAND...: polls; false when the time is over.
wait_until() {
    local deadline=$(($(milliseconds) + $1 * 1000))
    shift
    until "$@"; do
        (($(milliseconds) < deadline)) || return 1
        sleep 0.05
    done
}
