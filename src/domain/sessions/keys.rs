//! The keys that sign access tokens: sealed in the database, shared by all instances, published as a JWKS.

use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use aws_lc_rs::{
    encoding::AsDer,
    rsa::{self, KeySize},
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair},
};
use data_encoding::BASE64URL_NOPAD;
use entity::{Timestamp, installation, signing_key};
use jsonwebtoken::{
    Algorithm, DecodingKey, EncodingKey,
    jwk::{Jwk, PublicKeyUse},
};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, Condition, DbBackend, EntityTrait, PaginatorTrait, QueryFilter,
    QueryOrder, QuerySelect, Set,
};
use uuid::Uuid;

use crate::{
    app::App,
    config::TokenAlgorithm,
    context::Ctx,
    crypto::{Purpose, Vault},
    db::Txn,
    domain::events::log::{self, EventType, NewEvent},
    error::{Error, Result},
};

pub struct SigningKey {
    pub kid: String,
    pub algorithm: Algorithm,
    pub encoding: EncodingKey,
    pub decoding: DecodingKey,
    pub public: serde_json::Value,
    active_from: Timestamp,
    retired_at: Option<Timestamp>,
    expires_at: Option<Timestamp>,
}

impl SigningKey {
    fn signs(&self, now: Timestamp) -> bool {
        self.active_from <= now && !self.is_retired(now)
    }

    fn is_retired(&self, now: Timestamp) -> bool {
        self.retired_at.is_some_and(|end| end <= now)
    }

    fn in_force(&self, now: Timestamp) -> bool {
        self.expires_at.is_none_or(|end| end > now)
    }
}

/// All keys in force, as last read from the database.
#[derive(Default)]
pub struct Keyring(RwLock<Known>);

#[derive(Default, Clone)]
struct Known {
    by_kid: HashMap<String, Arc<SigningKey>>,
    /// Those of the algorithm that is set, the oldest first. One that signs later is among them: from that moment on
    /// every instance takes it, without a look.
    signers: Vec<Arc<SigningKey>>,
    read_at: Option<Timestamp>,
}

/// How often at most an unknown `kid` makes us look whether another instance has a new key.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// How long the keys are published as they were read.
const PUBLISHED_FOR: Duration = Duration::from_secs(30);

impl Keyring {
    /// The key to sign with at this moment: the newest whose time has come. Where a clock was set back, it may have come for
    /// none; then the oldest that is not retired signs, as the one that verifiers know best.
    pub fn signing(&self, now: Timestamp) -> Result<Arc<SigningKey>> {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let newest = known.signers.iter().rev().find(|key| key.signs(now));
        let usable = newest.or_else(|| known.signers.iter().find(|key| !key.is_retired(now)));
        usable.cloned().ok_or_else(|| Error::internal("there is no signing key"))
    }

    /// Since when the newest key signs, or from when on it will.
    pub(super) fn newest(&self) -> Option<Timestamp> {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        known.signers.last().map(|key| key.active_from)
    }

    /// The published keys: every one that a token in force may have been signed with.
    fn published(&self, now: Timestamp) -> Vec<serde_json::Value> {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let mut keys: Vec<_> = known.by_kid.values().filter(|key| key.in_force(now)).collect();
        keys.sort_by_key(|key| std::cmp::Reverse(key.active_from));
        keys.into_iter().map(|key| key.public.clone()).collect()
    }

    fn find(&self, kid: &str, now: Timestamp) -> Option<Arc<SigningKey>> {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        known.by_kid.get(kid).filter(|key| key.in_force(now)).cloned()
    }

    fn read_at(&self) -> Option<Timestamp> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).read_at
    }

    fn replace(&self, known: Known) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = known;
    }
}

/// The key with this `kid`, if it is one of ours.
pub async fn find(app: &App, kid: &str) -> Result<Option<Arc<SigningKey>>> {
    let now = app.clock.now();
    if let Some(key) = app.keyring.find(kid, now) {
        return Ok(Some(key));
    }
    let fresh = app
        .keyring
        .read_at()
        .is_some_and(|at| at <= app.clock.now() && app.clock.now().since(at) < LOOK_AGAIN);
    if !fresh {
        Box::pin(load(app)).await?;
    }
    Ok(app.keyring.find(kid, now))
}

