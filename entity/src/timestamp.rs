//! Owns the one representation of a moment in the database: whole milliseconds since the epoch, UTC.
//! Refuses to tell the time (the program's clock does) and to format it (the transports do).

use std::time::Duration;

use sea_orm::{DeriveValueType, sea_query::DateTimeLikeValue};

/// A moment, in milliseconds since 1970-01-01T00:00:00Z.
///
/// A `BIGINT` rather than a date type: it orders, compares and pages exactly alike on both databases, and there is
/// no date text that one writer could spell differently from another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, DeriveValueType)]
pub struct Timestamp(i64);

impl Timestamp {
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    pub const fn millis(self) -> i64 {
        self.0
    }

    /// Saturates: a configured lifetime of a thousand centuries means "never", not an overflow.
    #[must_use]
    pub fn plus(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(whole_millis(duration)))
    }

    /// Saturates, as [`Timestamp::plus`] does.
    #[must_use]
    pub fn minus(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(whole_millis(duration)))
    }

    /// How long ago `earlier` was; zero when it has not come yet.
    pub fn since(self, earlier: Self) -> Duration {
        let millis = self.0.saturating_sub(earlier.0);
        Duration::from_millis(u64::try_from(millis).unwrap_or(0))
    }
}

/// Lets typed columns compare with it: `user::COLUMN.created_at.lt(now)`.
impl DateTimeLikeValue for Timestamp {}

fn whole_millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use sea_orm::{
        Value,
        sea_query::{ColumnType, Nullable, ValueType},
    };

    const NOON: Timestamp = Timestamp::from_millis(43_200_000);

    #[test]
    fn moves_by_whole_milliseconds() {
        assert_eq!(NOON.plus(Duration::from_micros(2_999)).millis(), 43_200_002);
        assert_eq!(NOON.minus(Duration::from_hours(12)).millis(), 0);
        assert_eq!(NOON.minus(Duration::from_hours(24)).millis(), -43_200_000);
    }

    #[test]
    fn saturates_at_both_ends() {
        assert_eq!(NOON.plus(Duration::MAX).millis(), i64::MAX);
        assert_eq!(Timestamp::from_millis(i64::MIN).minus(Duration::MAX).millis(), i64::MIN);
        assert_eq!(
            Timestamp::from_millis(i64::MAX).since(Timestamp::from_millis(i64::MIN)),
            Duration::from_millis(i64::MAX.unsigned_abs())
        );
    }

    #[test]
    fn measures_forwards_only() {
        let later = NOON.plus(Duration::from_secs(5));
        assert_eq!(later.since(NOON), Duration::from_secs(5));
        assert_eq!(NOON.since(later), Duration::ZERO);
        assert!(later > NOON);
    }

    #[test]
    fn is_a_big_integer_to_the_database() {
        assert_eq!(<Timestamp as ValueType>::column_type(), ColumnType::BigInteger);
        assert_eq!(Value::from(NOON), Value::BigInt(Some(43_200_000)));
        assert_eq!(Value::from(None::<Timestamp>), Value::BigInt(None));
        assert_eq!(<Timestamp as Nullable>::null(), Value::BigInt(None));
        assert_eq!(<Timestamp as ValueType>::unwrap(Value::from(NOON)), NOON);
    }
}
