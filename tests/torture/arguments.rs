//! The command line of `scripts/torture`.

use std::ffi::OsString;
use std::time::Duration;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Group {
    Kill,
    Errno,
    Disk,
    Clock,
    Resources,
    Race,
}

impl Group {
    const ALL: [(&str, Self); 6] = [
        ("race", Self::Race),
        ("disk", Self::Disk),
        ("clock", Self::Clock),
        ("resources", Self::Resources),
        ("kill", Self::Kill),
        ("errno", Self::Errno),
    ];
}

#[derive(Debug)]
pub(crate) struct Arguments {
    pub(crate) groups: Vec<Group>,
    pub(crate) seed: u64,
    pub(crate) rounds: usize,
    /// Rounds of `race`.
    pub(crate) races: usize,
    pub(crate) time: Duration,
    /// Some of it only, for the ordinary tests.
    pub(crate) quick: bool,
    /// One fault to be repeated.
    pub(crate) again: Option<String>,
    /// Whether to run in namespaces.
    pub(crate) sandbox: bool,
}

impl Arguments {
    pub(crate) fn parse(words: &[OsString]) -> Result<Self, String> {
        let mut arguments = Self {
            groups: Vec::new(),
            seed: std::process::id().into(),
            rounds: 2_000,
            races: 50,
            time: Duration::from_secs(30 * 60),
            quick: false,
            again: None,
            sandbox: rustix::process::geteuid().is_root(),
        };
        let mut words = words.iter().map(|word| word.to_string_lossy().into_owned());
        while let Some(word) = words.next() {
            let mut number = || -> Result<u64, String> {
                let value = words.next().ok_or_else(|| format!("{word} wants a number"))?;
                value.parse().map_err(|error| format!("{word} {value}: {error}"))
            };
            match word.as_str() {
                "--seed" => arguments.seed = number()?,
                "--rounds" => arguments.rounds = usize::try_from(number()?).unwrap_or(usize::MAX),
                "--minutes" => arguments.time = Duration::from_secs(number()? * 60),
                "--again" => arguments.again = words.next(),
                "--quick" => {
                    arguments.quick = true;
                    (arguments.seed, arguments.rounds, arguments.races) = (1, 30, 5);
                    arguments.groups = vec![Group::Race, Group::Kill, Group::Errno];
                    // Passwords take their time.
                    arguments.sandbox = false;
                }
                "--no-sandbox" => arguments.sandbox = false,
                group => match Group::ALL.iter().find(|(name, _)| *name == group) {
                    Some((_, group)) => arguments.groups.push(*group),
                    None => return Err(format!("no group or option: {group}")),
                },
            }
        }
        if arguments.groups.is_empty() {
            arguments.groups = Group::ALL.map(|(_, group)| group).to_vec();
        }
        Ok(arguments)
    }
}
