//! Owns the bytes that no log may show: hashes of passwords, codes and tokens, and sealed values.
//! Refuses to print them. It neither hashes, nor seals, nor compares in constant time: that is the program's work.

use std::fmt;

use sea_orm::DeriveValueType;

/// A hash or a sealed value, as it lies in the database.
///
/// Equality is the plain, early-leaving one, so that rows can be compared. Where a guess meets a secret, compare
/// with the program's constant-time function instead.
#[derive(Clone, PartialEq, Eq, DeriveValueType)]
#[sea_orm(column_type = "Blob")]
pub struct Secret(pub Vec<u8>);

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("[secret]")
    }
}

impl From<Vec<u8>> for Secret {
    fn from(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sea_orm::{
        ActiveValue, Value,
        sea_query::{ColumnType, ValueType},
    };

    #[test]
    fn never_prints_itself() {
        let secret = Secret(b"$2b$10$hash".to_vec());
        assert_eq!(format!("{secret:?}"), "[secret]");
        assert_eq!(format!("{:?}", Some(secret.clone())), "Some([secret])");
        assert_eq!(format!("{:?}", ActiveValue::Set(secret)), "Set([secret])");
    }

    #[test]
    fn is_bytes_to_the_database() {
        assert_eq!(<Secret as ValueType>::column_type(), ColumnType::Blob);
        assert_eq!(Value::from(Secret(vec![0, 255])), Value::Bytes(Some(vec![0, 255])));
        assert_eq!(Value::from(None::<Secret>), Value::Bytes(None));
    }
}
