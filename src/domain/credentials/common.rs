//! The words that the most common passwords are made of, with what people put around them: capitals, digits, a mark at the
//! end, letters that are written as digits, the whole of it backwards or twice.
//!
//! zxcvbn knows many more words, and has a mind of its own about endings: it takes `Spring2025!`, which is among the first
//! that anybody tries.

use std::{collections::HashSet, sync::LazyLock};

static WORDS: LazyLock<HashSet<&str>> =
    LazyLock::new(|| include_str!("common.txt").split_whitespace().collect());

/// What more of digits and marks stands around a word is worth something of its own.
const MOST_AROUND: usize = 8;

/// Whether this is one of those words, dressed up.
pub fn is_common(password: &str) -> bool {
    let folded = password.to_lowercase();
    [folded.as_str(), &unmasked(&folded)].into_iter().any(|text| {
        let word = text.trim_matches(|letter: char| !letter.is_alphabetic());
        let around = text.chars().count() - word.chars().count();
        let backwards: String = word.chars().rev().collect();
        around <= MOST_AROUND
            && [word, &backwards].into_iter().any(|word| is_word(word) || is_word(once(word)))
    })
}

fn is_word(text: &str) -> bool {
    WORDS.contains(text)
}

/// The half of what is written twice.
fn once(text: &str) -> &str {
    match text.split_at_checked(text.len() / 2) {
        Some((one, two)) if one == two => one,
        _ => text,
    }
}

/// With the letters for which digits and marks stand, between letters: `p@ssw0rd`. Those at the end mean themselves.
fn unmasked(text: &str) -> String {
    let end = text.rfind(char::is_alphabetic).unwrap_or_default();
    let letter = |(at, letter)| match letter {
        _ if at > end => letter,
        '0' => 'o',
        '1' | '!' | '|' => 'i',
        '3' => 'e',
        '4' | '@' => 'a',
        '5' | '$' => 's',
        '7' | '+' => 't',
        other => other,
    };
    text.char_indices().map(letter).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_known_in_every_dress() {
        for password in [
            "Spring2025!",
            "login123",
            "P@ssw0rd1",
            "!!Welcome!!",
            "321nimda",
            "TestTest1!",
            "t3st1234",
            "$ecret99",
        ] {
            assert!(is_common(password), "{password}");
        }
        for password in
            ["tinte kanne wolke", "springtime-in-vienna", "login9182736455", "", "12345", "ünlü", "üü"]
        {
            assert!(!is_common(password), "{password}");
        }
    }

    #[test]
    fn every_word_stands_in_the_list_as_it_is_looked_for() {
        assert!(WORDS.len() > 500);
        assert!(
            WORDS.iter().all(|word| word.bytes().all(|letter| letter.is_ascii_lowercase())),
            "lower case letters"
        );
    }
}
