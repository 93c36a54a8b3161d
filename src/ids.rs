//! Public ids in the `TypeID` format: a prefix that names the kind, `_`, and the 16 bytes in Crockford's base32.
//!
//! The database holds the 16 bytes; the text exists only at the doors. An id of another kind, or text that is no
//! id, is `None`: a caller treats it like an object that does not exist.

use std::sync::{Mutex, PoisonError};

use entity::Timestamp;
use uuid::{Builder, Uuid};

use crate::crypto::Random;

/// What an id names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    User,
    Organization,
    Membership,
    Role,
    Session,
    Application,
    Event,
    Model,
    Invitation,
    Passkey,
    Challenge,
    ApiKey,
}

impl Kind {
    pub const ALL: [Self; 12] = [
        Self::User,
        Self::Organization,
        Self::Membership,
        Self::Role,
        Self::Session,
        Self::Application,
        Self::Event,
        Self::Model,
        Self::Invitation,
        Self::Passkey,
        Self::Challenge,
        Self::ApiKey,
    ];

    pub const fn prefix(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Organization => "org",
            Self::Membership => "member",
            Self::Role => "role",
            Self::Session => "session",
            Self::Application => "app",
            Self::Event => "evt",
            Self::Model => "model",
            Self::Invitation => "inv",
            Self::Passkey => "passkey",
            Self::Challenge => "challenge",
            Self::ApiKey => "key",
        }
    }

    fn of_prefix(prefix: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.prefix() == prefix)
    }
}

const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
/// 26 characters of 5 bits hold 130 bits: the first one carries only the top 3 bits of the 128.
const LENGTH: usize = 26;

pub fn encode(kind: Kind, id: Uuid) -> String {
    let prefix = kind.prefix();
    let mut text = String::with_capacity(prefix.len() + 1 + LENGTH);
    text.push_str(prefix);
    text.push('_');
    let bits = id.as_u128();
    for position in (0..LENGTH).rev() {
        let index = usize::try_from((bits >> (5 * position)) & 31).unwrap_or_default();
        text.push(char::from(ALPHABET[index]));
    }
    text
}

/// What `text` names, whatever its kind.
pub fn decode(text: &str) -> Option<(Kind, Uuid)> {
    let (prefix, suffix) = text.split_once('_')?;
    let kind = Kind::of_prefix(prefix)?;
    // One spelling per id: no upper case, no aliases for look-alike letters, no overflow of the 128 bits.
    if suffix.len() != LENGTH || suffix.as_bytes()[0] > b'7' {
        return None;
    }
    let mut bits: u128 = 0;
    for character in suffix.bytes() {
        let index = ALPHABET.iter().position(|letter| *letter == character)?;
        bits = (bits << 5) | u128::try_from(index).ok()?;
    }
    Some((kind, Uuid::from_u128(bits)))
}

/// The id that `text` names if it names something of this kind.
pub fn decode_as(kind: Kind, text: &str) -> Option<Uuid> {
    decode(text).filter(|(found, _)| *found == kind).map(|(_, id)| id)
}

/// New ids: `UUIDv7`, so that rows that were made together lie together in an index. Each is greater than the one that
/// the process made before, and so what happened first stands first, within a millisecond, too (RFC 9562, 6.2, method 2):
/// in the same millisecond, or when the clock was set back, the random bits of the last id grow by a random step.
#[derive(Debug, Default)]
pub struct Sequence(Mutex<u128>);

/// Of the 128 bits 74 are random; 48 above them count milliseconds, and 6 say which sort of id it is.
const RANDOM_BITS: u32 = 74;

impl Sequence {
    pub fn next(&self, now: Timestamp, random: &dyn Random) -> Uuid {
        let mut bytes = [0; 16];
        random.fill(&mut bytes);
        let drawn = u128::from_be_bytes(bytes);
        let millis = u128::try_from(now.millis()).unwrap_or_default();
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *last = if millis > *last >> RANDOM_BITS {
            millis << RANDOM_BITS | drawn & ((1 << RANDOM_BITS) - 1)
        } else {
            // The step leaves room for billions of ids of one millisecond; after them it carries into the next.
            *last + 1 + (drawn & u128::from(u32::MAX))
        };
        of_number(*last)
    }
}

/// The id whose milliseconds and random bits are this number.
fn of_number(number: u128) -> Uuid {
    let millis = u64::try_from(number >> RANDOM_BITS).unwrap_or_default();
    // The version takes four bits behind the first twelve random ones, and the variant two.
    let first = (number >> 62) & 0xfff;
    let rest = number & ((1 << 62) - 1);
    let random = (first << 64 | rest).to_be_bytes();
    let mut tail = [0; 10];
    tail.copy_from_slice(&random[6..]);
    Builder::from_unix_timestamp_millis(millis, &tail).into_uuid()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_id_survives_the_round_trip(bits: u128, kind in 0..Kind::ALL.len()) {
            let (kind, id) = (Kind::ALL[kind], Uuid::from_u128(bits));
            prop_assert_eq!(decode(&encode(kind, id)), Some((kind, id)));
        }

        #[test]
        fn text_decodes_only_to_the_id_that_prints_it(text in "(user|org|x)_[0-9a-zA-Z]{24,28}") {
            if let Some((kind, id)) = decode(&text) {
                prop_assert_eq!(encode(kind, id), text);
            }
        }

        #[test]
        fn nonsense_never_panics(text in "\\PC*") {
            decode(&text);
        }
    }

    /// Always the same bytes.
    struct Same(u8);

    impl Random for Same {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(self.0);
        }
    }

    #[test]
    fn each_id_is_greater_than_the_one_before_whatever_the_clock_and_chance_do() {
        for random in [Same(0), Same(0x5a), Same(0xff)] {
            let (sequence, mut last) = (Sequence::default(), Uuid::nil());
            // Many of one millisecond, one that was set back, and a later one.
            for millis in [5_000; 100].into_iter().chain([4_000, 5_001, 9_000]) {
                let id = sequence.next(Timestamp::from_millis(millis), &random);
                assert!(id > last, "{last} {id}");
                assert_eq!((id.get_version_num(), id.get_variant()), (7, uuid::Variant::RFC4122));
                last = id;
            }
            assert_eq!(last.as_u128() >> 80, 9_000);
        }
    }

    #[test]
    fn the_same_clock_and_chance_make_the_same_ids() {
        let ids = || {
            let sequence = Sequence::default();
            [1, 1, 2].map(|millis| sequence.next(Timestamp::from_millis(millis), &Same(7)))
        };
        assert_eq!(ids(), ids());
    }

    #[test]
    fn ids_look_as_the_format_says() {
        // The example of the TypeID specification, with one of our prefixes.
        let id = Uuid::parse_str("01890a5d-ac96-774b-bcce-b302099a8057").unwrap();
        assert_eq!(encode(Kind::User, id), "user_01h455vb4pex5vsknk084sn02q");
    }

    #[test]
    fn an_id_of_another_kind_is_not_found() {
        let text = encode(Kind::User, Uuid::from_u128(1));
        assert_eq!(decode_as(Kind::Organization, &text), None);
        assert_eq!(decode_as(Kind::User, &text.to_uppercase()), None);
        assert_eq!(decode("user_80000000000000000000000000"), None);
    }
}
