//! A Python pickle of `{user: secret}`, as the older Python script has it.
//!
//! A pickle is a program for a stack machine that can call anything in Python. This reads the instructions that put
//! together dictionaries, lists, tuples, texts, bytes and numbers (`pickletools`, protocols 0 to 5). Any other is an error
//! that names it: nothing is looked up, called or made by name.

use super::{Assumed, Contents, MAX_ENTRIES, Place, rows};
use std::collections::HashMap;
use zeroize::Zeroizing;

/// The most values that a pickle may make: each costs memory.
const MAX_VALUES: usize = 4 * MAX_ENTRIES;

pub(super) fn looks_like_it(bytes: &[u8]) -> bool {
    match bytes {
        [0x80, protocol, ..] => *protocol <= 5,
        // Protocols 0 and 1 begin with a dictionary or a list.
        [b'(', b'd' | b'l', ..] | [b'}' | b']', b'q' | b'.', ..] => bytes.trim_ascii_end().ends_with(b"."),
        _ => false,
    }
}

pub(super) fn read(bytes: &[u8], assumed: Assumed) -> Contents {
    let mut machine = Machine { rest: bytes, length: bytes.len(), ..Machine::default() };
    let value = match machine.run() {
        Ok(value) => value,
        Err(Broken { at, reason }) => return Contents::unread(Place::Byte(at), reason),
    };
    let pairs = match machine.pairs(value) {
        Ok(pairs) => pairs,
        Err(reason) => return Contents::unread(Place::File, reason),
    };
    let mut contents = Contents::default();
    for (index, (user, secret)) in pairs.into_iter().enumerate() {
        let place = Place::Entry(index + 1);
        if index >= MAX_ENTRIES {
            contents.add(place, Err(format!("more than {MAX_ENTRIES} entries, the rest is not read")));
            break;
        }
        contents.add(place, machine.entry(user, secret, assumed));
    }
    contents
}

/// A value; others are named by their index.
#[derive(Clone)]
enum Value {
    None,
    Number,
    Text(Zeroizing<Vec<u8>>),
    List(Vec<usize>),
    Tuple(Vec<usize>),
    Dictionary(Vec<(usize, usize)>),
}

#[derive(Clone, Copy)]
enum OnStack {
    Mark,
    Value(usize),
}

struct Broken {
    at: usize,
    reason: String,
}

#[derive(Default)]
struct Machine<'a> {
    rest: &'a [u8],
    length: usize,
    values: Vec<Value>,
    stack: Vec<OnStack>,
    memo: HashMap<u64, usize>,
}

/// An instruction that asks for something: its name in `pickletools`, or why not.
type Step<T> = Result<T, String>;

