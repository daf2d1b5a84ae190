//! From text to tree.

use std::collections::BTreeSet;

use super::{Json, JsonError};

/// How deep values may be nested: several times what any format of ours has.
const MAX_DEPTH: usize = 64;

/// Parses the value with which a text begins, and returns where it ends.
pub(super) fn value(text: &[u8]) -> Result<(Json, usize), JsonError> {
    let mut parser = Parser { text, at: 0 };
    let json = parser.value(MAX_DEPTH)?;
    Ok((json, parser.at))
}

pub(super) fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

pub(super) fn error(at: usize, what: String) -> JsonError {
    JsonError::new(&format!("byte {at}"), what)
}

struct Parser<'t> {
    text: &'t [u8],
    at: usize,
}

impl Parser<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    /// Passes by this byte, if it is next.
    fn pass(&mut self, byte: u8) -> bool {
        let is_next = self.peek() == Some(byte);
        self.at += usize::from(is_next);
        is_next
    }

    fn skip_space(&mut self) {
        while self.peek().is_some_and(is_space) {
            self.at += 1;
        }
    }

    /// Makes the error of something else than what is wanted here.
    fn wanted(&self, what: &str) -> JsonError {
        let found = match self.peek() {
            Some(byte) => format!("{:?}", char::from(byte)),
            None => "the end".to_owned(),
        };
        error(self.at, format!("{what} is wanted, found {found}"))
    }

    fn value(&mut self, depth: usize) -> Result<Json, JsonError> {
        let Some(inner) = depth.checked_sub(1) else {
            return Err(error(self.at, format!("more than {MAX_DEPTH} values within one another")));
        };
        self.skip_space();
        match self.peek() {
            Some(b'{') => self.object(inner),
            Some(b'[') => self.list(inner),
            Some(b'"') => self.text().map(Json::Text),
            Some(b'-' | b'0'..=b'9') => self.number(),
            _ => {
                for (word, json) in
                    [("null", Json::Null), ("true", Json::Bool(true)), ("false", Json::Bool(false))]
                {
                    if self.text.get(self.at..).is_some_and(|rest| rest.starts_with(word.as_bytes())) {
                        self.at += word.len();
                        return Ok(json);
                    }
                }
                Err(self.wanted("a value"))
            }
        }
    }

    fn list(&mut self, depth: usize) -> Result<Json, JsonError> {
        self.at += 1;
        let mut elements = Vec::new();
        self.skip_space();
        if self.pass(b']') {
            return Ok(Json::List(elements));
        }
        loop {
            elements.push(self.value(depth)?);
            self.skip_space();
            if self.pass(b']') {
                return Ok(Json::List(elements));
            }
            if !self.pass(b',') {
                return Err(self.wanted("',' or ']'"));
            }
        }
    }

    fn object(&mut self, depth: usize) -> Result<Json, JsonError> {
        self.at += 1;
        let mut entries = Vec::new();
        let mut keys = BTreeSet::new();
        self.skip_space();
        if self.pass(b'}') {
            return Ok(Json::Object(entries));
        }
        loop {
            self.skip_space();
            let at = self.at;
            if self.peek() != Some(b'"') {
                return Err(self.wanted("a key"));
            }
            let key = self.text()?;
            self.skip_space();
            if !self.pass(b':') {
                return Err(self.wanted("':'"));
            }
            let value = self.value(depth)?;
            if !keys.insert(key.clone()) {
                return Err(error(at, format!("the key {key:?} stands there twice")));
            }
            entries.push((key, value));
            self.skip_space();
            if self.pass(b'}') {
                return Ok(Json::Object(entries));
            }
            if !self.pass(b',') {
                return Err(self.wanted("',' or '}'"));
            }
        }
    }

    fn number(&mut self) -> Result<Json, JsonError> {
        let start = self.at;
        let is_negative = self.pass(b'-');
        let mut number = Some(0_u64);
        let first = self.at;
        while let Some(digit @ b'0'..=b'9') = self.peek() {
            let digit = u64::from(digit - b'0');
            number = number.and_then(|number| number.checked_mul(10)?.checked_add(digit));
            self.at += 1;
        }
        if self.at == first {
            return Err(self.wanted("a digit"));
        }
        if self.at > first + 1 && self.text.get(first) == Some(&b'0') {
            return Err(error(start, "a number begins with 0".to_owned()));
        }
        let mut is_whole = true;
        if self.pass(b'.') {
            is_whole = false;
            self.digits()?;
        }
        if self.pass(b'e') || self.pass(b'E') {
            is_whole = false;
            if !self.pass(b'+') {
                self.pass(b'-');
            }
            self.digits()?;
        }
        Ok(number.filter(|_| is_whole && !is_negative).map_or(Json::OtherNumber, Json::Number))
    }

    fn digits(&mut self) -> Result<(), JsonError> {
        if !self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            return Err(self.wanted("a digit"));
        }
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        Ok(())
    }

    fn text(&mut self) -> Result<String, JsonError> {
        let start = self.at;
        self.at += 1;
        let mut bytes = Vec::new();
        loop {
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    let not_unicode = |_| error(start, "a string is not UTF-8".to_owned());
                    return String::from_utf8(bytes).map_err(not_unicode);
                }
                Some(b'\\') => {
                    self.at += 1;
                    let character = self.escape()?;
                    bytes.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
                }
                Some(byte) if byte >= b' ' => {
                    self.at += 1;
                    bytes.push(byte);
                }
                _ => return Err(self.wanted("the rest of a string")),
            }
        }
    }

    /// Reads what follows a backslash.
    fn escape(&mut self) -> Result<char, JsonError> {
        let at = self.at;
        let character = match self.peek() {
            Some(byte @ (b'"' | b'\\' | b'/')) => char::from(byte),
            Some(b'b') => '\x08',
            Some(b'f') => '\x0c',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => {
                self.at += 1;
                let first = self.hexadecimal()?;
                let second = if (0xd800..0xdc00).contains(&first) && self.pass(b'\\') && self.pass(b'u') {
                    Some(self.hexadecimal()?)
                } else {
                    None
                };
                let mut characters = char::decode_utf16([first].into_iter().chain(second));
                return match (characters.next(), characters.next()) {
                    (Some(Ok(character)), None) => Ok(character),
                    _ => Err(error(at, "half a character".to_owned())),
                };
            }
            _ => return Err(self.wanted("an escape of \" \\ / b f n r t u")),
        };
        self.at += 1;
        Ok(character)
    }

    fn hexadecimal(&mut self) -> Result<u16, JsonError> {
        let mut number = 0;
        for _ in 0..4 {
            let digit = self.peek().and_then(|byte| char::from(byte).to_digit(16)).map(u16::try_from);
            let Some(Ok(digit)) = digit else { return Err(self.wanted("a hexadecimal digit")) };
            number = number << 4 | digit;
            self.at += 1;
        }
        Ok(number)
    }
}
