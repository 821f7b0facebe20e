//! JSON that means the same to everybody who reads it.

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};
use std::fmt;

/// A value in which no object names a field twice. Of two, some readers take the first and some the last, so that what
/// Duo says no to could be a yes here.
#[derive(Debug, Default)]
pub(super) struct Unambiguous(pub(super) Value);

impl<'de> Deserialize<'de> for Unambiguous {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyValue).map(Self)
    }
}

struct AnyValue;

impl<'de> Visitor<'de> for AnyValue {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E: Error>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(Unambiguous(item)) = items.next_element()? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some((name, Unambiguous(value))) = fields.next_entry::<String, _>()? {
            if object.insert(name, value).is_some() {
                return Err(Error::custom("a field is there twice"));
            }
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_read_as_ever() {
        for text in [
            "null",
            "true",
            "-3",
            "18446744073709551615",
            "1.5",
            r#""a\nb""#,
            "[]",
            r#"[1,[2,{}],"x"]"#,
            r#"{"a":{"a":1},"b":[{"a":2},{"a":3}]}"#,
        ] {
            let Unambiguous(value) = serde_json::from_str(text).unwrap();
            assert_eq!(value, serde_json::from_str::<Value>(text).unwrap());
        }
    }

    #[test]
    fn an_object_that_names_a_field_twice_is_none() {
        for text in [
            r#"{"result":"deny","result":"allow"}"#,
            r#"{"result":"allow","result":"allow"}"#,
            r#"{"result":1,"r\u0065sult":2}"#,
            r#"[{"a":{"b":1,"b":null}}]"#,
        ] {
            assert!(serde_json::from_str::<Unambiguous>(text).is_err(), "{text}");
        }
    }

    #[test]
    fn nesting_ends_before_the_stack_does() {
        let deep = "[".repeat(100_000) + &"]".repeat(100_000);
        assert!(serde_json::from_str::<Unambiguous>(&deep).is_err());
    }
}
