//! Absent and null in an input mean different things: this is where GraphQL's word for it becomes ours.

use async_graphql::MaybeUndefined;

use crate::change::Change;

/// Absent keeps, null clears.
pub fn of<T>(given: MaybeUndefined<T>) -> Change<T> {
    match given {
        MaybeUndefined::Undefined => Change::Keep,
        MaybeUndefined::Null => Change::Clear,
        MaybeUndefined::Value(value) => Change::Set(value),
    }
}
