//! What is wrong with a command line, a variable or a key of the file, said without the value: it may be a secret, and
//! the message ends up in a log.

use std::error::Error as _;

use clap::error::{ContextKind, ContextValue, ErrorKind};

/// How a command line that cannot be taken is answered.
pub enum WrongUsage {
    /// One sentence about one setting.
    Setting(String),
    /// In the words of the parser, as the help is, too.
    Parser(Box<clap::Error>),
}

/// Everything that the parser would say, but no value.
pub fn wrong_usage(error: clap::Error) -> WrongUsage {
    match sentence(&error) {
        Some(sentence) => WrongUsage::Setting(sentence),
        None => WrongUsage::Parser(Box::new(without_values(error))),
    }
}

fn sentence(error: &clap::Error) -> Option<String> {
    let ContextValue::String(argument) = error.get(ContextKind::InvalidArg)? else { return None };
    let flag = argument.split([' ', '=']).next().unwrap_or(argument);
    let why = match error.kind() {
        ErrorKind::ValueValidation => error.source()?.to_string(),
        ErrorKind::InvalidValue => {
            let Some(ContextValue::Strings(known)) = error.get(ContextKind::ValidValue) else { return None };
            match error.get(ContextKind::InvalidValue) {
                Some(ContextValue::String(value)) if !value.is_empty() => {
                    format!("{} is not known: there is {}", super::quote::quoted(value), known.join(", "))
                }
                _ => format!("it is empty: there is {}", known.join(", ")),
            }
        }
        _ => return None,
    };
    if !flag.starts_with("--") {
        return Some(format!("{flag} is wrong: {why}"));
    }
    let variable = flag.trim_start_matches("--").replace('-', "_").to_uppercase();
    Some(format!("the setting {flag} (DENIZEN_{variable}) is wrong: {why}"))
}

/// Somebody may have put a secret where none is expected: only what looks like a flag or a command is repeated.
fn without_values(mut error: clap::Error) -> clap::Error {
    for kind in [ContextKind::InvalidArg, ContextKind::InvalidSubcommand, ContextKind::InvalidValue] {
        let Some(ContextValue::String(given)) = error.get(kind) else { continue };
        let word = given.split([' ', '=']).next().unwrap_or(given);
        let plain = |word: &str| word.len() <= 40 && word.chars().all(|c| c.is_ascii_lowercase() || c == '-');
        let shown = match kind {
            ContextKind::InvalidArg if plain(word) && word.starts_with("--") => word.to_owned(),
            ContextKind::InvalidSubcommand if plain(given) => continue,
            _ => "(not repeated here)".to_owned(),
        };
        error.insert(kind, ContextValue::String(shown));
        // Tips repeat it as well.
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(Vec::new()));
    }
    error
}

#[cfg(test)]
mod tests {
    use clap::{Args as _, Command, FromArgMatches as _};

    use super::*;
    use crate::config::Config;

    fn parsed(arguments: &[&str]) -> Result<Config, String> {
        let command = Config::augment_args(Command::new("denizen"));
        let matches = command.try_get_matches_from(["denizen"].iter().chain(arguments));
        let matches = matches.map_err(|error| match wrong_usage(error) {
            WrongUsage::Setting(sentence) => sentence,
            WrongUsage::Parser(error) => error.to_string(),
        })?;
        // It would panic where a parser makes another type than the setting has.
        Config::from_arg_matches(&matches).map_err(|error| error.to_string())
    }

    #[test]
    fn every_parser_makes_the_type_of_its_setting() {
        let defaults = parsed(&[]).unwrap();
        assert_eq!(
            (defaults.server.max_connections, defaults.server.max_connections_per_address),
            (4_096, 1_024)
        );
        assert_eq!((defaults.passwords.bcrypt_cost, defaults.passwords.password_min_length), (12, 8));
        let given =
            ["--trusted-documents", "a.json", "--unsafe", "trace,rate-limits", "--smtp-url", "smtp://mail"];
        assert_eq!(parsed(&given).unwrap().server.exemptions.len(), 2);
        let proxies = |text: &str| {
            let config = parsed(&["--trusted-proxies", text]).unwrap();
            config.server.trusted_proxies.into_iter().flatten().count()
        };
        assert_eq!(["", " ", "::1", "10.0.0.1, ::1", "::1,"].map(proxies), [0, 0, 1, 2, 1]);
    }

    #[test]
    fn sentences_name_the_setting_and_what_would_do() {
        let said = |arguments: &[&str]| parsed(arguments).unwrap_err();
        assert_eq!(
            said(&["--bcrypt-cost", "99"]),
            "the setting --bcrypt-cost (DENIZEN_BCRYPT_COST) is wrong: \"99\" is not a whole number from 4 to 16"
        );
        assert_eq!(
            said(&["--mode", "hush@production"]),
            "the setting --mode (DENIZEN_MODE) is wrong: the value is not known: there is development, production"
        );
        for hidden in [&["postgres://ada:hush@db/x"][..], &["--database-ulr=postgres://ada:hush@db/x"]] {
            assert!(!said(hidden).contains("hush"), "{}", said(hidden));
        }
        assert!(said(&["--trusted-documents", "https://ada:hush@host/x"]).contains("path of a file"));
    }
}
