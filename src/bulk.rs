//! What bulk mutations have in common: how many items one call takes, and whether it is in earnest.

use std::{collections::HashSet, hash::Hash};

use crate::{
    db::Txn,
    error::{Error, ErrorCode, Fault, Result},
};

/// How many items one call takes.
pub const AT_ONCE: usize = 100;

/// Whether what is asked for is done, or only tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Run {
    Real,
    /// Everything is checked against the database, and rolled back.
    Dry,
}

impl Run {
    /// As inputs say it: `dryRun`, which is left out by most.
    pub fn unless_dry(dry_run: Option<bool>) -> Self {
        if dry_run == Some(true) { Self::Dry } else { Self::Real }
    }

    /// Ends the transaction in which everything was done: with the commit, and what was made or changed; or, when it was
    /// only tried, with nothing.
    pub async fn end<T>(self, txn: Txn, done: Vec<T>) -> Result<Vec<T>> {
        match self {
            Self::Dry => Ok(Vec::new()),
            Self::Real => {
                txn.commit().await?;
                Ok(done)
            }
        }
    }
}

/// Nothing of it, if anything is at fault: every fault at once.
pub fn refuse(faults: Vec<Fault>) -> Result<()> {
    if faults.is_empty() { Ok(()) } else { Err(Error::Faults(faults)) }
}

/// Refuses everything if anything is at fault. Each item comes with the key that names it, in the field `key`, and with its
/// own faults; a key may be named once.
pub fn judge<K: Hash + Eq>(
    list: &str,
    key: &str,
    items: impl IntoIterator<Item = (K, Vec<Fault>)>,
) -> Result<()> {
    let mut seen = HashSet::new();
    let mut faults = Vec::new();
    for (index, (name, mut found)) in items.into_iter().enumerate() {
        if !seen.insert(name) {
            found.push(Fault::new(ErrorCode::Taken, &[key], format!("This {key} is named twice.")));
        }
        faults.extend(found.into_iter().map(|fault| fault.of_item(list, index)));
    }
    refuse(faults)
}

/// Refuses a list that is too long, at the list.
pub fn check_size(list: &str, length: usize) -> Result<(), Fault> {
    let message = format!("One call takes {AT_ONCE} items; there are {length}.");
    if length > AT_ONCE { Err(Fault::new(ErrorCode::TooManyItems, &[list], message)) } else { Ok(()) }
}
