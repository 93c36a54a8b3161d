//! Strict JSON: what two readers could understand differently is refused. That is objects with a key twice, numbers that
//! no `f64` holds, lone surrogates, deep nesting (serde's own limit of 128).

use std::{
    cell::{Cell, RefCell},
    fmt,
};

use async_graphql::{Name, Number, Value, indexmap::IndexMap, indexmap::map::Entry};
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

/// Why a text was not read.
pub(super) enum Unread {
    TooManyValues,
    /// serde says what it expected and where, and quotes nothing.
    Json(serde_json::Error),
}

/// Reads one JSON text with at most so many values in it.
pub(super) fn read(text: &[u8], most_values: usize) -> Result<Value, Unread> {
    let read = Read { left: Cell::new(Some(most_values)), names: RefCell::default() };
    let mut reader = serde_json::Deserializer::from_slice(text);
    let value = Strict(&read).deserialize(&mut reader);
    let value = value.and_then(|value| reader.end().map(|()| value));
    value.map_err(|error| if read.left.get().is_none() { Unread::TooManyValues } else { Unread::Json(error) })
}

struct Read {
    /// How many values may still come; `None` when there was one too many.
    left: Cell<Option<usize>>,
    /// The first few keys: the objects of a list have the same, and each is made once.
    names: RefCell<Vec<Name>>,
}

const MOST_NAMES: usize = 8;

#[derive(Clone, Copy)]
struct Strict<'a>(&'a Read);

impl Strict<'_> {
    fn count<E: Error>(self) -> Result<(), E> {
        let left = &self.0.left;
        left.set(left.get().and_then(|left| left.checked_sub(1)));
        left.get().map(|_| ()).ok_or_else(|| E::custom("too many values"))
    }
}

impl<'de> DeserializeSeed<'de> for Strict<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        self.count()?;
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Boolean(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        let number = Number::from_f64(value).ok_or_else(|| E::custom("number out of range"))?;
        Ok(Value::Number(number))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Value, E> {
        self.visit_string(value.to_owned())
    }

    fn visit_string<E: Error>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(self)? {
            list.push(item);
        }
        Ok(Value::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut object = IndexMap::new();
        while let Some(key) = entries.next_key_seed(Key(&self.0.names))? {
            match object.entry(key) {
                Entry::Occupied(_) => return Err(A::Error::custom("a key that stands twice in one object")),
                Entry::Vacant(place) => {
                    place.insert(entries.next_value_seed(self)?);
                }
            }
        }
        Ok(Value::Object(object))
    }
}

/// Reads a key.
struct Key<'a>(&'a RefCell<Vec<Name>>);

impl<'de> DeserializeSeed<'de> for Key<'_> {
    type Value = Name;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Name, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Key<'_> {
    type Value = Name;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E: Error>(self, key: &str) -> Result<Name, E> {
        let mut names = self.0.borrow_mut();
        if let Some(name) = names.iter().find(|name| name.as_str() == key) {
            return Ok(name.clone());
        }
        let name = Name::new(key);
        if names.len() < MOST_NAMES {
            names.push(name.clone());
        }
        Ok(name)
    }
}
