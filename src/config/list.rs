//! Settings that are lists, as people and the files of their deployments write them: with blanks around the commas, and empty
//! where a variable of theirs is.

use std::ffi::OsStr;

use clap::{
    Arg, Command, Error,
    builder::{PossibleValue, TypedValueParser},
};

/// One place of a list, read without the blanks around it.
#[derive(Clone)]
pub struct Trimmed<P>(pub P);

/// The same for a list that may be empty: nothing where the place is.
#[derive(Clone)]
pub struct Listed<P>(pub P);

fn trimmed(value: &OsStr) -> &OsStr {
    value.to_str().map_or(value, |text| OsStr::new(text.trim()))
}

impl<P: TypedValueParser> TypedValueParser for Trimmed<P> {
    type Value = P::Value;

    fn parse_ref(&self, command: &Command, arg: Option<&Arg>, value: &OsStr) -> Result<P::Value, Error> {
        self.0.parse_ref(command, arg, trimmed(value))
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        self.0.possible_values()
    }
}

impl<P: TypedValueParser> TypedValueParser for Listed<P> {
    type Value = Option<P::Value>;

    fn parse_ref(
        &self,
        command: &Command,
        arg: Option<&Arg>,
        value: &OsStr,
    ) -> Result<Option<P::Value>, Error> {
        let value = trimmed(value);
        if value.is_empty() {
            return Ok(None);
        }
        self.0.parse_ref(command, arg, value).map(Some)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        self.0.possible_values()
    }
}
