# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_openvpn_2fa_global_optspecs
    string join \n config= db= json h/help
end

function __fish_openvpn_2fa_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_openvpn_2fa_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_openvpn_2fa_using_subcommand
    set -l cmd (__fish_openvpn_2fa_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c openvpn-2fa -n "__fish_openvpn_2fa_needs_command" -l config -d 'Settings file [default: /etc/openvpn-2fa/config.toml, if there is one]' -r -F
complete -c openvpn-2fa -n "__fish_openvpn_2fa_needs_command" -l db -d 'Database, instead of the one in the settings' -r -F
complete -c openvpn-2fa -n "__fish_openvpn_2fa_needs_command" -l json -d 'Print JSON'
complete -c openvpn-2fa -n "__fish_openvpn_2fa_needs_command" -s h -l help -d 'Print help'
complete -c openvpn-2fa -n "__fish_openvpn_2fa_needs_command" -f -a "enroll" -d 'Make a secret for a user: prints the name, the base32 secret and the otpauth:// URI, one line each'
complete -c openvpn-2fa -n "__fish_openvpn_2fa_needs_command" -f -a "confirm" -d 'See whether a user\'s app makes the right codes, and how far its clock is off'
complete -c openvpn-2fa -n "__fish_openvpn_2fa_needs_command" -f -a "backup-codes" -d 'Make new backup codes for a user, one a line; the old ones are void'
complete -c openvpn-2fa -n "__fish_openvpn_2fa_needs_command" -f -a "list" -d 'List the enrolled users, one line each, the name first'
complete -c openvpn-2fa -n "__fish_openvpn_2fa_needs_command" -f -a "log" -d 'Show the last decisions about a user, from the journal or /var/log/auth.log'
complete -c openvpn-2fa -n "__fish_openvpn_2fa_needs_command" -f -a "show" -d 'Show what is stored about a user'
complete -c openvpn-2fa -n "__fish_openvpn_2fa_needs_command" -f -a "delete" -d 'Remove a user\'s enrolment, and any question that still waits for an answer; or one of several tokens'
complete -c openvpn-2fa -n "__fish_openvpn_2fa_needs_command" -f -a "unlock" -d 'Let a user try again at once who is locked after too many wrong codes'
complete -c openvpn-2fa -n "__fish_openvpn_2fa_needs_command" -f -a "disable" -d 'Keep a user out, from now on; the enrolment stays'
complete -c openvpn-2fa -n "__fish_openvpn_2fa_needs_command" -f -a "enable" -d 'Let a user in again who was disabled'
complete -c openvpn-2fa -n "__fish_openvpn_2fa_needs_command" -f -a "rename" -d 'Give a user another name; the codes stay the same'
complete -c openvpn-2fa -n "__fish_openvpn_2fa_needs_command" -f -a "set" -d 'Change which second factor a user has'
complete -c openvpn-2fa -n "__fish_openvpn_2fa_needs_command" -f -a "new-key" -d 'Make a key to encrypt secrets with, in a new file'
complete -c openvpn-2fa -n "__fish_openvpn_2fa_needs_command" -f -a "rekey" -d 'Encrypt every secret in the database with the key of the settings'
complete -c openvpn-2fa -n "__fish_openvpn_2fa_needs_command" -f -a "import" -d 'Take over users and their secrets from other programs'
complete -c openvpn-2fa -n "__fish_openvpn_2fa_needs_command" -f -a "export" -d 'Print users and secrets as otpauth:// URIs, encrypted with a passphrase'
complete -c openvpn-2fa -n "__fish_openvpn_2fa_needs_command" -f -a "backup" -d 'Copy the database into a new file, while logins go on'
complete -c openvpn-2fa -n "__fish_openvpn_2fa_needs_command" -f -a "restore" -d 'Put the content of a backup in place of what the database holds, while logins go on'
complete -c openvpn-2fa -n "__fish_openvpn_2fa_needs_command" -f -a "check" -d 'Look at all that a login depends on, and say what to change; or at one thing'
complete -c openvpn-2fa -n "__fish_openvpn_2fa_needs_command" -f -a "doctor" -d 'Look at all that a login depends on, and say what to change; or at one thing'
complete -c openvpn-2fa -n "__fish_openvpn_2fa_needs_command" -f -a "verify" -d 'Check a second factor for another program: a JSON request on standard input, the reply on standard output'
complete -c openvpn-2fa -n "__fish_openvpn_2fa_needs_command" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c openvpn-2fa -n "__fish_openvpn_2fa_using_subcommand enroll" -l from -d 'Enrol many users: their names are on the lines of this file, beside empty lines and # comments; - is standard input. All are enrolled or none; who is enrolled already is left alone' -r -F
complete -c openvpn-2fa -n "__fish_openvpn_2fa_using_subcommand enroll" -l out -d 'With --from: a new directory for a picture and a text of each user, which are secrets' -r -F
complete -c openvpn-2fa -n "__fish_openvpn_2fa_using_subcommand enroll" -l secret -d 'Take over a secret, in base32. Others on this machine can read what stands in a command line: - takes the first line of standard input instead, and asks for it on a terminal' -r
complete -c openvpn-2fa -n "__fish_openvpn_2fa_using_subcommand enroll" -l algorithm -d 'The hash function of the codes: sha1, sha256 or sha512; many apps ignore it, and go on with sha1' -r -f -a "sha1\t'HMAC-SHA-1, the default, and the only one that every app knows'
sha256\t'HMAC-SHA-256'
sha512\t'HMAC-SHA-512'"
complete -c openvpn-2fa -n "__fish_openvpn_2fa_using_subcommand enroll" -l digits -d 'Digits of a code, 6 to 8; many apps ignore it' -r
complete -c openvpn-2fa -n "__fish_openvpn_2fa_using_subcommand enroll" -l period -d 'Seconds for which a code counts; many apps ignore it' -r
complete -c openvpn-2fa -n "__fish_openvpn_2fa_using_subcommand enroll" -l label -d 'What to call the token where tokens are listed, such as phone; it is not in the URI' -r
complete -c openvpn-2fa -n "__fish_openvpn_2fa_using_subcommand enroll" -l qr-file -d 'Write the QR code to a new file, .png or .svg' -r -F
complete -c openvpn-2fa -n "__fish_openvpn_2fa_using_subcommand enroll" -l backup-codes -d 'Make so many backup codes too (1 to 20), printed to standard error; each is good once' -r
complete -c openvpn-2fa -n "__fish_openvpn_2fa_using_subcommand enroll" -l config -d 'Settings file [default: /etc/openvpn-2fa/config.toml, if there is one]' -r -F
complete -c openvpn-2fa -n "__fish_openvpn_2fa_using_subcommand enroll" -l db -d 'Database, instead of the one in the settings' -r -F
complete -c openvpn-2fa -n "__fish_openvpn_2fa_using_subcommand enroll" -l force -d 'Replace an enrolment: the old codes stop working'
complete -c openvpn-2fa -n "__fish_openvpn_2fa_using_subcommand enroll" -l add -d 'Add a token beside those that the user has: a second telephone. Any of them will do at a login'
complete -c openvpn-2fa -n "__fish_openvpn_2fa_using_subcommand enroll" -l qr -d 'Print a QR code to standard error, also when standard output is no terminal'
complete -c openvpn-2fa -n "__fish_openvpn_2fa_using_subcommand enroll" -l qr-invert -d 'The same with light and dark exchanged, for terminals or apps that want it so'
complete -c openvpn-2fa -n "__fish_openvpn_2fa_using_subcommand enroll" -s y -l yes -d 'Do not ask on the terminal; where there is none, nobody is asked anyway'
complete -c openvpn-2fa -n "__fish_openvpn_2fa_using_subcommand enroll" -l json -d 'Print JSON'
complete -c openvpn-2fa -n "__fish_openvpn_2fa_using_subcommand enroll" -s h -l help -d 'Print help'
complete -c openvpn-2fa -n "__fish_openvpn_2fa_using_subcommand confirm" -l config -d 'Settings file [default: /etc/openvpn-2fa/config.toml, if there is one]' -r -F
complete -c openvpn-2fa -n "__fish_openvpn_2fa_using_subcommand confirm" -l db -d 'Database, instead of the one in the settings' -r -F
complete -c openvpn-2fa -n "__fish_openvpn_2fa_using_subcommand confirm" -l json -d 'Print JSON'
complete -c openvpn-2fa -n "__fish_openvpn_2fa_using_subcommand confirm" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c openvpn-2fa -n "__fish_openvpn_2fa_using_subcommand backup-codes" -l count -d 'How many (1 to 20)' -r
complete -c openvpn-2fa -n "__fish_openvpn_2fa_using_subcommand backup-codes" -l config -d 'Settings file [default: /etc/openvpn-2fa/config.toml, if there is one]' -r -F
complete -c openvpn-2fa -n "__fish_openvpn_2fa_using_subcommand backup-codes" -l db -d 'Database, instead of the one in the settings' -r -F
complete -c openvpn-2fa -n "__fish_openvpn_2fa_using_subcommand backup-codes" -s y -l yes -d 'Do not ask on the terminal; where there is none, nobody is asked anyway'
complete -c openvpn-2fa -n "__fish_openvpn_2fa_using_subcommand backup-codes" -l json -d 'Print JSON'
complete -c openvpn-2fa -n "__fish_openvpn_2fa_using_subcommand backup-codes" -s h -l help -d 'Print help'
complete -c openvpn-2fa -n "__fish_openvpn_2fa_using_subcommand list" -l config -d 'Settings file [default: /etc/openvpn-2fa/config.toml, if there is one]' -r -F
complete -c openvpn-2fa -n "__fish_openvpn_2fa_using_subcommand list" -l db -d 'Database, instead of the one in the settings' -r -F
complete -c openvpn-2fa -n "__fish_openvpn_2fa_using_subcommand list" -l json -d 'Print JSON'
complete -c openvpn-2fa -n "__fish_openvpn_2fa_using_subcommand list" -s h -l help -d 'Print help'
complete -c openvpn-2fa -n "__fish_openvpn_2fa_using_subcommand log" -s n -l lines -d 'How many decisions' -r
complete -c openvpn-2fa -n "__fish_openvpn_2fa_using_subcommand log" -l log-file -d 'A file of a syslog daemon, instead of what the machine has' -r -F
complete -c openvpn-2fa -n "__fish_openvpn_2fa_using_subcommand log" -l config -d 'Settings file [default: /etc/openvpn-2fa/config.toml, if there is one]' -r -F
complete -c openvpn-2fa -n "__fish_openvpn_2fa_using_subcommand log" -l db -d 'Database, instead of the one in the settings' -r -F
complete -c openvpn-2fa -n "__fish_openvpn_2fa_using_subcommand log" -l json -d 'Print JSON'
complete -c openvpn-2fa -n "__fish_openvpn_2fa_using_subcommand log" -s h -l help -d 'Print help'
complete -c openvpn-2fa -n "__fish_openvpn_2fa_using_subcommand show" -l config -d 'Settings file [default: /etc/openvpn-2fa/config.toml, if there is one]' -r -F
complete -c openvpn-2fa -n "__fish_openvpn_2fa_using_subcommand show" -l db -d 'Database, instead of the one in the settings' -r -F
complete -c openvpn-2fa -n "__fish_openvpn_2fa_using_subcommand show" -l secret -d 'Show the secret and the otpauth:// URI too'
complete -c openvpn-2fa -n "__fish_openvpn_2fa_using_subcommand show" -l json -d 'Print JSON'
complete -c openvpn-2fa -n "__fish_openvpn_2fa_using_subcommand show" -s h -l help -d 'Print help'
complete -c openvpn-2fa -n "__fish_openvpn_2fa_using_subcommand delete" -l token -d 'Remove only this one of several tokens, by its number in show' -r
complete -c openvpn-2fa -n "__fish_openvpn_2fa_using_subcommand delete" -l config -d 'Settings file [default: /etc/openvpn-2fa/config.toml, if there is one]' -r -F
complete -c openvpn-2fa -n "__fish_openvpn_2fa_using_subcommand delete" -l db -d 'Database, instead of the one in the settings' -r -F
complete -c openvpn-2fa -n "__fish_openvpn_2fa_using_subcommand delete" -s y -l yes -d 'Do not ask on the terminal; where there is none, nobody is asked anyway'
complete -c openvpn-2fa -n "__fish_openvpn_2fa_using_subcommand delete" -l json -d 'Print JSON'
complete -c openvpn-2fa -n "__fish_openvpn_2fa_using_subcommand delete" -s h -l help -d 'Print help'
complete -c openvpn-2fa -n "__fish_openvpn_2fa_using_subcommand unlock" -l config -d 'Settings file [default: /etc/openvpn-2fa/config.toml, if there is one]' -r -F
complete -c openvpn-2fa -n "__fish_openvpn_2fa_using_subcommand unlock" -l db -d 'Database, instead of the one in the settings' -r -F
complete -c openvpn-2fa -n "__fish_openvpn_2fa_using_subcommand unlock" -l json -d 'Print JSON'
complete -c openvpn-2fa -n "__fish_openvpn_2fa_using_subcommand unlock" -s h -l help -d 'Print help'
complete -c openvpn-2fa -n "__fish_openvpn_2fa_using_subcommand disable" -l config -d 'Settings file [default: /etc/openvpn-2fa/config.toml, if there is one]' -r -F
complete -c openvpn-2fa -n "__fish_openvpn_2fa_using_subcommand disable" -l db -d 'Database, instead of the one in the settings' -r -F
complete -c openvpn-2fa -n "__fish_openvpn_2fa_using_subcommand disable" -l json -d 'Print JSON'
complete -c openvpn-2fa -n "__fish_openvpn_2fa_using_subcommand disable" -s h -l help -d 'Print help'
complete -c openvpn-2fa -n "__fish_openvpn_2fa_using_subcommand enable" -l config -d 'Settings file [default: /etc/openvpn-2fa/config.toml, if there is one]' -r -F
complete -c openvpn-2fa -n "__fish_openvpn_2fa_using_subcommand enable" -l db -d 'Database, instead of the one in the settings' -r -F
complete -c openvpn-2fa -n "__fish_openvpn_2fa_using_subcommand enable" -l json -d 'Print JSON'
complete -c openvpn-2fa -n "__fish_openvpn_2fa_using_subcommand enable" -s h -l help -d 'Print help'
complete -c openvpn-2fa -n "__fish_openvpn_2fa_using_subcommand rename" -l config -d 'Settings file [default: /etc/openvpn-2fa/config.toml, if there is one]' -r -F
complete -c openvpn-2fa -n "__fish_openvpn_2fa_using_subcommand rename" -l db -d 'Database, instead of the one in the settings' -r -F
complete -c openvpn-2fa -n "__fish_openvpn_2fa_using_subcommand rename" -l json -d 'Print JSON'
complete -c openvpn-2fa -n "__fish_openvpn_2fa_using_subcommand rename" -s h -l help -d 'Print help'
complete -c openvpn-2fa -n "__fish_openvpn_2fa_using_subcommand set" -l factor -d 'The second factor: totp, duo, or default (as in the settings)' -r -f -a "totp\t'Codes of an authenticator app'
duo\t'Duo'
default\t'As in the settings'"
complete -c openvpn-2fa -n "__fish_openvpn_2fa_using_subcommand set" -l config -d 'Settings file [default: /etc/openvpn-2fa/config.toml, if there is one]' -r -F
complete -c openvpn-2fa -n "__fish_openvpn_2fa_using_subcommand set" -l db -d 'Database, instead of the one in the settings' -r -F
complete -c openvpn-2fa -n "__fish_openvpn_2fa_using_subcommand set" -l json -d 'Print JSON'
complete -c openvpn-2fa -n "__fish_openvpn_2fa_using_subcommand set" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c openvpn-2fa -n "__fish_openvpn_2fa_using_subcommand new-key" -l config -d 'Settings file [default: /etc/openvpn-2fa/config.toml, if there is one]' -r -F
complete -c openvpn-2fa -n "__fish_openvpn_2fa_using_subcommand new-key" -l db -d 'Database, instead of the one in the settings' -r -F
complete -c openvpn-2fa -n "__fish_openvpn_2fa_using_subcommand new-key" -l json -d 'Print JSON'
complete -c openvpn-2fa -n "__fish_openvpn_2fa_using_subcommand new-key" -s h -l help -d 'Print help'
complete -c openvpn-2fa -n "__fish_openvpn_2fa_using_subcommand rekey" -l old-key-file -d 'The key that the secrets are encrypted with so far, where the settings name a new one' -r -F
complete -c openvpn-2fa -n "__fish_openvpn_2fa_using_subcommand rekey" -l config -d 'Settings file [default: /etc/openvpn-2fa/config.toml, if there is one]' -r -F
complete -c openvpn-2fa -n "__fish_openvpn_2fa_using_subcommand rekey" -l db -d 'Database, instead of the one in the settings' -r -F
complete -c openvpn-2fa -n "__fish_openvpn_2fa_using_subcommand rekey" -l remove -d 'Store the secrets as they are, without encryption'
complete -c openvpn-2fa -n "__fish_openvpn_2fa_using_subcommand rekey" -s y -l yes -d 'Do not ask on the terminal; where there is none, nobody is asked anyway'
complete -c openvpn-2fa -n "__fish_openvpn_2fa_using_subcommand rekey" -l json -d 'Print JSON'
complete -c openvpn-2fa -n "__fish_openvpn_2fa_using_subcommand rekey" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c openvpn-2fa -n "__fish_openvpn_2fa_using_subcommand import" -l format -d 'What the files are: google-authenticator, oath, openvpn-otp, pickle, sqlite, uris or migration; guessed from the content otherwise' -r -f -a "google-authenticator\t'`~/.google_authenticator` of libpam-google-authenticator; one file a user'
oath\t'`users.oath` of `pam_oath` (oath-toolkit)'
openvpn-otp\t'`otp-secrets` of openvpn-otp and ppp-otp'
pickle\t'A Python pickle of a dictionary: user to base32 secret'
sqlite\t'An SQLite database with a column of users and one of secrets'
uris\t'A list of otpauth:// URIs, one a line; also an encrypted `export`'
migration\t'Google Authenticator\'s export, otpauth-migration:// URIs, one a line'"
complete -c openvpn-2fa -n "__fish_openvpn_2fa_using_subcommand import" -l user -d 'Whose secret it is, when the files hold only one; otherwise it is as the file says, and with google-authenticator the user in whose home directory the file is, or the file\'s name' -r
complete -c openvpn-2fa -n "__fish_openvpn_2fa_using_subcommand import" -l issuer -d 'Of URIs, take only those of this service' -r
complete -c openvpn-2fa -n "__fish_openvpn_2fa_using_subcommand import" -l table -d 'The table, in an SQLite database' -r
complete -c openvpn-2fa -n "__fish_openvpn_2fa_using_subcommand import" -l user-column -d 'The column of users, in an SQLite database' -r
complete -c openvpn-2fa -n "__fish_openvpn_2fa_using_subcommand import" -l secret-column -d 'The column of secrets, in an SQLite database' -r
complete -c openvpn-2fa -n "__fish_openvpn_2fa_using_subcommand import" -l digits -d 'Digits of a code, where the file does not say' -r
complete -c openvpn-2fa -n "__fish_openvpn_2fa_using_subcommand import" -l period -d 'Seconds for which a code counts, where the file does not say' -r
complete -c openvpn-2fa -n "__fish_openvpn_2fa_using_subcommand import" -l passphrase-file -d 'The passphrase of an encrypted export is the first line of this file; it is asked for otherwise' -r -F
complete -c openvpn-2fa -n "__fish_openvpn_2fa_using_subcommand import" -l config -d 'Settings file [default: /etc/openvpn-2fa/config.toml, if there is one]' -r -F
complete -c openvpn-2fa -n "__fish_openvpn_2fa_using_subcommand import" -l db -d 'Database, instead of the one in the settings' -r -F
complete -c openvpn-2fa -n "__fish_openvpn_2fa_using_subcommand import" -l dry-run -d 'Change nothing, and say what would be done'
complete -c openvpn-2fa -n "__fish_openvpn_2fa_using_subcommand import" -l force -d 'Replace the enrolments of users who are enrolled already'
complete -c openvpn-2fa -n "__fish_openvpn_2fa_using_subcommand import" -s y -l yes -d 'Do not ask on the terminal; where there is none, nobody is asked anyway'
complete -c openvpn-2fa -n "__fish_openvpn_2fa_using_subcommand import" -l json -d 'Print JSON'
complete -c openvpn-2fa -n "__fish_openvpn_2fa_using_subcommand import" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c openvpn-2fa -n "__fish_openvpn_2fa_using_subcommand export" -l passphrase-file -d 'The passphrase is the first line of this file; it is asked for twice otherwise' -r -F
complete -c openvpn-2fa -n "__fish_openvpn_2fa_using_subcommand export" -l config -d 'Settings file [default: /etc/openvpn-2fa/config.toml, if there is one]' -r -F
complete -c openvpn-2fa -n "__fish_openvpn_2fa_using_subcommand export" -l db -d 'Database, instead of the one in the settings' -r -F
complete -c openvpn-2fa -n "__fish_openvpn_2fa_using_subcommand export" -l plain -d 'Print the secrets as they are, not encrypted'
complete -c openvpn-2fa -n "__fish_openvpn_2fa_using_subcommand export" -l json -d 'Print JSON'
complete -c openvpn-2fa -n "__fish_openvpn_2fa_using_subcommand export" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c openvpn-2fa -n "__fish_openvpn_2fa_using_subcommand backup" -l config -d 'Settings file [default: /etc/openvpn-2fa/config.toml, if there is one]' -r -F
complete -c openvpn-2fa -n "__fish_openvpn_2fa_using_subcommand backup" -l db -d 'Database, instead of the one in the settings' -r -F
complete -c openvpn-2fa -n "__fish_openvpn_2fa_using_subcommand backup" -l json -d 'Print JSON'
complete -c openvpn-2fa -n "__fish_openvpn_2fa_using_subcommand backup" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c openvpn-2fa -n "__fish_openvpn_2fa_using_subcommand restore" -l config -d 'Settings file [default: /etc/openvpn-2fa/config.toml, if there is one]' -r -F
complete -c openvpn-2fa -n "__fish_openvpn_2fa_using_subcommand restore" -l db -d 'Database, instead of the one in the settings' -r -F
complete -c openvpn-2fa -n "__fish_openvpn_2fa_using_subcommand restore" -s y -l yes -d 'Do not ask on the terminal; where there is none, nobody is asked anyway'
complete -c openvpn-2fa -n "__fish_openvpn_2fa_using_subcommand restore" -l json -d 'Print JSON'
complete -c openvpn-2fa -n "__fish_openvpn_2fa_using_subcommand restore" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c openvpn-2fa -n "__fish_openvpn_2fa_using_subcommand check; and not __fish_seen_subcommand_from duo login help" -l server-conf -d 'OpenVPN\'s server configuration; may be given again [default: those in /etc/openvpn/server and /etc/openvpn]' -r -F
complete -c openvpn-2fa -n "__fish_openvpn_2fa_using_subcommand check; and not __fish_seen_subcommand_from duo login help" -l config -d 'Settings file [default: /etc/openvpn-2fa/config.toml, if there is one]' -r -F
complete -c openvpn-2fa -n "__fish_openvpn_2fa_using_subcommand check; and not __fish_seen_subcommand_from duo login help" -l db -d 'Database, instead of the one in the settings' -r -F
complete -c openvpn-2fa -n "__fish_openvpn_2fa_using_subcommand check; and not __fish_seen_subcommand_from duo login help" -l as-openvpn -d 'Try also what hooks can do, as OpenVPN\'s user and in the sandbox of its unit; needs root'
complete -c openvpn-2fa -n "__fish_openvpn_2fa_using_subcommand check; and not __fish_seen_subcommand_from duo login help" -l json -d 'Print JSON'
complete -c openvpn-2fa -n "__fish_openvpn_2fa_using_subcommand check; and not __fish_seen_subcommand_from duo login help" -s h -l help -d 'Print help'
complete -c openvpn-2fa -n "__fish_openvpn_2fa_using_subcommand check; and not __fish_seen_subcommand_from duo login help" -f -a "duo" -d 'Reach Duo, and try the keys; with a user, see what Duo says of them'
complete -c openvpn-2fa -n "__fish_openvpn_2fa_using_subcommand check; and not __fish_seen_subcommand_from duo login help" -f -a "login" -d 'Log in as a user does, and say at each step what happened'
complete -c openvpn-2fa -n "__fish_openvpn_2fa_using_subcommand check; and not __fish_seen_subcommand_from duo login help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c openvpn-2fa -n "__fish_openvpn_2fa_using_subcommand check; and __fish_seen_subcommand_from duo" -l config -d 'Settings file [default: /etc/openvpn-2fa/config.toml, if there is one]' -r -F
complete -c openvpn-2fa -n "__fish_openvpn_2fa_using_subcommand check; and __fish_seen_subcommand_from duo" -l db -d 'Database, instead of the one in the settings' -r -F
complete -c openvpn-2fa -n "__fish_openvpn_2fa_using_subcommand check; and __fish_seen_subcommand_from duo" -l push -d 'Send the user a push, and wait for the answer'
complete -c openvpn-2fa -n "__fish_openvpn_2fa_using_subcommand check; and __fish_seen_subcommand_from duo" -l json -d 'Print JSON'
complete -c openvpn-2fa -n "__fish_openvpn_2fa_using_subcommand check; and __fish_seen_subcommand_from duo" -s h -l help -d 'Print help'
complete -c openvpn-2fa -n "__fish_openvpn_2fa_using_subcommand check; and __fish_seen_subcommand_from login" -l common-name -d 'The common name of the certificate, where the settings look at it [default: the user]' -r
complete -c openvpn-2fa -n "__fish_openvpn_2fa_using_subcommand check; and __fish_seen_subcommand_from login" -l server-conf -d 'The server whose settings count [default: the only one in /etc/openvpn/server and /etc/openvpn]' -r -F
complete -c openvpn-2fa -n "__fish_openvpn_2fa_using_subcommand check; and __fish_seen_subcommand_from login" -l config -d 'Settings file [default: /etc/openvpn-2fa/config.toml, if there is one]' -r -F
complete -c openvpn-2fa -n "__fish_openvpn_2fa_using_subcommand check; and __fish_seen_subcommand_from login" -l db -d 'Database, instead of the one in the settings' -r -F
complete -c openvpn-2fa -n "__fish_openvpn_2fa_using_subcommand check; and __fish_seen_subcommand_from login" -l json -d 'Print JSON'
complete -c openvpn-2fa -n "__fish_openvpn_2fa_using_subcommand check; and __fish_seen_subcommand_from login" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c openvpn-2fa -n "__fish_openvpn_2fa_using_subcommand check; and __fish_seen_subcommand_from help" -f -a "duo" -d 'Reach Duo, and try the keys; with a user, see what Duo says of them'
complete -c openvpn-2fa -n "__fish_openvpn_2fa_using_subcommand check; and __fish_seen_subcommand_from help" -f -a "login" -d 'Log in as a user does, and say at each step what happened'
complete -c openvpn-2fa -n "__fish_openvpn_2fa_using_subcommand check; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c openvpn-2fa -n "__fish_openvpn_2fa_using_subcommand doctor; and not __fish_seen_subcommand_from duo login help" -l server-conf -d 'OpenVPN\'s server configuration; may be given again [default: those in /etc/openvpn/server and /etc/openvpn]' -r -F
complete -c openvpn-2fa -n "__fish_openvpn_2fa_using_subcommand doctor; and not __fish_seen_subcommand_from duo login help" -l config -d 'Settings file [default: /etc/openvpn-2fa/config.toml, if there is one]' -r -F
complete -c openvpn-2fa -n "__fish_openvpn_2fa_using_subcommand doctor; and not __fish_seen_subcommand_from duo login help" -l db -d 'Database, instead of the one in the settings' -r -F
complete -c openvpn-2fa -n "__fish_openvpn_2fa_using_subcommand doctor; and not __fish_seen_subcommand_from duo login help" -l as-openvpn -d 'Try also what hooks can do, as OpenVPN\'s user and in the sandbox of its unit; needs root'
complete -c openvpn-2fa -n "__fish_openvpn_2fa_using_subcommand doctor; and not __fish_seen_subcommand_from duo login help" -l json -d 'Print JSON'
complete -c openvpn-2fa -n "__fish_openvpn_2fa_using_subcommand doctor; and not __fish_seen_subcommand_from duo login help" -s h -l help -d 'Print help'
complete -c openvpn-2fa -n "__fish_openvpn_2fa_using_subcommand doctor; and not __fish_seen_subcommand_from duo login help" -f -a "duo" -d 'Reach Duo, and try the keys; with a user, see what Duo says of them'
complete -c openvpn-2fa -n "__fish_openvpn_2fa_using_subcommand doctor; and not __fish_seen_subcommand_from duo login help" -f -a "login" -d 'Log in as a user does, and say at each step what happened'
complete -c openvpn-2fa -n "__fish_openvpn_2fa_using_subcommand doctor; and not __fish_seen_subcommand_from duo login help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c openvpn-2fa -n "__fish_openvpn_2fa_using_subcommand doctor; and __fish_seen_subcommand_from duo" -l config -d 'Settings file [default: /etc/openvpn-2fa/config.toml, if there is one]' -r -F
complete -c openvpn-2fa -n "__fish_openvpn_2fa_using_subcommand doctor; and __fish_seen_subcommand_from duo" -l db -d 'Database, instead of the one in the settings' -r -F
complete -c openvpn-2fa -n "__fish_openvpn_2fa_using_subcommand doctor; and __fish_seen_subcommand_from duo" -l push -d 'Send the user a push, and wait for the answer'
complete -c openvpn-2fa -n "__fish_openvpn_2fa_using_subcommand doctor; and __fish_seen_subcommand_from duo" -l json -d 'Print JSON'
complete -c openvpn-2fa -n "__fish_openvpn_2fa_using_subcommand doctor; and __fish_seen_subcommand_from duo" -s h -l help -d 'Print help'
complete -c openvpn-2fa -n "__fish_openvpn_2fa_using_subcommand doctor; and __fish_seen_subcommand_from login" -l common-name -d 'The common name of the certificate, where the settings look at it [default: the user]' -r
complete -c openvpn-2fa -n "__fish_openvpn_2fa_using_subcommand doctor; and __fish_seen_subcommand_from login" -l server-conf -d 'The server whose settings count [default: the only one in /etc/openvpn/server and /etc/openvpn]' -r -F
complete -c openvpn-2fa -n "__fish_openvpn_2fa_using_subcommand doctor; and __fish_seen_subcommand_from login" -l config -d 'Settings file [default: /etc/openvpn-2fa/config.toml, if there is one]' -r -F
complete -c openvpn-2fa -n "__fish_openvpn_2fa_using_subcommand doctor; and __fish_seen_subcommand_from login" -l db -d 'Database, instead of the one in the settings' -r -F
complete -c openvpn-2fa -n "__fish_openvpn_2fa_using_subcommand doctor; and __fish_seen_subcommand_from login" -l json -d 'Print JSON'
complete -c openvpn-2fa -n "__fish_openvpn_2fa_using_subcommand doctor; and __fish_seen_subcommand_from login" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c openvpn-2fa -n "__fish_openvpn_2fa_using_subcommand doctor; and __fish_seen_subcommand_from help" -f -a "duo" -d 'Reach Duo, and try the keys; with a user, see what Duo says of them'
complete -c openvpn-2fa -n "__fish_openvpn_2fa_using_subcommand doctor; and __fish_seen_subcommand_from help" -f -a "login" -d 'Log in as a user does, and say at each step what happened'
complete -c openvpn-2fa -n "__fish_openvpn_2fa_using_subcommand doctor; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c openvpn-2fa -n "__fish_openvpn_2fa_using_subcommand verify" -l config -d 'Settings file [default: /etc/openvpn-2fa/config.toml, if there is one]' -r -F
complete -c openvpn-2fa -n "__fish_openvpn_2fa_using_subcommand verify" -l db -d 'Database, instead of the one in the settings' -r -F
complete -c openvpn-2fa -n "__fish_openvpn_2fa_using_subcommand verify" -l json -d 'Print JSON'
complete -c openvpn-2fa -n "__fish_openvpn_2fa_using_subcommand verify" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c openvpn-2fa -n "__fish_openvpn_2fa_using_subcommand help; and not __fish_seen_subcommand_from enroll confirm backup-codes list log show delete unlock disable enable rename set new-key rekey import export backup restore check verify help" -f -a "enroll" -d 'Make a secret for a user: prints the name, the base32 secret and the otpauth:// URI, one line each'
complete -c openvpn-2fa -n "__fish_openvpn_2fa_using_subcommand help; and not __fish_seen_subcommand_from enroll confirm backup-codes list log show delete unlock disable enable rename set new-key rekey import export backup restore check verify help" -f -a "confirm" -d 'See whether a user\'s app makes the right codes, and how far its clock is off'
complete -c openvpn-2fa -n "__fish_openvpn_2fa_using_subcommand help; and not __fish_seen_subcommand_from enroll confirm backup-codes list log show delete unlock disable enable rename set new-key rekey import export backup restore check verify help" -f -a "backup-codes" -d 'Make new backup codes for a user, one a line; the old ones are void'
complete -c openvpn-2fa -n "__fish_openvpn_2fa_using_subcommand help; and not __fish_seen_subcommand_from enroll confirm backup-codes list log show delete unlock disable enable rename set new-key rekey import export backup restore check verify help" -f -a "list" -d 'List the enrolled users, one line each, the name first'
complete -c openvpn-2fa -n "__fish_openvpn_2fa_using_subcommand help; and not __fish_seen_subcommand_from enroll confirm backup-codes list log show delete unlock disable enable rename set new-key rekey import export backup restore check verify help" -f -a "log" -d 'Show the last decisions about a user, from the journal or /var/log/auth.log'
complete -c openvpn-2fa -n "__fish_openvpn_2fa_using_subcommand help; and not __fish_seen_subcommand_from enroll confirm backup-codes list log show delete unlock disable enable rename set new-key rekey import export backup restore check verify help" -f -a "show" -d 'Show what is stored about a user'
complete -c openvpn-2fa -n "__fish_openvpn_2fa_using_subcommand help; and not __fish_seen_subcommand_from enroll confirm backup-codes list log show delete unlock disable enable rename set new-key rekey import export backup restore check verify help" -f -a "delete" -d 'Remove a user\'s enrolment, and any question that still waits for an answer; or one of several tokens'
complete -c openvpn-2fa -n "__fish_openvpn_2fa_using_subcommand help; and not __fish_seen_subcommand_from enroll confirm backup-codes list log show delete unlock disable enable rename set new-key rekey import export backup restore check verify help" -f -a "unlock" -d 'Let a user try again at once who is locked after too many wrong codes'
complete -c openvpn-2fa -n "__fish_openvpn_2fa_using_subcommand help; and not __fish_seen_subcommand_from enroll confirm backup-codes list log show delete unlock disable enable rename set new-key rekey import export backup restore check verify help" -f -a "disable" -d 'Keep a user out, from now on; the enrolment stays'
complete -c openvpn-2fa -n "__fish_openvpn_2fa_using_subcommand help; and not __fish_seen_subcommand_from enroll confirm backup-codes list log show delete unlock disable enable rename set new-key rekey import export backup restore check verify help" -f -a "enable" -d 'Let a user in again who was disabled'
complete -c openvpn-2fa -n "__fish_openvpn_2fa_using_subcommand help; and not __fish_seen_subcommand_from enroll confirm backup-codes list log show delete unlock disable enable rename set new-key rekey import export backup restore check verify help" -f -a "rename" -d 'Give a user another name; the codes stay the same'
complete -c openvpn-2fa -n "__fish_openvpn_2fa_using_subcommand help; and not __fish_seen_subcommand_from enroll confirm backup-codes list log show delete unlock disable enable rename set new-key rekey import export backup restore check verify help" -f -a "set" -d 'Change which second factor a user has'
complete -c openvpn-2fa -n "__fish_openvpn_2fa_using_subcommand help; and not __fish_seen_subcommand_from enroll confirm backup-codes list log show delete unlock disable enable rename set new-key rekey import export backup restore check verify help" -f -a "new-key" -d 'Make a key to encrypt secrets with, in a new file'
complete -c openvpn-2fa -n "__fish_openvpn_2fa_using_subcommand help; and not __fish_seen_subcommand_from enroll confirm backup-codes list log show delete unlock disable enable rename set new-key rekey import export backup restore check verify help" -f -a "rekey" -d 'Encrypt every secret in the database with the key of the settings'
complete -c openvpn-2fa -n "__fish_openvpn_2fa_using_subcommand help; and not __fish_seen_subcommand_from enroll confirm backup-codes list log show delete unlock disable enable rename set new-key rekey import export backup restore check verify help" -f -a "import" -d 'Take over users and their secrets from other programs'
complete -c openvpn-2fa -n "__fish_openvpn_2fa_using_subcommand help; and not __fish_seen_subcommand_from enroll confirm backup-codes list log show delete unlock disable enable rename set new-key rekey import export backup restore check verify help" -f -a "export" -d 'Print users and secrets as otpauth:// URIs, encrypted with a passphrase'
complete -c openvpn-2fa -n "__fish_openvpn_2fa_using_subcommand help; and not __fish_seen_subcommand_from enroll confirm backup-codes list log show delete unlock disable enable rename set new-key rekey import export backup restore check verify help" -f -a "backup" -d 'Copy the database into a new file, while logins go on'
complete -c openvpn-2fa -n "__fish_openvpn_2fa_using_subcommand help; and not __fish_seen_subcommand_from enroll confirm backup-codes list log show delete unlock disable enable rename set new-key rekey import export backup restore check verify help" -f -a "restore" -d 'Put the content of a backup in place of what the database holds, while logins go on'
complete -c openvpn-2fa -n "__fish_openvpn_2fa_using_subcommand help; and not __fish_seen_subcommand_from enroll confirm backup-codes list log show delete unlock disable enable rename set new-key rekey import export backup restore check verify help" -f -a "check" -d 'Look at all that a login depends on, and say what to change; or at one thing'
complete -c openvpn-2fa -n "__fish_openvpn_2fa_using_subcommand help; and not __fish_seen_subcommand_from enroll confirm backup-codes list log show delete unlock disable enable rename set new-key rekey import export backup restore check verify help" -f -a "verify" -d 'Check a second factor for another program: a JSON request on standard input, the reply on standard output'
complete -c openvpn-2fa -n "__fish_openvpn_2fa_using_subcommand help; and not __fish_seen_subcommand_from enroll confirm backup-codes list log show delete unlock disable enable rename set new-key rekey import export backup restore check verify help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c openvpn-2fa -n "__fish_openvpn_2fa_using_subcommand help; and __fish_seen_subcommand_from check" -f -a "duo" -d 'Reach Duo, and try the keys; with a user, see what Duo says of them'
complete -c openvpn-2fa -n "__fish_openvpn_2fa_using_subcommand help; and __fish_seen_subcommand_from check" -f -a "login" -d 'Log in as a user does, and say at each step what happened'
