//! The command line.

/// What to run, and how often.
pub(crate) struct Arguments {
    letters: Vec<char>,
    rounds: Option<usize>,
    only: String,
}

impl Arguments {
    /// Letters from `a` to `e` (none: all of them), `--rounds N` and `--only TEXT`.
    ///
    /// The processes of an echo or a pinger have numbers there, which are none of ours.
    pub(crate) fn of_this_process() -> Result<Self, String> {
        let mut wanted = Self { letters: Vec::new(), rounds: None, only: String::new() };
        let mut given = std::env::args().skip(1);
        while let Some(argument) = given.next() {
            match argument.as_str() {
                // cargo's own
                "--bench" => {}
                "--rounds" => {
                    let rounds = given.next().and_then(|number| number.parse().ok());
                    wanted.rounds = Some(rounds.filter(|&n| n > 0).ok_or("--rounds needs a number above 0")?);
                }
                "--only" => wanted.only = given.next().ok_or("--only needs a text")?,
                "a" | "b" | "c" | "d" | "e" => wanted.letters.extend(argument.chars()),
                number if number.parse::<u64>().is_ok() => {}
                other => {
                    return Err(format!(
                        "neither a benchmark (a b c d e) n--rounds N or --only TEXT: {other}"
                    ));
                }
            }
        }
        Ok(wanted)
    }

    pub(crate) fn wants(&self, letter: char) -> bool {
        self.letters.is_empty() || self.letters.contains(&letter)
    }

    /// Whether the variant of this name is measured.
    pub(crate) fn wants_variant(&self, name: &str) -> bool {
        name.contains(&self.only)
    }

    /// How often to do everything: what the command line says, or `usual`.
    pub(crate) fn rounds(&self, usual: usize) -> usize {
        self.rounds.unwrap_or(usual)
    }
}
