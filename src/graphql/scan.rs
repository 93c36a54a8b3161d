//! The cheap scan that stands before the parser, and refuses what would burn time before anyone else could refuse
//! it.
//!
//! It stands here because the layers behind it come too late. The parser recurses into brackets before its own
//! nesting guard is asked, retries every unterminated block string up to the end of the document, and builds a value
//! for each token. async-graphql then walks into every fragment spread, again for each spread, before validation
//! sees the document: thirty fragments that spread the next one twice are a kilobyte and a billion visits. So the
//! scan reads the bytes once, as the parser's grammar would (oddities included: it must see every fragment that the
//! parser sees), and adds up what the spreads amount to. It accepts nonsense: naming the fault is the parser's task.

use std::fmt;

use super::limits::{Exceeded, Limit, Limits};

mod lexer;
mod spreads;

use lexer::{Lexer, Token};
use spreads::Definitions;

/// Why a document is refused before it is parsed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    Exceeded(Exceeded),
    /// A fragment that spreads itself, by whichever way: nothing may walk into it.
    Endless {
        fragment: String,
    },
    /// A string without an end. For a block string this is where the parser would search in vain, again and again.
    Unterminated {
        line: usize,
        column: usize,
    },
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exceeded(exceeded) => exceeded.fmt(f),
            Self::Endless { fragment } => write!(f, "Fragment \"{fragment}\" spreads itself."),
            Self::Unterminated { .. } => f.write_str("Syntax error: a string without an end."),
        }
    }
}

impl From<Exceeded> for Refused {
    fn from(exceeded: Exceeded) -> Self {
        Self::Exceeded(exceeded)
    }
}

/// Reads the document once and refuses it if a limit is passed. Linear, but for sorting the names of fragments, and
/// safe for any text.
pub fn scan(document: &str, limits: &Limits) -> Result<(), Refused> {
    Limit::Bytes.check(limits.bytes, document.len())?;
    let mut lexer = Lexer::new(document);
    let mut definitions = Definitions::default();
    let mut tokens = 0;
    let mut directives = 0;
    let mut nesting = 0_usize;
    while let Some(token) = lexer.next_token()? {
        let count = token.count();
        tokens += count;
        Limit::Tokens.check(limits.tokens, tokens)?;
        match token {
            Token::Open(_) => {
                nesting += 1;
                Limit::Nesting.check(limits.nesting, nesting)?;
            }
            // Too many of these fail in the parser, at the first one too many.
            Token::Close => nesting = nesting.saturating_sub(1),
            Token::At => {
                directives += 1;
                Limit::Directives.check(limits.directives, directives)?;
            }
            Token::Name(_) | Token::Spread | Token::Other => {}
        }
        definitions.take(token, count, nesting);
    }
    definitions.check(limits)
}

#[cfg(test)]
mod tests;