/// Reads the keys, and makes the first one when there is none to sign with.
pub async fn ensure(ctx: &Ctx) -> Result<()> {
    load(&ctx.app).await?;
    if ctx.app.keyring.signing(ctx.now()).is_err() {
        create_alone(ctx).await?;
        load(&ctx.app).await?;
    }
    Ok(())
}

/// Of several instances that start at once one makes the key: the row of the installation is their lock, and whoever
/// comes later finds the key.
async fn create_alone(ctx: &Ctx) -> Result<()> {
    let txn = ctx.app.db.begin().await?;
    alone(&txn, ctx).await?;
    let algorithm = algorithm_name(signature_algorithm(ctx.app.config.tokens.token_alg));
    let now = ctx.now();
    let made = signing_key::Entity::find()
        .filter(signing_key::Column::Algorithm.eq(&algorithm))
        .filter(signing_key::Column::RetiredAt.is_null())
        .filter(
            Condition::any()
                .add(signing_key::Column::ExpiresAt.is_null())
                .add(signing_key::Column::ExpiresAt.gt(now)),
        )
        .count(&*txn)
        .await?;
    if made == 0 {
        create(&txn, ctx, now).await?;
    }
    txn.commit().await
}

/// One at a time changes the keys, on whatever instance.
pub(super) async fn alone(txn: &Txn, ctx: &Ctx) -> Result<()> {
    if ctx.app.db.backend() == DbBackend::Postgres {
        installation::Entity::find_by_id(1).lock_exclusive().one(&**txn).await?;
    }
    Ok(())
}

pub(super) fn algorithm_name(algorithm: Algorithm) -> String {
    format!("{algorithm:?}")
}

/// The published keys.
pub async fn published(app: &App) -> Result<Vec<serde_json::Value>> {
    look(app).await?;
    Ok(app.keyring.published(app.clock.now()))
}

/// Reads the keys again when they were read a while ago: another instance may have made one. Whoever signs looks first,
/// outside of any transaction.
pub async fn look(app: &App) -> Result<()> {
    let fresh = app
        .keyring
        .read_at()
        .is_some_and(|at| at <= app.clock.now() && app.clock.now().since(at) < PUBLISHED_FOR);
    if fresh { Ok(()) } else { load(app).await }
}

pub(super) async fn load(app: &App) -> Result<()> {
    let now = app.clock.now();
    let rows =
        signing_key::Entity::find().order_by_asc(signing_key::Column::ActiveFrom).all(app.db.read()).await?;
    let wanted = signature_algorithm(app.config.tokens.token_alg);
    let mut known = Known { read_at: Some(now), ..Known::default() };
    for row in rows.into_iter().filter(|row| row.expires_at.is_none_or(|end| end > now)) {
        let key = Arc::new(open(&app.vault, row)?);
        if key.algorithm == wanted {
            known.signers.push(Arc::clone(&key));
        }
        known.by_kid.insert(key.kid.clone(), key);
    }
    app.keyring.replace(known);
    Ok(())
}

fn open(vault: &Vault, row: signing_key::Model) -> Result<SigningKey> {
    let private = vault
        .open(Purpose::SigningKey, &row.sealed_private)
        .ok_or_else(|| Error::internal("a signing key was sealed with another DENIZEN_SECRET"))?;
    let jwk: Jwk = serde_json::from_value(row.public_jwk.clone()).map_err(Error::internal)?;
    let algorithm: Algorithm = row.algorithm.parse().map_err(Error::internal)?;
    Ok(SigningKey {
        kid: row.kid,
        algorithm,
        encoding: encoding_key(algorithm, &private),
        decoding: DecodingKey::from_jwk(&jwk).map_err(Error::internal)?,
        public: row.public_jwk,
        active_from: row.active_from,
        retired_at: row.retired_at,
        expires_at: row.expires_at,
    })
}

