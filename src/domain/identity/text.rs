//! The text search over people: by a part of their user name, name or address, through the index that each database
//! has for it.
//!
//! Both databases give one answer: the text is split at white space, and every word must occur somewhere, in any case.
//! No text is an error.

use std::collections::BTreeSet;

use sea_orm::{
    Condition, DbBackend, ExprTrait,
    sea_query::{Expr, LikeExpr, SimpleExpr},
};

use super::names;

/// No person has more words than that, and a statement has only so much room.
const MOST_WORDS: usize = 32;
/// The longest of what is searched is an address: a longer word occurs nowhere.
const LONGEST_WORD: usize = 330;
/// Words with letters beyond ASCII are dear to look for in a database of the locale C.
const LONGEST_DEAR_WORD: usize = 64;

/// The very expression of `PostgreSQL`'s trigram index: any other would read all rows.
pub const INDEXED: &str = "\"users\".\"user_name_key\" || ' ' || coalesce(lower(\"users\".\"name\"), '') || ' ' || coalesce(\"users\".\"email_key\", '')";
const FOUND_BY_TRIGRAMS: &str = "\"users\".\"id\" IN (SELECT \"user_id\" FROM \"users_text_rows\" WHERE \"number\" IN (SELECT \"rowid\" FROM \"users_text\" WHERE \"users_text\" MATCH ?))";

/// The users in whom every word of the text occurs: everybody when it has none.
pub fn occurs(backend: DbBackend, text: &str) -> Condition {
    let words: BTreeSet<&str> = text.split_whitespace().collect();
    let too_long =
        |word: &&str| word.chars().count() > if word.is_ascii() { LONGEST_WORD } else { LONGEST_DEAR_WORD };
    if words.len() > MOST_WORDS || words.iter().any(too_long) {
        return Condition::any().add(Expr::value(false));
    }
    words.into_iter().fold(Condition::all(), |all, word| {
        let any = spellings(word).into_iter().fold(Condition::any(), |any, spelling| {
            any.add(match backend {
                DbBackend::Postgres => postgres(&spelling),
                _ => sqlite(&spelling),
            })
        });
        all.add(any)
    })
}

/// As it stands in a key, and as it stands in a name, which is kept as it was typed but for its case.
fn spellings(word: &str) -> BTreeSet<String> {
    // PostgreSQL takes no NUL, and SQLite reads only up to it; neither has one stored.
    let word = word.replace('\0', "\u{fffd}");
    [names::name_key(&word), word.to_lowercase()]
        .into_iter()
        .filter(|spelling| !spelling.is_empty())
        .collect()
}

/// In a database of the locale C, `lower` knows the letters a to z only: other letters are looked for in each case, by a
/// regular expression, which the index serves as well.
fn postgres(spelling: &str) -> SimpleExpr {
    if spelling.chars().all(|character| character.is_ascii() || cases(character).len() == 1) {
        return Expr::cust(format!("({INDEXED})")).like(LikeExpr::new(pattern(spelling)));
    }
    let regex: String = spelling.chars().map(any_case_of).collect();
    Expr::cust_with_values(format!("({INDEXED}) ~ $1"), [regex])
}

fn any_case_of(character: char) -> String {
    if character.is_ascii_alphanumeric() {
        return character.to_string();
    }
    if character.is_ascii() {
        return format!("\\{character}");
    }
    let cases: Vec<_> = cases(character).into_iter().collect();
    format!("(?:{})", cases.join("|"))
}

/// A trigram needs three characters: what is shorter is looked for row by row.
fn sqlite(spelling: &str) -> SimpleExpr {
    if spelling.chars().count() >= 3 {
        let phrase = format!("\"{}\"", spelling.replace('"', "\"\""));
        return Expr::cust_with_values(FOUND_BY_TRIGRAMS, [phrase]);
    }
    let columns = ["user_name_key", "name", "email_key"];
    // LIKE knows the cases of the letters a to z only.
    let found = in_any_case(spelling).into_iter().flat_map(|text| {
        let pattern = pattern(&text);
        columns.map(|column| Expr::col(("users", column)).like(LikeExpr::new(pattern.clone()).escape('\\')))
    });
    found.reduce(ExprTrait::or).unwrap_or_else(|| Expr::value(false))
}

fn in_any_case(short: &str) -> Vec<String> {
    short.chars().fold(vec![String::new()], |begun, character| {
        let cases = cases(character);
        begun.iter().flat_map(|text| cases.iter().map(move |case| format!("{text}{case}"))).collect()
    })
}

fn cases(character: char) -> BTreeSet<String> {
    [character.to_string(), character.to_lowercase().collect(), character.to_uppercase().collect()].into()
}

fn pattern(text: &str) -> String {
    let mut pattern = String::from("%");
    for character in text.chars() {
        if "%_\\".contains(character) {
            pattern.push('\\');
        }
        pattern.push(character);
    }
    pattern.push('%');
    pattern
}
