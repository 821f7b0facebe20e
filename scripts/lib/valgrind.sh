# shellcheck shell=bash disable=SC2054,SC2154  # commas in options; what the file that sources this one has set
# The only unsafe code of the program under valgrind: the process that asks PAM, and the unit tests of the binding.
# Needs lib/present.sh and lib/cage.sh.

# What counts: any use of memory that is not there or was never written, and any that was lost. What modules keep to the
# end of the process is theirs.
memory_checker=(valgrind --quiet --error-exitcode=99 --leak-check=full --show-leak-kinds=definite,indirect
    --errors-for-leak-kinds=definite,indirect --num-callers=30 --child-silent-after-fork=yes)

pam_under_valgrind() {
    local name
    for name in valgrind cc; do
        command -v "$name" >/dev/null || fail "$name is missing." "apt-get install valgrind gcc"
    done
    step "Build"
    cargo build --quiet
    local unit_tests
    unit_tests=$(cargo test --lib --no-run 2>&1 | sed -n 's/.*(\(target[^)]*\)).*/\1/p')
    step "Unit tests of the binding"
    under_valgrind "$unit_tests" --quiet --test-threads=1 primary::pam primary::isolated::tests
    ((EUID == 0)) || fail "The rest needs root, for Unix users of its own." "sudo scripts/torture valgrind"
    step "PAM's process, as a worker starts it"
    cc -shared -fPIC -o target/debug/pam_probe.so tests/e2e/pam_probe.c
    # shellcheck disable=SC2016  # the inner shell expands it
    in_cage bash -euo pipefail -c 'cd "$1"; for file in present cage valgrind; do source "scripts/lib/$file.sh"; done
        ask_pam_under_valgrind' inside "$checkout"
}

# under_valgrind COMMAND...
under_valgrind() {
    "${memory_checker[@]}" "$@" || fail "valgrind has found something: $*" "See above."
}

# Inside, with an /etc of its own.
ask_pam_under_valgrind() {
    local program=$PWD/target/debug/openvpn-2fa module=$PWD/target/debug/pam_probe.so task long
    mount -t tmpfs -o mode=755 tmpfs /run
    cp -a /etc /run/etc
    mount --bind /run/etc /etc
    # shellcheck disable=SC2034  # present.sh reads it
    step_started=$(milliseconds) # this is another shell than the one that began the step
    private_user valgrind <<<'Otter-in-the-stream'
    printf '%s required pam_unix.so\n' auth account >/etc/pam.d/valgrind
    long=$(printf '%0511d' 7)
    asked passed valgrind valgrind 'Otter-in-the-stream' vpn$'\n'users
    asked denied valgrind valgrind 'wrong'
    asked denied valgrind valgrind ''
    asked denied valgrind valgrind "$long"
    asked denied valgrind valgrind "$long$long"
    asked denied valgrind nobody-of-that-name 'wrong'
    asked denied no-such-service valgrind 'wrong'
    asked account valgrind valgrind ''
    chage --expiredate 1 valgrind
    asked denied valgrind valgrind 'Otter-in-the-stream'
    for task in ask-once talk-and-ask ask-without-text; do
        printf '%s required %s %s\n' auth "$module" "$task" account "$module" "$task" >"/etc/pam.d/$task"
        asked passed "$task" valgrind 'anything'
        asked passed "$task" valgrind "$long"
    done
    for task in ask-twice ask-two-at-once ask-visibly ask-twice-and-not-care change-the-user ask-nothing ask-too-much \
        ask-strangely ask-without-message; do
        printf '%s required %s %s\n' auth "$module" "$task" account "$module" "$task" >"/etc/pam.d/$task"
        asked denied "$task" valgrind 'anything'
    done
    tick "nothing found"
}

# asked WORD SERVICE USER PASSWORD [GROUPS]: asks the process, whose answer has to begin with the word.
asked() {
    local wanted=$1 kind=authenticate answer
    if [[ $wanted == account ]]; then wanted=passed kind=account; fi
    answer=$(printf '%s\0' "$kind" "$2" "$3" 192.0.2.1 "${5:-}" | { cat && printf '%s' "$4"; } |
        under_valgrind "$program" primary-check | tr '\0' ' ')
    [[ $answer == "$wanted "* ]] || fail "$2, $3: $wanted was expected, not $answer"
    say "$2, $3: $answer"
}