/// Makes a key that signs from then on.
pub(super) async fn create(txn: &Txn, ctx: &Ctx, active_from: Timestamp) -> Result<String> {
    let algorithm = signature_algorithm(ctx.app.config.tokens.token_alg);
    let (id, now) = (ctx.new_id(), ctx.now());
    let kid = BASE64URL_NOPAD.encode(id.as_bytes());
    let (private, public) = generate(algorithm, &kid)?;
    let sealed = ctx.app.vault.seal(Purpose::SigningKey, &private, ctx.app.random.as_ref())?;
    signing_key::ActiveModel {
        id: Set(id),
        kid: Set(kid.clone()),
        algorithm: Set(algorithm_name(algorithm)),
        public_jwk: Set(serde_json::to_value(public).map_err(Error::internal)?),
        sealed_private: Set(sealed),
        created_at: Set(now),
        active_from: Set(active_from),
        retired_at: Set(None),
        expires_at: Set(None),
    }
    .insert(&**txn)
    .await?;
    let data = serde_json::json!({ "kid": kid, "algorithm": algorithm_name(algorithm) });
    log::record(txn, ctx, NewEvent::of(EventType::KeyRotated).with(data)).await?;
    Ok(kid)
}

pub(super) const fn signature_algorithm(setting: TokenAlgorithm) -> Algorithm {
    match setting {
        TokenAlgorithm::Es256 => Algorithm::ES256,
        TokenAlgorithm::EdDsa => Algorithm::EdDSA,
        TokenAlgorithm::Rs256 => Algorithm::RS256,
    }
}

/// jsonwebtoken takes RSA keys as PKCS#1, aws-lc gives them as PKCS#8: the same key behind a head that, for 2048 bits,
/// is always of this length.
const PKCS8_HEAD: usize = 26;

/// A new private key, and its public half as it is published.
fn generate(algorithm: Algorithm, kid: &str) -> Result<(Vec<u8>, Jwk)> {
    let failed = |_| Error::internal("no signing key could be made");
    let private = match algorithm {
        Algorithm::EdDSA => {
            Ed25519KeyPair::generate().and_then(|pair| pair.to_pkcs8v1()).map_err(failed)?.as_ref().to_vec()
        }
        Algorithm::RS256 => {
            let pair = rsa::KeyPair::generate(KeySize::Rsa2048).map_err(failed)?;
            let der = pair.as_der().map_err(failed)?;
            der.as_ref()
                .get(PKCS8_HEAD..)
                .ok_or_else(|| Error::internal("no signing key could be made"))?
                .to_vec()
        }
        _ => {
            let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).map_err(failed)?;
            pair.to_pkcs8v1().map_err(failed)?.as_ref().to_vec()
        }
    };
    let mut public =
        Jwk::from_encoding_key(&encoding_key(algorithm, &private), algorithm).map_err(Error::internal)?;
    public.common.key_id = Some(kid.to_owned());
    public.common.public_key_use = Some(PublicKeyUse::Signature);
    Ok((private, public))
}

fn encoding_key(algorithm: Algorithm, private: &[u8]) -> EncodingKey {
    match algorithm {
        Algorithm::EdDSA => EncodingKey::from_ed_der(private),
        Algorithm::RS256 => EncodingKey::from_rsa_der(private),
        _ => EncodingKey::from_ec_der(private),
    }
}

/// A `jti`, or any other id that only has to be unlike all others.
pub fn unique(ctx: &Ctx) -> String {
    let id: Uuid = ctx.new_id();
    BASE64URL_NOPAD.encode(id.as_bytes())
}

#[cfg(test)]
mod tests {
    use jsonwebtoken::{Header, Validation, decode, encode};

    use super::*;

    #[test]
    fn keys_of_every_algorithm_sign_what_their_published_half_verifies() {
        for algorithm in [Algorithm::ES256, Algorithm::EdDSA, Algorithm::RS256] {
            let (private, public) = generate(algorithm, "kid").unwrap();
            let text = serde_json::to_string(&public).unwrap();
            for secret in ["\"d\"", "\"p\"", "\"q\""] {
                assert!(!text.contains(secret), "{algorithm:?} publishes {secret}");
            }
            let claims = serde_json::json!({ "exp": 9_999_999_999_u64 });
            let token = encode(&Header::new(algorithm), &claims, &encoding_key(algorithm, &private)).unwrap();
            let key = DecodingKey::from_jwk(&public).unwrap();
            assert!(
                decode::<serde_json::Value>(&token, &key, &Validation::new(algorithm)).is_ok(),
                "{algorithm:?}"
            );
        }
    }
}
