//! Parts of an answer that are JSON already.
//!
//! An object whose fields are resolved in place is written at once, instead of being kept as a tree of values until the whole
//! answer is there. In the tree around it, it is a `Value::Binary`: no scalar of ours is one. Whoever writes an answer
//! does so by [`to_vec`].

use std::{io, mem};

use async_graphql::{ServerError, ServerResult, Value};
use serde::Serialize;
use serde_json::{Serializer, ser::Formatter};

/// The JSON of something in which there are written parts.
pub fn to_vec(whole: &impl Serialize, room: usize) -> serde_json::Result<Vec<u8>> {
    let mut json = Vec::with_capacity(room);
    write(&mut json, whole)?;
    Ok(json)
}

fn write(json: &mut Vec<u8>, part: &impl Serialize) -> serde_json::Result<()> {
    part.serialize(&mut Serializer::with_formatter(json, AsWritten))
}

struct AsWritten;

impl Formatter for AsWritten {
    fn write_byte_array<W: ?Sized + io::Write>(&mut self, writer: &mut W, written: &[u8]) -> io::Result<()> {
        writer.write_all(written)
    }
}

/// How long the written parts of it are, as far as they stand near its root.
pub fn length(value: &Value) -> usize {
    match value {
        Value::Binary(json) => json.len(),
        Value::Object(fields) => fields.values().map(length).sum(),
        _ => 0,
    }
}

/// So much room is made at once for what is only expected.
const MOST_ROOM: usize = 64 * 1024;

/// An object or a list that is being written, with gaps for what is not there yet.
pub struct Draft {
    json: Vec<u8>,
    /// Whether the next place is not the first.
    begun: bool,
    gaps: Vec<usize>,
    end: u8,
}

impl Draft {
    pub fn object(fields: usize) -> Self {
        Self::new(b'{', b'}', 48 * fields)
    }

    pub fn list() -> Self {
        Self::new(b'[', b']', 256)
    }

    fn new(begin: u8, end: u8, room: usize) -> Self {
        let mut json = Vec::with_capacity(room);
        json.push(begin);
        Self { json, begun: false, gaps: Vec::new(), end }
    }

    /// The place of the next item.
    pub fn next(&mut self) {
        if mem::replace(&mut self.begun, true) {
            self.json.push(b',');
        }
    }

    /// The place of the next field. GraphQL's names need no escaping.
    pub fn field(&mut self, key: &str) {
        self.next();
        self.json.push(b'"');
        self.json.extend_from_slice(key.as_bytes());
        self.json.extend_from_slice(b"\":");
    }

    /// Writes what stands in the place.
    pub fn put(&mut self, value: &Value) -> ServerResult<()> {
        put(&mut self.json, value)
    }

    /// Makes room for so many more that are as long as what is there, but not for any number.
    pub fn more(&mut self, items: usize) {
        self.json.reserve(self.json.len().saturating_mul(items).min(MOST_ROOM));
    }

    /// Leaves the place open.
    pub fn leave(&mut self) {
        self.gaps.push(self.json.len());
    }

    /// The whole, with what was waited for in the gaps, in their order.
    pub fn close(mut self, late: Vec<Value>) -> ServerResult<Value> {
        self.json.push(self.end);
        if self.gaps.is_empty() {
            return Ok(Value::Binary(self.json.into()));
        }
        let (mut json, mut from) = (Vec::with_capacity(2 * self.json.len()), 0);
        for (gap, value) in self.gaps.into_iter().zip(late) {
            json.extend_from_slice(&self.json[from..gap]);
            put(&mut json, &value)?;
            from = gap;
        }
        json.extend_from_slice(&self.json[from..]);
        Ok(Value::Binary(json.into()))
    }
}

fn put(json: &mut Vec<u8>, value: &Value) -> ServerResult<()> {
    match value {
        Value::Binary(written) => json.extend_from_slice(written),
        Value::Null => json.extend_from_slice(b"null"),
        value => write(json, value).map_err(|error| ServerError::new(error.to_string(), None))?,
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use async_graphql::value;

    #[test]
    fn what_is_written_stands_in_the_answer_as_it_is() {
        let mut object = Draft::object(3);
        for (key, value) in [("a", value!("1\"\n")), ("b", value!([1, null])), ("c", value!({ "d": true }))] {
            object.field(key);
            object.put(&value).expect("it is written");
        }
        let object = object.close(Vec::new()).expect("it is whole");
        let mut list = Draft::list();
        for value in [object, Value::Null] {
            list.next();
            list.put(&value).expect("it is written");
        }
        let list = list.close(Vec::new()).expect("it is whole");
        let around = Value::Object([(async_graphql::Name::new("all"), list)].into_iter().collect());
        let json = to_vec(&around, 0).expect("it is written");
        assert_eq!(length(&around), json.len() - r#"{"all":}"#.len());
        let expected = r#"{"all":[{"a":"1\"\n","b":[1,null],"c":{"d":true}},null]}"#;
        assert_eq!(String::from_utf8(json).expect("text"), expected);
    }

    #[test]
    fn what_was_waited_for_stands_in_its_place() {
        let mut object = Draft::object(3);
        object.field("late");
        object.leave();
        object.field("there");
        object.put(&value!(1)).expect("it is written");
        object.field("later");
        object.leave();
        let object = object.close(vec![value!({ "a": 2 }), Value::Null]).expect("it is whole");
        let json = to_vec(&object, 0).expect("it is written");
        assert_eq!(String::from_utf8(json).expect("text"), r#"{"late":{"a":2},"there":1,"later":null}"#);
    }

    #[test]
    fn items_stand_apart_whichever_of_them_are_waited_for() {
        for late in 0..8 {
            let mut list = Draft::list();
            let is_late = |place: &i32| late >> place & 1 == 1;
            for place in 0..3 {
                list.next();
                if is_late(&place) { list.leave() } else { list.put(&value!(place)).expect("it is written") }
            }
            let waited: Vec<_> = (0..3).filter(is_late).map(|place| value!(place)).collect();
            let list = list.close(waited).expect("it is whole");
            assert_eq!(to_vec(&list, 0).expect("it is written"), b"[0,1,2]", "{late:03b}");
        }
    }

    #[test]
    fn what_is_empty_is_written_too() {
        let written = |draft: Draft| to_vec(&draft.close(Vec::new()).expect("whole"), 0).expect("written");
        assert_eq!((written(Draft::object(0)), written(Draft::list())), (b"{}".to_vec(), b"[]".to_vec()));
    }
}