impl Machine<'_> {
    fn run(&mut self) -> Result<usize, Broken> {
        loop {
            let at = self.length - self.rest.len();
            let broken = |reason| Broken { at, reason };
            let [code] = *self.take(1).map_err(broken)? else { unreachable!("one byte was taken") };
            if code == b'.' {
                return self.pop().map_err(broken);
            }
            self.step(code).map_err(broken)?;
        }
    }

    fn step(&mut self, code: u8) -> Step<()> {
        match code {
            // PROTO, FRAME: nothing to do
            0x80 => self.take(1).and_then(|version| match version {
                [0..=5] => Ok(()),
                _ => Err("a pickle protocol after 5".to_owned()),
            }),
            0x95 => self.take(8).map(drop),
            b'(' => self.push_mark(),
            b'0' => self.stack.pop().map(drop).ok_or_else(empty),
            b'1' => self.pop_to_mark().map(drop),
            b'2' => self.top().and_then(|top| self.push_again(top)),
            // NONE, NEWTRUE, NEWFALSE and numbers: their values do not matter
            b'N' => self.push(Value::None),
            0x88 | 0x89 => self.push(Value::Number),
            b'I' | b'L' | b'F' => self.line().map(drop).and_then(|()| self.push(Value::Number)),
            b'K' => self.skip_number(1),
            b'M' => self.skip_number(2),
            b'J' => self.skip_number(4),
            b'G' => self.skip_number(8),
            0x8a => self.counted(1).map(drop).and_then(|()| self.push(Value::Number)),
            0x8b => self.counted(4).map(drop).and_then(|()| self.push(Value::Number)),
            // texts and bytes
            b'V' => self.line().map(raw_unicode).and_then(|text| self.push(Value::Text(text?))),
            b'S' => self.line().map(quoted).and_then(|text| self.push(Value::Text(text?))),
            0x8c | b'U' | b'C' => self.counted(1).and_then(|text| self.push(Value::Text(text))),
            b'X' | b'T' | b'B' => self.counted(4).and_then(|text| self.push(Value::Text(text))),
            0x8d | 0x8e | 0x96 => self.counted(8).and_then(|text| self.push(Value::Text(text))),
            // containers
            b'}' => self.push(Value::Dictionary(Vec::new())),
            b']' => self.push(Value::List(Vec::new())),
            b')' => self.push(Value::Tuple(Vec::new())),
            b'd' => {
                let items = pairs_of(&self.pop_to_mark()?)?;
                self.push(Value::Dictionary(items))
            }
            b'l' => {
                let items = self.pop_to_mark()?;
                self.push(Value::List(items))
            }
            b't' => {
                let items = self.pop_to_mark()?;
                self.push(Value::Tuple(items))
            }
            0x85..=0x87 => {
                let mut items = Vec::new();
                for _ in 0x84..code {
                    items.insert(0, self.pop()?);
                }
                self.push(Value::Tuple(items))
            }
            b's' => {
                let (value, key) = (self.pop()?, self.pop()?);
                self.set_items(&[key, value])
            }
            b'u' => {
                let items = self.pop_to_mark()?;
                self.set_items(&items)
            }
            b'a' => {
                let item = self.pop()?;
                self.append(&[item])
            }
            b'e' => {
                let items = self.pop_to_mark()?;
                self.append(&items)
            }
            // the memo
            0x94 => self.memorize(u64::try_from(self.memo.len()).unwrap_or(u64::MAX)),
            b'q' => self.number(1).and_then(|key| self.memorize(key)),
            b'r' => self.number(4).and_then(|key| self.memorize(key)),
            b'p' => self.line_number().and_then(|key| self.memorize(key)),
            b'h' => self.number(1).and_then(|key| self.recall(key)),
            b'j' => self.number(4).and_then(|key| self.recall(key)),
            b'g' => self.line_number().and_then(|key| self.recall(key)),
            code => Err(refused(code)),
        }
    }

    fn take(&mut self, length: usize) -> Step<&[u8]> {
        let (taken, rest) = self.rest.split_at_checked(length).ok_or("the pickle is cut off")?;
        self.rest = rest;
        Ok(taken)
    }

    /// A little-endian number of so many bytes.
    fn number(&mut self, bytes: usize) -> Step<u64> {
        Ok(self.take(bytes)?.iter().rev().fold(0, |number, &byte| number << 8 | u64::from(byte)))
    }

    fn skip_number(&mut self, bytes: usize) -> Step<()> {
        self.take(bytes)?;
        self.push(Value::Number)
    }

    /// Bytes that follow their length, which has so many bytes.
    fn counted(&mut self, bytes: usize) -> Step<Zeroizing<Vec<u8>>> {
        let length = self.number(bytes)?;
        let length = usize::try_from(length).map_err(|_| "the pickle is cut off")?;
        Ok(Zeroizing::new(self.take(length)?.to_vec()))
    }

    fn line(&mut self) -> Step<&[u8]> {
        let length = self.rest.iter().position(|&byte| byte == b'\n').ok_or("the pickle is cut off")?;
        let line = self.take(length + 1)?;
        Ok(&line[..length])
    }

    fn line_number(&mut self) -> Step<u64> {
        let line = std::str::from_utf8(self.line()?).ok();
        line.and_then(|line| line.trim().parse().ok())
            .ok_or_else(|| "a memo key that is no number".to_owned())
    }

    fn push(&mut self, value: Value) -> Step<()> {
        if self.values.len() >= MAX_VALUES {
            return Err(format!("more than {MAX_VALUES} values"));
        }
        self.values.push(value);
        self.push_again(self.values.len() - 1)
    }

    fn push_again(&mut self, value: usize) -> Step<()> {
        self.has_room()?;
        self.stack.push(OnStack::Value(value));
        Ok(())
    }

    fn push_mark(&mut self) -> Step<()> {
        self.has_room()?;
        self.stack.push(OnStack::Mark);
        Ok(())
    }

    fn has_room(&self) -> Step<()> {
        let full = self.stack.len() >= MAX_VALUES;
        if full { Err(format!("more than {MAX_VALUES} values on the stack")) } else { Ok(()) }
    }

    fn pop(&mut self) -> Step<usize> {
        match self.stack.pop() {
            Some(OnStack::Value(value)) => Ok(value),
            Some(OnStack::Mark) | None => Err(empty()),
        }
    }

    fn top(&self) -> Step<usize> {
        match self.stack.last() {
            Some(OnStack::Value(value)) => Ok(*value),
            Some(OnStack::Mark) | None => Err(empty()),
        }
    }

    fn pop_to_mark(&mut self) -> Step<Vec<usize>> {
        let mark = self.stack.iter().rposition(|entry| matches!(entry, OnStack::Mark)).ok_or_else(empty)?;
        let items = self.stack.drain(mark..).filter_map(|entry| match entry {
            OnStack::Mark => None,
            OnStack::Value(value) => Some(value),
        });
        Ok(items.collect())
    }

    fn set_items(&mut self, items: &[usize]) -> Step<()> {
        let (items, top) = (pairs_of(items)?, self.top()?);
        match &mut self.values[top] {
            Value::Dictionary(pairs) => pairs.extend(items),
            _ => return Err("items for something that is no dictionary".to_owned()),
        }
        Ok(())
    }

    fn append(&mut self, items: &[usize]) -> Step<()> {
        let top = self.top()?;
        match &mut self.values[top] {
            Value::List(list) => list.extend(items),
            _ => return Err("items for something that is no list".to_owned()),
        }
        Ok(())
    }

    fn memorize(&mut self, key: u64) -> Step<()> {
        let top = self.top()?;
        self.memo.insert(key, top);
        if self.memo.len() > MAX_VALUES {
            return Err(format!("more than {MAX_VALUES} values in the memo"));
        }
        Ok(())
    }

    fn recall(&mut self, key: u64) -> Step<()> {
        let value = *self.memo.get(&key).ok_or("a memo key that was never set")?;
        self.push_again(value)
    }

    /// Users and secrets: a dictionary, or a list of pairs. The last word on a user counts, as in Python.
    fn pairs(&self, value: usize) -> Result<Vec<(usize, usize)>, String> {
        let all = match &self.values[value] {
            Value::Dictionary(pairs) => pairs.clone(),
            Value::List(items) | Value::Tuple(items) => items
                .iter()
                .map(|&item| match &self.values[item] {
                    Value::List(pair) | Value::Tuple(pair) if pair.len() == 2 => Ok((pair[0], pair[1])),
                    _ => Err("a list of something else than users with their secrets".to_owned()),
                })
                .collect::<Result<_, _>>()?,
            _ => return Err("the pickle holds no dictionary of users".to_owned()),
        };
        let mut last: HashMap<&[u8], usize> = HashMap::new();
        for (index, (user, _)) in all.iter().enumerate() {
            if let Value::Text(name) = &self.values[*user] {
                last.insert(name, index);
            }
        }
        let counts = |(index, (user, _)): &(usize, (usize, usize))| match &self.values[*user] {
            Value::Text(name) => last.get(name.as_slice()) == Some(index),
            _ => true,
        };
        Ok(all.iter().copied().enumerate().filter(counts).map(|(_, pair)| pair).collect())
    }

    fn entry(&self, user: usize, secret: usize, assumed: Assumed) -> Result<super::Found, String> {
        let Value::Text(name) = &self.values[user] else {
            return Err("the user's name is no text".to_owned());
        };
        let name = std::str::from_utf8(name).map_err(|_| "the user's name is not UTF-8")?;
        let secret = self.secret(secret).ok_or("the secret is neither text nor bytes")?;
        rows::entry(super::user(name)?, secret, assumed)
    }

    /// A text, or the one under `secret` in a dictionary.
    fn secret(&self, value: usize) -> Option<&[u8]> {
        let text = |value: usize| match &self.values[value] {
            Value::Text(text) => Some(text.as_slice()),
            _ => None,
        };
        match &self.values[value] {
            Value::Dictionary(pairs) => pairs
                .iter()
                .rev()
                .find(|(key, _)| text(*key) == Some(b"secret"))
                .and_then(|(_, value)| text(*value)),
            _ => text(value),
        }
    }
}

