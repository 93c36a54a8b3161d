//! How many invitations went to an address lately: nobody's mailbox is flooded, not even by many organisations, and no
//! organisation keeps the mails of another away.

use std::collections::HashSet;

use uuid::Uuid;

use crate::{
    context::Ctx,
    db::Txn,
    domain::limits::budget::{self, Asker, Matter, Verdict},
    error::{ErrorCode, Fault, Result},
};

pub fn too_many(path: &[&str]) -> Fault {
    let message = "This address was sent too many invitations: wait a while.";
    let mut fault = Fault::new(ErrorCode::TooManyAttempts, path, message);
    fault.retry_after = Some(budget::WINDOW);
    fault
}

/// Who of these addresses had enough.
pub struct Flooded {
    /// By what the organisation itself sent: it is told so.
    pub by_us: HashSet<String>,
    /// By what all organisations together sent: nobody is told, for it would tell of the others. The invitation stands, and
    /// shows to whoever proves the address; only no mail is sent.
    pub by_all: HashSet<String>,
}

/// Takes a mail for each of these addresses, by their keys, out of their budgets. Each organisation has a share of its own.
/// Whoever asks queues for the addresses until the transaction ends.
pub async fn flooded(txn: &Txn, ctx: &Ctx, organization: Uuid, email_keys: &[&str]) -> Result<Flooded> {
    txn.queue_for(email_keys).await?;
    let asker = Asker::organization(organization);
    let verdicts = budget::take_all(txn, ctx, Matter::Invitation, email_keys, &asker).await?;
    let those = |which: Verdict| {
        let all = email_keys.iter().zip(&verdicts).filter(|(_, verdict)| **verdict == which);
        all.map(|(key, _)| (*key).to_owned()).collect()
    };
    Ok(Flooded { by_us: those(Verdict::ShareUsedUp), by_all: those(Verdict::TargetUsedUp) })
}
