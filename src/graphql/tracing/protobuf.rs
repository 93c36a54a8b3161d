//! As much of Protocol Buffers as a trace takes: numbers, texts, and messages within messages.

const VARINT: u64 = 0;
const LENGTH_DELIMITED: u64 = 2;

#[derive(Default)]
pub(super) struct Message(Vec<u8>);

impl Message {
    /// A zero is not written: it is what a reader takes for granted.
    pub fn number(self, field: u64, number: u64) -> Self {
        if number == 0 { self } else { self.number_as_it_is(field, number) }
    }

    /// One of several fields of which the writer says which it is.
    pub fn number_as_it_is(mut self, field: u64, number: u64) -> Self {
        self.varint(field << 3 | VARINT);
        self.varint(number);
        self
    }

    pub fn text(self, field: u64, text: &str) -> Self {
        self.bytes(field, text.as_bytes())
    }

    pub fn message(self, field: u64, message: &Self) -> Self {
        self.bytes(field, &message.0)
    }

    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    fn bytes(mut self, field: u64, bytes: &[u8]) -> Self {
        self.varint(field << 3 | LENGTH_DELIMITED);
        self.varint(bytes.len() as u64);
        self.0.extend_from_slice(bytes);
        self
    }

    /// Seven bits at a time, the lowest first; all but the last with the highest bit set.
    fn varint(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.0.push(number.to_le_bytes()[0] | 0x80);
            number >>= 7;
        }
        self.0.push(number.to_le_bytes()[0]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_written_as_the_format_has_them() {
        // The examples of the format's own manual.
        assert_eq!(Message::default().number(1, 150).into_bytes(), [0x08, 0x96, 0x01]);
        let testing = [0x12, 0x07, 0x74, 0x65, 0x73, 0x74, 0x69, 0x6e, 0x67];
        assert_eq!(Message::default().text(2, "testing").into_bytes(), testing);
        let inner = Message::default().number(1, 150);
        assert_eq!(Message::default().message(3, &inner).into_bytes(), [0x1a, 0x03, 0x08, 0x96, 0x01]);
        assert!(Message::default().number(1, 0).into_bytes().is_empty());
        assert_eq!(Message::default().number_as_it_is(2, 0).into_bytes(), [0x10, 0x00]);
    }
}