fn empty() -> String {
    "the pickle takes more than it has put down".to_owned()
}

fn pairs_of(items: &[usize]) -> Step<Vec<(usize, usize)>> {
    if items.len() % 2 == 1 {
        return Err("a key without a value".to_owned());
    }
    Ok(items.chunks_exact(2).map(|pair| (pair[0], pair[1])).collect())
}

/// `UNICODE` of protocol 0: Latin-1 with `\uXXXX` and `\UXXXXXXXX`.
fn raw_unicode(line: &[u8]) -> Step<Zeroizing<Vec<u8>>> {
    let mut text = Zeroizing::new(String::with_capacity(2 * line.len()));
    let mut rest = line;
    while let [byte, after @ ..] = rest {
        rest = after;
        let digits = match (byte, after.first()) {
            (b'\\', Some(b'u')) => 4,
            (b'\\', Some(b'U')) => 8,
            _ => {
                text.push(char::from(*byte));
                continue;
            }
        };
        let number = after.get(1..=digits).and_then(|digits| std::str::from_utf8(digits).ok());
        let number = number.and_then(|digits| u32::from_str_radix(digits, 16).ok());
        text.push(number.and_then(char::from_u32).ok_or("a text with a wrong escape")?);
        rest = &after[1 + digits..];
    }
    Ok(Zeroizing::new(text.as_bytes().to_vec()))
}

