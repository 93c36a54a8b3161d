//! Coming in through the extension of an application.
//!
//! The application and its extensions share a key. An id token that was sealed with it (`NaCl`'s secretbox) says whom the
//! extension means, by an id of its own, and when; it works for five minutes, and once. An extension's id is its own: it
//! never leads to an account that was made in another way, whatever that is called.

use std::time::Duration;

use crypto_secretbox::{KeyInit, XSalsa20Poly1305, aead::Aead};
use data_encoding::{BASE64, HEXLOWER};
use entity::{Secret, Timestamp, UserStatus, application, extension_user, id_token, user};
use sea_orm::{ActiveModelTrait, ColumnTrait, EntityTrait, QueryFilter, Set};
use uuid::Uuid;

use super::{
    links,
    secrets::{self, KEY_LENGTH},
    service::no_such_application,
};
use crate::{
    context::Ctx,
    crypto,
    db::Txn,
    domain::{
        credentials::refusals,
        identity::{names, service as identity},
        limits::{rules, service as limits},
        sessions::entering::{self, Entered, Entering, How},
    },
    error::{Error, ErrorCode, Fault, Result},
};

/// How long a token is good for.
const GOOD_FOR: Duration = Duration::from_mins(5);
/// How far ahead of ours the clock of the extension may be.
const AHEAD: Duration = Duration::from_mins(1);
/// What is longer is no id token.
const LONGEST: usize = 2_000;
const NONCE_LENGTH: usize = 24;
const TRIES: u32 = 4;

/// What a token says.
#[derive(Debug, PartialEq, Eq)]
struct Said {
    subject: String,
    at: Timestamp,
}

/// Unknown, forged, too old and shown before are one answer; only who holds a good token of a deactivated account is told
/// so.
pub async fn exchange(ctx: &Ctx, token: &str, application_id: Option<Uuid>) -> Result<Entered> {
    let since = ctx.now();
    let id = application_id.ok_or_else(no_such_application)?;
    let application = application::Entity::find_by_id(id).filter(application::Column::Active.eq(true));
    let application = application.one(ctx.app.db.read()).await?.ok_or_else(no_such_application)?;
    limits::for_source(ctx, &rules::SOURCE).await?;
    let key = secrets::open_extension_key(ctx, &application);
    let sealed = Sealed::read(token);
    let said = key.zip(sealed.as_ref()).and_then(|(key, sealed)| Said::read(&sealed.open(&key)?));
    let (Some(sealed), Some(said)) = (sealed, said.filter(|said| said.is_good(ctx.now()))) else {
        return refuse(ctx, None, wrong()).await;
    };
    let (user, sight) = match admit(ctx, id, &sealed, &said).await {
        Ok(admitted) => admitted,
        Err(Error::Faults(faults)) => {
            refusals::note(ctx, None, None).await?;
            return Err(Error::Faults(faults));
        }
        Err(other) => return Err(other),
    };
    match user.status {
        UserStatus::Active => {}
        UserStatus::Deactivated => {
            let inactive = Fault::new(ErrorCode::Inactive, &[], "This account is deactivated.");
            return refuse(ctx, Some(user.id), inactive).await;
        }
        UserStatus::Unverified => return refuse(ctx, Some(user.id), wrong()).await,
    }
    // A first sight makes an account: somebody with the key of an extension makes no more of them than wrong guesses.
    if sight == Sight::Known {
        limits::give_back_source(ctx, &rules::SOURCE).await?;
    }
    let (application_id, how) = (application.id, How::IdToken);
    let entering = Entering { user, application_id, device: None, how, device_token: None, since };
    // Who is deleted at this moment is nobody any more.
    entering::enter(ctx, entering).await.map_err(|error| error.on_gone(wrong()))
}

/// A token, taken apart and not opened yet.
struct Sealed {
    ciphertext: Vec<u8>,
    nonce: [u8; NONCE_LENGTH],
}

impl Sealed {
    fn read(token: &str) -> Option<Self> {
        let (ciphertext, nonce) = token.split_once(':').filter(|_| token.len() <= LONGEST)?;
        let ciphertext = BASE64.decode(ciphertext.as_bytes()).ok()?;
        let nonce = BASE64.decode(nonce.as_bytes()).ok()?.try_into().ok()?;
        Some(Self { ciphertext, nonce })
    }

    fn open(&self, key: &[u8; KEY_LENGTH]) -> Option<Vec<u8>> {
        let cipher = XSalsa20Poly1305::new(key.into());
        cipher.decrypt((&self.nonce).into(), self.ciphertext.as_slice()).ok()
    }

    /// Of what was sealed and not of its spelling, and for this application alone.
    fn hash(&self, application_id: Uuid) -> Secret {
        let (nonce, ciphertext) = (HEXLOWER.encode(&self.nonce), HEXLOWER.encode(&self.ciphertext));
        crypto::token_hash(&format!("{application_id}:{nonce}:{ciphertext}"))
    }
}

impl Said {
    fn read(plain: &[u8]) -> Option<Self> {
        let mut parts = std::str::from_utf8(plain).ok()?.split("::");
        let (subject, word, at) = (parts.next()?, parts.next()?, parts.next()?);
        let whole = parts.next().is_none() && word == "extension";
        let subject_fits = !subject.trim().is_empty() && names::text_problem(subject).is_none();
        // `parse` takes a sign, too.
        let digits = at.bytes().all(|byte| byte.is_ascii_digit());
        let at = at.parse().ok().filter(|_| whole && subject_fits && digits)?;
        Some(Self { subject: subject.to_owned(), at: Timestamp::from_millis(at) })
    }

