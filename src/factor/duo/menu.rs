//! What a user can choose from, how it is put into one line, and what an answer means. Pure.

use super::{Capability, Choices, DeviceChoice, Factor, Prompt, Transaction};
use crate::secret::{ExposeSecret, SecretBytes, secret};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

/// How many digits a passcode has: Duo's own have 6 to 9.
const PASSCODE_DIGITS: std::ops::RangeInclusive<usize> = 6..=16;

/// How many letters a passcode has that a `YubiKey` types: 44, less where its public part is shorter.
const PASSCODE_LETTERS: std::ops::RangeInclusive<usize> = 32..=64;

/// What a user can choose from.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Menu {
    options: Vec<MenuOption>,
    /// Duo's own prompt, where it sent one.
    prompt: Option<Prompt>,
    /// To be sent back with the factor.
    transaction: Option<Transaction>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct MenuOption {
    kind: Kind,
    device: String,
    label: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Kind {
    Push,
    Phone,
    Sms,
}

impl Kind {
    const ALL: [Self; 3] = [Self::Push, Self::Phone, Self::Sms];

    fn word(self) -> &'static str {
        match self {
            Self::Push => "push",
            Self::Phone => "phone",
            Self::Sms => "sms",
        }
    }

    fn capability(self) -> Capability {
        match self {
            Self::Push => Capability::Push,
            Self::Phone => Capability::Phone,
            Self::Sms => Capability::Sms,
        }
    }

    /// The kind that a typed word begins with, and what follows it.
    fn strip(word: &str) -> Option<(Self, &str)> {
        let words = [
            (Self::Push, "push"),
            (Self::Phone, "phone"),
            (Self::Phone, "call"),
            (Self::Phone, "voice"),
            (Self::Sms, "smsrefresh"),
            (Self::Sms, "sms"),
            (Self::Sms, "text"),
        ];
        words.iter().find_map(|(kind, name)| Some((*kind, word.strip_prefix(name)?)))
    }
}

/// What an answer means.
#[derive(Debug)]
pub enum Choice {
    /// Duo's choice.
    Default,
    /// Duo Push; the device is Duo's choice where none is named.
    Push(Option<String>),
    /// A call.
    Phone(Option<String>),
    /// Passcodes by text message.
    Sms(Option<String>),
    /// A passcode.
    Passcode(SecretBytes),
    /// An entry of Duo's own prompt.
    Prompt(String),
}

impl Choice {
    fn new(kind: Kind, device: Option<String>) -> Self {
        match kind {
            Kind::Push => Self::Push(device),
            Kind::Phone => Self::Phone(device),
            Kind::Sms => Self::Sms(device),
        }
    }

    /// The choice as Duo is asked for it.
    #[must_use]
    pub fn factor(&self) -> Factor<'_> {
        match self {
            Self::Default => Factor::Auto,
            Self::Push(id) => Factor::Push(device(id.as_ref())),
            Self::Phone(id) => Factor::Phone(device(id.as_ref())),
            Self::Sms(id) => Factor::Sms(device(id.as_ref())),
            Self::Passcode(code) => Factor::Passcode(code),
            Self::Prompt(entry) => Factor::Prompt(entry),
        }
    }

    /// Whether a telephone rings or lights up for it, and waits for its owner.
    #[must_use]
    pub fn waits_for_a_person(&self) -> bool {
        match self {
            Self::Default | Self::Push(_) | Self::Phone(_) => true,
            Self::Sms(_) | Self::Passcode(_) => false,
            Self::Prompt(entry) => !matches!(Kind::strip(entry), Some((Kind::Sms, _))),
        }
    }
}

/// How a menu is put into words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// With the user's devices.
    Full,
    /// The words only.
    Short,
}

impl Menu {
    /// The menu of what Duo says that a user can do.
    #[must_use]
    pub fn new(choices: Choices) -> Self {
        let options = choices.devices.iter().flat_map(|device| {
            let able = Kind::ALL.into_iter().filter(|kind| device.capabilities.contains(&kind.capability()));
            able.map(|kind| MenuOption { kind, device: device.id.clone(), label: one_line(&device.label) })
        });
        Self { options: options.collect(), prompt: choices.prompt, transaction: choices.transaction }
    }

    /// The transaction of the look-up.
    #[must_use]
    pub fn transaction(&self) -> Option<&Transaction> {
        self.transaction.as_ref()
    }

    /// The question, in one line of at most `room` bytes: Duo's own words where it sent some, else the user's devices
    /// with numbers, else the words alone, whatever fits first.
    #[must_use]
    pub fn question(&self, style: Style, user: &str, room: usize) -> String {
        let own = self.prompt.as_ref().map(|prompt| one_line(&prompt.text));
        let full = own.unwrap_or_else(|| self.numbered(user));
        let mut forms = vec![self.compact(), "Duo passcode, push, phone or sms".to_owned()];
        if style == Style::Full {
            forms.insert(0, full);
        }
        forms
            .into_iter()
            .find(|text| !text.is_empty() && text.len() <= room)
            .unwrap_or_else(|| "Duo".to_owned())
    }

