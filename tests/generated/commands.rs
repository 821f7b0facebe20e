//! The command line: man page and completions.

use super::kept;
use clap::CommandFactory;
use clap_complete::Shell;
use clap_mangen::Man;
use openvpn_2fa::cli::Cli;
use std::fmt::Write as _;

/// Commands that nobody types are in no manual.
fn visible(command: &clap::Command) -> impl Iterator<Item = &clap::Command> {
    command.get_subcommands().filter(|sub| !sub.is_hide_set() && sub.get_name() != "help")
}

#[test]
fn the_manual_page_says_what_the_program_takes() {
    let mut command = Cli::command().term_width(0);
    command.build();
    let mut page = Vec::new();
    // Without a date, so that it does not change by itself.
    let man = Man::new(command.clone())
        .title("openvpn-2fa")
        .section("8")
        .date("")
        .source("openvpn-2fa")
        .manual("System Administration");
    man.render_title(&mut page).unwrap();
    man.render_name_section(&mut page).unwrap();
    man.render_synopsis_section(&mut page).unwrap();
    man.render_description_section(&mut page).unwrap();
    man.render_options_section(&mut page).unwrap();
    let mut page = String::from_utf8(page).unwrap();
    page.push_str(".SH COMMANDS\n");
    for sub in visible(&command) {
        describe(&mut page, sub, sub.get_name());
    }
    page.push_str(&examples(&command));
    page.push_str(FILES);
    kept("contrib/man/openvpn-2fa.8", &page);
}

/// One command, and those below it.
fn describe(page: &mut String, command: &clap::Command, path: &str) {
    let below: Vec<_> = visible(command).collect();
    if !below.is_empty() {
        for sub in below {
            describe(page, sub, &format!("{path} {}", sub.get_name()));
        }
        return;
    }
    let usage = command.clone().render_usage().to_string();
    let arguments = usage.split_once(path).map_or("", |(_, rest)| rest.trim());
    writeln!(page, ".SS \"{path} {}\"", escaped(arguments)).unwrap();
    let about = command.get_long_about().or(command.get_about());
    writeln!(page, "{}.", escaped(&about.map(ToString::to_string).unwrap_or_default())).unwrap();
    for argument in command.get_arguments() {
        if argument.is_hide_set() || argument.is_global_set() || argument.get_id() == "help" {
            continue;
        }
        let names = match argument.get_long() {
            None => argument.get_value_names().map(|names| names[0].to_string()).unwrap_or_default(),
            Some(long) => {
                let short = argument.get_short().map(|short| format!("-{short}, ")).unwrap_or_default();
                let takes = argument.get_action().takes_values();
                let value =
                    argument.get_value_names().filter(|_| takes).map(|names| format!(" {}", names[0]));
                format!("{short}--{long}{}", value.unwrap_or_default())
            }
        };
        let help =
            argument.get_long_help().or(argument.get_help()).map(ToString::to_string).unwrap_or_default();
        writeln!(page, ".TP\n\\fB{}\\fR\n{}", escaped(&names), escaped(&help)).unwrap();
    }
}

fn examples(command: &clap::Command) -> String {
    let text = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    let lines: Vec<_> = text.lines().map(escaped).collect();
    format!(".SH EXAMPLES\n.nf\n{}\n.fi\n", lines.join("\n"))
}

const FILES: &str = "\
.SH FILES
.TP
/etc/openvpn\\-2fa/config.toml
Settings, see \\fBopenvpn\\-2fa.toml\\fR(5). Nothing has to be set.
.TP
/var/lib/openvpn\\-totp/token_index.sqlite3
The database of users and their secrets.
.TP
/etc/pam.d/openvpn
The PAM service that checks passwords.
.SH SEE ALSO
\\fBopenvpn\\-2fa.toml\\fR(5), \\fBopenvpn\\fR(8), \\fBpam\\fR(8)
";

/// Text that troff shows as it is.
pub(super) fn escaped(text: &str) -> String {
    let text = text.replace('\\', "\\(rs").replace('-', "\\-");
    let guarded = |line: &str| {
        if line.starts_with(['.', '\'']) { format!("\\&{line}") } else { line.to_owned() }
    };
    text.lines().map(guarded).collect::<Vec<_>>().join("\n")
}

#[test]
fn shells_complete_what_the_program_takes() {
    for (shell, path) in [
        (Shell::Bash, "contrib/completions/openvpn-2fa.bash"),
        (Shell::Zsh, "contrib/completions/_openvpn-2fa"),
        (Shell::Fish, "contrib/completions/openvpn-2fa.fish"),
    ] {
        let mut script = Vec::new();
        // Hidden commands are left out: the program starts them itself.
        let mut command = without_hidden(&Cli::command());
        clap_complete::generate(shell, &mut command, "openvpn-2fa", &mut script);
        kept(path, &String::from_utf8(script).unwrap());
    }
}

fn without_hidden(command: &clap::Command) -> clap::Command {
    let hidden: Vec<String> = command
        .get_subcommands()
        .filter(|sub| sub.is_hide_set())
        .map(|sub| sub.get_name().to_owned())
        .collect();
    let kept: Vec<clap::Command> = command
        .get_subcommands()
        .filter(|sub| !hidden.iter().any(|name| name == sub.get_name()))
        .cloned()
        .collect();
    let arguments: Vec<clap::Arg> = command.get_arguments().cloned().collect();
    clap::Command::new("openvpn-2fa").args(arguments).subcommands(kept)
}

#[test]
fn every_command_says_what_it_does_and_every_option_what_it_is_for() {
    fn check(command: &clap::Command) {
        assert!(command.get_about().is_some(), "{}", command.get_name());
        for argument in command.get_arguments() {
            assert!(argument.get_help().is_some(), "{} {}", command.get_name(), argument.get_id());
        }
        visible(command).for_each(check);
    }
    check(&Cli::command());
}