    /// Five minutes to the millisecond; what comes from further ahead than clocks differ would be good for longer.
    fn is_good(&self, now: Timestamp) -> bool {
        self.at <= now.plus(AHEAD) && (self.at > now || now.since(self.at) < GOOD_FOR)
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Sight {
    First,
    Known,
}

/// Uses the token up, and finds whom it means, or makes them.
async fn admit(
    ctx: &Ctx,
    application_id: Uuid,
    sealed: &Sealed,
    said: &Said,
) -> Result<(user::Model, Sight)> {
    let mut tries = 1;
    loop {
        match try_admit(ctx, application_id, sealed, said).await {
            // Two tokens of a new person came at the same moment: now the one finds whom the other has made.
            Err(Error::Conflict(_)) if tries < TRIES => tries += 1,
            other => return other,
        }
    }
}

async fn try_admit(
    ctx: &Ctx,
    application_id: Uuid,
    sealed: &Sealed,
    said: &Said,
) -> Result<(user::Model, Sight)> {
    let txn = ctx.app.db.begin().await?;
    let row = id_token::ActiveModel {
        id: Set(ctx.new_id()),
        token_hash: Set(sealed.hash(application_id)),
        expires_at: Set(said.at.plus(GOOD_FOR)),
    };
    let spent = row.insert(&*txn).await;
    spent.map_err(|error| Error::from(error).on_conflict("id_tokens.token_hash", wrong()))?;
    let subject_hash = links::subject_hash(ctx, application_id, &said.subject)?;
    let known = extension_user::Entity::find()
        .filter(extension_user::Column::ApplicationId.eq(application_id))
        .filter(extension_user::Column::SubjectHash.eq(subject_hash.clone()))
        .find_also_related(user::Entity)
        .one(&*txn)
        .await?;
    let admitted = match known {
        Some((_, Some(user))) => (user, Sight::Known),
        _ => (make(&txn, ctx, application_id, subject_hash).await?, Sight::First),
    };
    txn.commit().await?;
    Ok(admitted)
}

async fn make(txn: &Txn, ctx: &Ctx, application_id: Uuid, subject_hash: Secret) -> Result<user::Model> {
    let user = identity::make_extension_user(txn, ctx).await?;
    let row = extension_user::ActiveModel {
        id: Set(ctx.new_id()),
        application_id: Set(application_id),
        subject_hash: Set(subject_hash),
        user_id: Set(user.id),
        created_at: Set(ctx.now()),
    };
    row.insert(&**txn).await?;
    Ok(user)
}

async fn refuse(ctx: &Ctx, user_id: Option<Uuid>, fault: Fault) -> Result<Entered> {
    refusals::note(ctx, user_id, None).await?;
    Err(fault.into())
}

fn wrong() -> Fault {
    Fault::new(ErrorCode::WrongCredentials, &["idToken"], "This is no id token that is good now.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_box_of_another_maker_opens() {
        // From the tests of NaCl itself: tests/secretbox.c.
        let hex = |text: &str| HEXLOWER.decode(text.as_bytes()).unwrap();
        let key = hex("1b27556473e985d462cd51197a9a46c76009549eac6474f206c4ee0844f68389");
        let nonce = hex("69696ee955b62b73cd62bda875fc73d68219e0036b7a0b37");
        let boxed = hex(concat!(
            "f3ffc7703f9400e52a7dfb4b3d3305d98e993b9f48681273c29650ba32fc76ce48332ea7164d96a4476fb8c531a1186ac",
            "0dfc17c98dce87b4da7f011ec48c97271d2c20f9b928fe2270d6fb863d51738b48eeee314a7cc8ab932164548e526ae90",
            "224368517acfeabd6bb3732bc0e9da99832b61ca01b6de56244a9e88d5f9b37973f622a43d14a6599b1f654cb45a74e355a5"
        ));
        let token = format!("{}:{}", BASE64.encode(&boxed), BASE64.encode(&nonce));
        let opened = Sealed::read(&token).unwrap().open(&key.try_into().unwrap()).unwrap();
        assert!(opened.starts_with(&hex("be075fc53c81f2d5cf141316ebeb0c7b")) && opened.len() == 131);
    }

    #[test]
    fn what_is_no_token_is_none() {
        for text in ["", ":", "a:b", "AAAA", "AAAA:AAAA", "AAAA:AAAA:AAAA", "\u{0}:\u{0}", &"A".repeat(3_000)]
        {
            assert!(Sealed::read(text).is_none(), "{text}");
        }
        let said = |text: &str| Said::read(text.as_bytes());
        assert_eq!(
            said("ada::extension::7"),
            Some(Said { subject: "ada".to_owned(), at: Timestamp::from_millis(7) })
        );
        for text in [
            "ada::extension",
            "::extension::7",
            " ::extension::7",
            "ada::browser::7",
            "ada::extension::7::8",
            "ada::extension::",
            "ada::extension::-7",
            "ada::extension::+7",
            "ada::extension::7.5",
            "ada::extension::99999999999999999999",
            "a\0a::extension::7",
        ] {
            assert_eq!(said(text), None, "{text}");
        }
        assert_eq!(Said::read(&[0xff, b':', b':']), None);
    }

    #[test]
    fn a_token_is_good_for_five_minutes_and_not_from_the_future() {
        let now = Timestamp::from_millis(10_000_000);
        let good = |at| Said { subject: "ada".to_owned(), at: Timestamp::from_millis(at) }.is_good(now);
        assert!(good(10_000_000) && good(9_700_001) && good(10_060_000));
        assert!(!good(9_700_000) && !good(10_060_001) && !good(0) && !good(i64::MAX));
    }
}
