//! Guessing at codes. Whether there is somebody with a code is told by nothing: not by the answer, nor by the limits,
//! which count names that are nobody's as well. Each network has tries of its own, and so strangers close nothing for the
//! owner; how many tries a code has in all is counted with the code.

use std::collections::HashSet;

use entity::{CodePurpose, one_time_code as code};
use uuid::Uuid;

use super::{codes, otp::OtpPurpose, refusals};
use crate::{
    context::Ctx,
    domain::{
        identity,
        limits::{Network, rules, service as limits},
    },
    error::{Error, ErrorCode, Fault, Result},
};

/// The right code for `identifier`, not spent yet; or the fault that says no more than it must. `candidates` are those
/// whom the identifier may mean, each with the purpose of their code.
pub async fn guess(
    ctx: &Ctx,
    what: OtpPurpose,
    identifier: &str,
    candidates: &[(Uuid, CodePurpose)],
    guess: &str,
) -> Result<code::Model> {
    let nobody = [(Uuid::nil(), what.of_code())];
    let candidates = if candidates.is_empty() { &nobody } else { candidates };
    let what = what.as_str();
    let subjects = subjects(ctx, what, identifier);
    let named = candidates.first().filter(|(id, _)| candidates.len() == 1 && !id.is_nil()).map(|(id, _)| *id);
    refusals::bounded_source(ctx).await?;
    for subject in &subjects {
        refusals::bounded(ctx, &rules::GUESS, subject, named).await?;
    }
    let mut answer = Err(ErrorCode::WrongCode);
    let mut tried = HashSet::new();
    // Whoever has several codes open is asked once: a guess is one try.
    for (user_id, purpose) in candidates.iter().filter(|one| tried.insert(**one)) {
        answer = codes::check_code(ctx, *user_id, *purpose, guess.trim()).await?;
        if answer.is_ok() {
            break;
        }
    }
    match answer {
        Ok(row) => {
            limits::give_back_source(ctx, &rules::SOURCE).await?;
            start_anew(ctx, what, identifier).await?;
            Ok(row)
        }
        Err(code) => {
            // That a code's tries are used up tells that there is one: the limit above says it for everybody alike.
            let told = if code == ErrorCode::Expired { code } else { ErrorCode::WrongCode };
            Err(identity::service::refusal(told, "code").into())
        }
    }
}

/// Whether it was a wrong code, and not a limit.
pub fn is_wrong(error: &Error) -> bool {
    let wrong = |fault: &Fault| matches!(fault.code, ErrorCode::WrongCode | ErrorCode::Expired);
    matches!(error, Error::Faults(faults) if faults.iter().all(wrong))
}

/// A new code was asked for from here, or the right one was shown: it may be guessed at anew. What was wrong in a row stays counted
/// elsewhere (`failures`).
pub async fn start_anew(ctx: &Ctx, what: &str, identifier: &str) -> Result<()> {
    for subject in subjects(ctx, what, identifier) {
        limits::clear(ctx, &rules::GUESS, &subject).await?;
    }
    Ok(())
}

fn subjects(ctx: &Ctx, what: &str, identifier: &str) -> Vec<String> {
    let network = Network::of(ctx);
    let keys = identity::names::identifier_keys(identifier).into_iter();
    keys.map(|key| format!("{what} {key} from {}", network.as_str())).collect()
}