/// `STRING` of protocol 0: in quotation marks, with backslashes. Names and secrets need no other escapes than these.
fn quoted(line: &[u8]) -> Step<Zeroizing<Vec<u8>>> {
    let line = line.trim_ascii();
    let ([b'\'', inside @ .., b'\''] | [b'"', inside @ .., b'"']) = line else {
        return Err("a text without its quotation marks".to_owned());
    };
    let mut text = Zeroizing::new(Vec::with_capacity(inside.len()));
    let mut bytes = inside.iter().copied();
    while let Some(byte) = bytes.next() {
        match byte {
            b'\\' => match bytes.next() {
                Some(escaped @ (b'\\' | b'\'' | b'"')) => text.push(escaped),
                Some(b'x') => {
                    let mut digit = || bytes.next().and_then(|digit| char::from(digit).to_digit(16));
                    let value =
                        digit().zip(digit()).and_then(|(high, low)| u8::try_from(high * 16 + low).ok());
                    text.push(value.ok_or("a text with a wrong escape")?);
                }
                _ => return Err("a text with an unknown escape".to_owned()),
            },
            byte => text.push(byte),
        }
    }
    Ok(text)
}

/// Why an instruction is not followed. Names: `pickletools`.
fn refused(code: u8) -> String {
    let name = match code {
        b'c' => "GLOBAL",
        b'R' => "REDUCE",
        b'b' => "BUILD",
        b'i' => "INST",
        b'o' => "OBJ",
        0x81 => "NEWOBJ",
        0x92 => "NEWOBJ_EX",
        0x93 => "STACK_GLOBAL",
        0x82..=0x84 => "EXT",
        b'P' | b'Q' => "PERSID",
        0x8f..=0x91 => "a set",
        0x97 | 0x98 => "a buffer",
        _ => return format!("no pickle of a dictionary of texts: unknown instruction 0x{code:02x}"),
    };
    format!(
        "the pickle does more than hold users and secrets ({name}): it is not followed, as it could run programs"
    )
}