    fn numbered(&self, user: &str) -> String {
        let options = self.options.iter().enumerate().map(|(index, option)| {
            let label = if option.label.is_empty() { "device" } else { &option.label };
            format!("{} {} {label}", index + 1, option.kind.word())
        });
        let options: Vec<String> = options.collect();
        match options.as_slice() {
            [] => format!("Duo passcode for {}", one_line(user)),
            options => format!("Duo login for {}. Passcode, or {}", one_line(user), options.join(", ")),
        }
    }

    fn compact(&self) -> String {
        let words: Vec<String> = match &self.prompt {
            Some(prompt) => prompt.factors.iter().map(|(typed, _)| one_line(typed)).collect(),
            None => (0..self.options.len()).map(|index| self.word_of(index)).collect(),
        };
        match words.as_slice() {
            [] => "Duo passcode".to_owned(),
            words => format!("Duo - {} or passcode", words.join(", ")),
        }
    }

    /// The word for an option: `push2` for the second device that takes a push.
    fn word_of(&self, index: usize) -> String {
        let kind = self.options[index].kind;
        let number = self.options[..=index].iter().filter(|option| option.kind == kind).count();
        format!("{}{number}", kind.word())
    }

    /// What an answer means; `None` when it is neither an option nor a possible passcode.
    #[must_use]
    pub fn choose(&self, answer: &SecretBytes) -> Option<Choice> {
        let typed = Zeroizing::new(String::from_utf8(answer.expose_secret().to_vec()).ok()?);
        let typed = Zeroizing::new(typed.split_whitespace().collect::<String>());
        let word = Zeroizing::new(typed.to_ascii_lowercase());
        if word.is_empty() || *word == "auto" {
            return Some(self.default_choice());
        }
        if let Some(prompt) = &self.prompt
            && let Some(entry) = prompt.entry(&word)
        {
            return Some(Choice::Prompt(entry.to_owned()));
        }
        // Longer numbers are passcodes.
        if word.len() <= 3 && word.bytes().all(|byte| byte.is_ascii_digit()) {
            let option = self.options.get(word.parse::<usize>().ok()?.checked_sub(1)?)?;
            return Some(Choice::new(option.kind, Some(option.device.clone())));
        }
        if let Some((kind, number)) = Kind::strip(&word)
            && number.bytes().all(|byte| byte.is_ascii_digit())
        {
            return self.of_kind(kind, number);
        }
        let digits = PASSCODE_DIGITS.contains(&typed.len()) && typed.bytes().all(|b| b.is_ascii_digit());
        let letters =
            PASSCODE_LETTERS.contains(&typed.len()) && typed.bytes().all(|b| b.is_ascii_alphabetic());
        (digits || letters).then(|| Choice::Passcode(secret(typed.as_bytes())))
    }

    /// What an empty answer means, and what is sent where nobody is asked.
    #[must_use]
    pub fn default_choice(&self) -> Choice {
        let entry = self.prompt.as_ref().and_then(|prompt| prompt.default.clone());
        entry.map_or(Choice::Default, Choice::Prompt)
    }

    /// `push` leaves the device to Duo; `push1` is the first that can.
    fn of_kind(&self, kind: Kind, number: &str) -> Option<Choice> {
        if number.is_empty() {
            return Some(Choice::new(kind, None));
        }
        let number = number.parse::<usize>().ok()?.checked_sub(1)?;
        let option = self.options.iter().filter(|option| option.kind == kind).nth(number)?;
        Some(Choice::new(kind, Some(option.device.clone())))
    }
}

impl Prompt {
    /// The entry that an answer names: by what is to be typed, or by what it stands for (`push1`), a first device's
    /// number left out or not.
    fn entry(&self, word: &str) -> Option<&str> {
        if let Some((_, entry)) = self.factors.iter().find(|(typed, _)| typed == word) {
            return Some(entry);
        }
        let (kind, number) = Kind::strip(word)?;
        let number = if number.is_empty() { "1" } else { number };
        let mut entries = self.factors.iter().map(|(_, entry)| entry.as_str());
        entries.find(|entry| Kind::strip(entry) == Some((kind, number)))
    }
}

fn device(id: Option<&String>) -> DeviceChoice<'_> {
    id.map_or(DeviceChoice::Auto, |id| DeviceChoice::Id(id))
}

/// Text from Duo in one line that every client shows: some cut a question at a colon, a quote or a bracket.
#[must_use]
pub fn one_line(text: &str) -> String {
    let lines = text.lines().map(|line| {
        let kept = line.chars().filter(|c| !matches!(c, ':' | '\'' | '"' | ']' | '[' | '\\'));
        kept.map(|c| if c.is_control() { ' ' } else { c }).collect::<String>()
    });
    let words = |line: String| line.split_whitespace().collect::<Vec<_>>().join(" ");
    let lines: Vec<String> = lines.map(words).filter(|line| !line.is_empty()).collect();
    lines.join(", ")
}

#[cfg(test)]
mod tests;
