//! Cuts a document into tokens as the parser's grammar does, without keeping any.

use super::Refused;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Token<'a> {
    Name(&'a str),
    /// `(`, `[` or `{`.
    Open(u8),
    Close,
    /// `...`
    Spread,
    /// `@`
    At,
    /// A number, a string, or any other sign.
    Other,
}

impl Token<'_> {
    /// How many tokens the parser may see in this one.
    pub fn count(self) -> usize {
        match self {
            Self::Name(name) => values_in(name),
            _ => 1,
        }
    }
}

/// As a value the grammar takes `true`, `false` and `null` by their letters, whatever follows: `[nulltrue00]` is a list of
/// four.
fn values_in(name: &str) -> usize {
    let mut rest = name;
    let mut count = 0;
    loop {
        let word = ["true", "false", "null"].into_iter().find_map(|word| rest.strip_prefix(word));
        // A number is there only behind a word.
        let Some(behind) = word.or_else(|| number_off(rest)) else {
            return count + usize::from(!rest.is_empty());
        };
        count += 1;
        rest = behind;
    }
}

/// What follows the number that the text begins with.
fn number_off(text: &str) -> Option<&str> {
    if let Some(rest) = text.strip_prefix('0') {
        return Some(exponent_off(rest));
    }
    let rest = text.trim_start_matches(|c: char| c.is_ascii_digit());
    (rest.len() < text.len()).then(|| exponent_off(rest))
}

fn exponent_off(text: &str) -> &str {
    let Some(digits) = text.strip_prefix(['e', 'E']) else {
        return text;
    };
    let rest = digits.trim_start_matches(|c: char| c.is_ascii_digit());
    if rest.len() < digits.len() { rest } else { text }
}

pub(super) struct Lexer<'a> {
    document: &'a str,
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Lexer<'a> {
    pub fn new(document: &'a str) -> Self {
        Self { document, bytes: document.as_bytes(), at: 0 }
    }

    pub fn next_token(&mut self) -> Result<Option<Token<'a>>, Refused> {
        self.skip_ignored();
        let start = self.at;
        let Some(first) = self.peek(0) else {
            return Ok(None);
        };
        self.at += 1;
        let token = match first {
            b'(' | b'[' | b'{' => Token::Open(first),
            b')' | b']' | b'}' => Token::Close,
            b'@' => Token::At,
            b'"' => self.string(start)?,
            b'.' if self.peek(0) == Some(b'.') && self.peek(1) == Some(b'.') => {
                self.at += 2;
                Token::Spread
            }
            b'_' | b'a'..=b'z' | b'A'..=b'Z' => {
                self.skip_while(|byte| byte == b'_' || byte.is_ascii_alphanumeric());
                // Both ends stand beside ASCII, so the slice is never refused.
                Token::Name(self.document.get(start..self.at).unwrap_or_default())
            }
            b'-' | b'0'..=b'9' => self.number(first),
            _ => Token::Other,
        };
        Ok(Some(token))
    }

    fn peek(&self, ahead: usize) -> Option<u8> {
        self.bytes.get(self.at + ahead).copied()
    }

    fn skip_while(&mut self, condition: impl Fn(u8) -> bool) {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        self.at += rest.iter().position(|&byte| !condition(byte)).unwrap_or(rest.len());
    }

    fn skip_ignored(&mut self) {
        loop {
            match self.peek(0) {
                Some(b' ' | b'\t' | b',' | b'\n' | b'\r') => self.at += 1,
                // The byte order mark, which the grammar allows anywhere.
                Some(0xEF) if self.peek(1) == Some(0xBB) && self.peek(2) == Some(0xBF) => self.at += 3,
                Some(b'#') => self.skip_while(|byte| !matches!(byte, b'\n' | b'\r')),
                _ => return,
            }
        }
    }

    /// One number, and no more: the grammar lets `00-1` stand for three.
    fn number(&mut self, first: u8) -> Token<'a> {
        let leading = if first == b'-' {
            let digit = self.peek(0);
            self.at += usize::from(digit.is_some_and(|byte| byte.is_ascii_digit()));
            digit
        } else {
            Some(first)
        };
        if leading != Some(b'0') {
            self.skip_while(|byte| byte.is_ascii_digit());
        }
        if self.peek(0) == Some(b'.') && self.peek(1).is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
            self.skip_while(|byte| byte.is_ascii_digit());
        }
        if matches!(self.peek(0), Some(b'e' | b'E')) {
            self.at += 1;
            self.at += usize::from(matches!(self.peek(0), Some(b'+' | b'-')));
            self.skip_while(|byte| byte.is_ascii_digit());
        }
        Token::Other
    }

    fn string(&mut self, start: usize) -> Result<Token<'a>, Refused> {
        if self.peek(0) == Some(b'"') && self.peek(1) == Some(b'"') {
            self.at += 2;
            return self.block_string(start);
        }
        loop {
            self.skip_while(|byte| !matches!(byte, b'"' | b'\\' | b'\n' | b'\r'));
            match self.peek(0) {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(Token::Other);
                }
                // What is escaped may be the first byte of several: the others are none that end a string.
                Some(b'\\') => self.at += 2,
                _ => return Err(self.unterminated(start)),
            }
        }
    }

    fn block_string(&mut self, start: usize) -> Result<Token<'a>, Refused> {
        loop {
            self.skip_while(|byte| !matches!(byte, b'"' | b'\\'));
            let rest = self.bytes.get(self.at..).unwrap_or_default();
            if rest.starts_with(br#"""""#) {
                self.at += 3;
                return Ok(Token::Other);
            }
            if rest.is_empty() {
                return Err(self.unterminated(start));
            }
            self.at += if rest.starts_with(br#"\""""#) { 4 } else { 1 };
        }
    }

    fn unterminated(&self, start: usize) -> Refused {
        let before = self.document.get(..start).unwrap_or_default();
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        Refused::Unterminated {
            line: before.bytes().filter(|&byte| byte == b'\n').count() + 1,
            column: before.get(line_start..).unwrap_or_default().chars().count() + 1,
        }
    }
}
