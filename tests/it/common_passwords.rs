//! Passwords that are tried first are refused, in the spellings in which they are tried.

use denizen::domain::credentials::policy;

/// What stands at the top of every published list of passwords that leaked, as far as it has eight characters, or has them
/// with the endings below.
const COMMON: [&str; 96] = [
    "password",
    "123456789",
    "12345678",
    "1234567890",
    "qwertyuiop",
    "qwerty123",
    "1q2w3e4r",
    "1q2w3e4r5t",
    "iloveyou",
    "sunshine",
    "princess",
    "football",
    "baseball",
    "superman",
    "starwars",
    "whatever",
    "trustno1",
    "passw0rd",
    "p@ssw0rd",
    "p@ssword",
    "letmein",
    "welcome",
    "dragon",
    "monkey",
    "master",
    "shadow",
    "michael",
    "jennifer",
    "jessica",
    "ashley",
    "charlie",
    "jordan23",
    "liverpool",
    "chelsea",
    "arsenal",
    "manchester",
    "computer",
    "internet",
    "samsung",
    "google",
    "facebook",
    "pokemon",
    "naruto",
    "minecraft",
    "asdfghjkl",
    "asdfasdf",
    "zxcvbnm",
    "qazwsxedc",
    "1qaz2wsx",
    "qwer1234",
    "abcd1234",
    "abc12345",
    "a1b2c3d4",
    "aa123456",
    "11111111",
    "00000000",
    "88888888",
    "12341234",
    "123123123",
    "987654321",
    "87654321",
    "11223344",
    "112233445566",
    "147258369",
    "123654789",
    "10203040",
    "administrator",
    "changeme",
    "secret",
    "default",
    "testtest",
    "test1234",
    "guest123",
    "root1234",
    "admin123",
    "user1234",
    "login123",
    "hello123",
    "welcome1",
    "summer2024",
    "winter2023",
    "spring2025",
    "january1",
    "december",
    "september",
    "monday123",
    "chocolate",
    "butterfly",
    "elephant",
    "sandwich",
    "snoopy",
    "cheese",
    "cookie",
    "flower",
    "freedom",
    "blink182",
];

/// What is a word gets every ending; what has digits of its own has one already.
fn spellings(word: &str) -> Vec<String> {
    let mut first = word.chars();
    let capital: String = first.next().into_iter().flat_map(char::to_uppercase).chain(first).collect();
    let written = [word.to_owned(), capital, word.to_uppercase(), word.chars().rev().collect()];
    let is_word = word.chars().all(char::is_alphabetic);
    let endings: &[&str] = if is_word {
        &["", "1", "12", "123", "1234", "!", "1!", "123!", "2024", "2025", "2025!"]
    } else {
        &[""]
    };
    let with = |word: &String| endings.iter().map(|ending| format!("{word}{ending}")).collect::<Vec<_>>();
    written.iter().flat_map(with).collect()
}

fn is_refused(password: &str) -> bool {
    policy::check("password", password, &[]).and_then(|()| policy::judge("password", password, &[])).is_err()
}

#[test]
fn the_most_common_passwords_are_refused_in_every_spelling() {
    let taken: Vec<_> =
        COMMON.iter().flat_map(|word| spellings(word)).filter(|password| !is_refused(password)).collect();
    assert!(taken.is_empty(), "{} are taken: {taken:?}", taken.len());
}

#[test]
fn what_is_made_of_several_words_is_taken() {
    for password in
        ["tinte kanne wolke", "seven umbrellas in may", "correct horse battery staple", "geheime-Rübe-am-See"]
    {
        assert!(!is_refused(password), "{password}");
    }
}
