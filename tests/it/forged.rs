//! Forged tokens: one algorithm, our own keys, every claim, and nothing that a header says is believed.

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use denizen::domain::sessions::rotation;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};

use crate::support::{Client, World};

struct Original {
    header: Value,
    claims: Value,
    key: EncodingKey,
}

fn part(token: &str, number: usize) -> Value {
    let part = token.split('.').nth(number).expect("a part");
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).expect("base64")).expect("JSON")
}

async fn original(world: &World) -> Original {
    let token = world.user("ada").await.token.expect("a token");
    let key = world.app.keyring.signing(world.app.clock.now()).expect("a key");
    Original { header: part(&token, 0), claims: part(&token, 1), key: key.encoding.clone() }
}

/// Signed with a true key, whatever the header says.
fn signed(header: &Value, claims: &Value, key: &EncodingKey, algorithm: Algorithm) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let message = format!("{}.{}", part(header), part(claims));
    let signature = jsonwebtoken::crypto::sign(message.as_bytes(), key, algorithm).expect("a signature");
    format!("{message}.{signature}")
}

async fn status(client: &Client, token: &str) -> u16 {
    client.with_token(token).run("{ __typename }").await.status.as_u16()
}

fn with(value: &Value, name: &str, member: Value) -> Value {
    let mut value = value.clone();
    value[name] = member;
    value
}

#[tokio::test]
async fn what_is_missing_or_mistyped_is_refused_even_with_our_own_signature() {
    for world in World::each().await {
        let Original { header, claims, key } = original(&world).await;
        let stranger = world.anonymous();
        let sign = |header: &Value, claims: &Value| signed(header, claims, &key, Algorithm::ES256);
        assert_eq!(status(&stranger, &sign(&header, &claims)).await, 200, "the true one");
        for claim in ["iss", "aud", "sub", "sid", "jti", "scope", "exp", "iat", "nbf"] {
            let mut without = claims.clone();
            without.as_object_mut().expect("claims").remove(claim);
            assert_eq!(status(&stranger, &sign(&header, &without)).await, 401, "without {claim}");
            for wrong in [json!(null), json!({}), json!([claims[claim]]), json!(true)] {
                let token = sign(&header, &with(&claims, claim, wrong.clone()));
                assert_eq!(status(&stranger, &token).await, 401, "{claim}: {wrong}");
            }
        }
        for (claim, wrong) in [
            ("iss", json!("http://elsewhere.test")),
            ("aud", json!("http://elsewhere.test")),
            ("exp", json!("9999999999")),
            ("exp", json!(claims["iat"].as_i64().expect("a time") - 1)),
            ("nbf", json!(claims["nbf"].as_i64().expect("a time") + 60)),
            ("iat", json!(claims["iat"].as_i64().expect("a time") + 60)),
            ("sub", claims["sid"].clone()),
            ("sid", claims["sub"].clone()),
        ] {
            let token = sign(&header, &with(&claims, claim, wrong.clone()));
            assert_eq!(status(&stranger, &token).await, 401, "{claim}: {wrong}");
        }
        for (name, wrong) in [
            ("typ", json!("JWT")),
            ("typ", json!(null)),
            ("kid", json!("another")),
            ("kid", json!(null)),
            ("crit", json!(["exp"])),
            ("alg", json!("ES384")),
            ("alg", json!("none")),
        ] {
            let token = sign(&with(&header, name, wrong.clone()), &claims);
            assert_eq!(status(&stranger, &token).await, 401, "{name}: {wrong}");
        }
    }
}

#[tokio::test]
async fn no_other_key_signs_whatever_the_header_brings_along() {
    for world in World::each().await {
        let Original { header, claims, key: _ } = original(&world).await;
        let stranger = world.anonymous();
        let published = stranger.get("/.well-known/jwks.json").await;
        let jwk = published.body["keys"][0].clone();
        // The published key as the secret of a symmetric algorithm, in every spelling that people have tried.
        for secret in [jwk.to_string(), jwk["x"].as_str().unwrap_or("").to_owned(), published.text.clone()] {
            let mut forged = Header::new(Algorithm::HS256);
            forged.typ = Some("at+jwt".to_owned());
            forged.kid = header["kid"].as_str().map(str::to_owned);
            let token =
                encode(&forged, &claims, &EncodingKey::from_secret(secret.as_bytes())).expect("a token");
            assert_eq!(status(&stranger, &token).await, 401);
        }
        // Every world begins with the same key: this one goes on to another.
        let other = World::on(world.backend).await;
        rotation::rotate(&other.system()).await.expect("a rotation");
        other.pass(Duration::from_mins(5));
        let theirs = original(&other).await;
        for (name, value) in [
            ("jwk", other.anonymous().get("/.well-known/jwks.json").await.body["keys"][0].clone()),
            ("jku", json!("http://evil.test/jwks.json")),
            ("x5u", json!("http://evil.test/cert.pem")),
            ("x5c", json!(["MIIB"])),
            ("kid", theirs.header["kid"].clone()),
        ] {
            let token = signed(&with(&header, name, value), &claims, &theirs.key, Algorithm::ES256);
            assert_eq!(status(&stranger, &token).await, 401, "{name}");
        }
        let edwards = World::with(world.backend, &["--token-alg", "EdDSA"]).await;
        let swapped = original(&edwards).await;
        let token = signed(&with(&header, "alg", json!("EdDSA")), &claims, &swapped.key, Algorithm::EdDSA);
        assert_eq!(status(&stranger, &token).await, 401, "another algorithm under our key's name");
    }
}
