//! The product's settings file, written key by key.

use std::collections::BTreeMap;
use std::fmt::Write;

/// Sections of keys of values in TOML's notation.
#[derive(Clone, Debug, Default)]
pub(crate) struct Settings(BTreeMap<String, BTreeMap<String, String>>);

/// A TOML value.
pub(crate) struct Value(String);

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        // Every JSON string is a TOML basic string.
        Self(serde_json::Value::from(text).to_string())
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self(number.to_string())
    }
}

impl From<bool> for Value {
    fn from(yes: bool) -> Self {
        Self(yes.to_string())
    }
}

impl Settings {
    pub(crate) fn set(&mut self, section: &str, key: &str, value: impl Into<Value>) {
        self.0.entry(section.into()).or_default().insert(key.into(), value.into().0);
    }

    /// Sets a key that nothing was said of.
    pub(crate) fn set_unless_set(&mut self, section: &str, key: &str, value: impl Into<Value>) {
        self.0.entry(section.into()).or_default().entry(key.into()).or_insert(value.into().0);
    }

    pub(crate) fn to_toml(&self) -> String {
        let mut text = String::new();
        for (section, keys) in &self.0 {
            let _infallible = writeln!(text, "[{section}]");
            for (key, value) in keys {
                let _infallible = writeln!(text, "{key} = {value}");
            }
        }
        text
    }
}
