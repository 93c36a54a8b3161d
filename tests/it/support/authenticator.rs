//! An authenticator in software: what a browser and a security key do together, with every lie that they could tell.

use aws_lc_rs::{
    digest::{SHA256, digest},
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _},
};
use data_encoding::BASE64URL_NOPAD;
use serde_json::{Value, json};

/// One key pair, and what it says of itself. Change a field, and it lies.
pub struct Authenticator {
    key: EcdsaKeyPair,
    pub credential_id: Vec<u8>,
    pub origin: String,
    pub rp_id: String,
    pub user_verified: bool,
    /// What it says the next time. An authenticator of this sort does not count: it stays 0.
    pub counter: u32,
    /// Whose it is: learnt at the registration, and told where nobody was named.
    pub user_handle: Option<Vec<u8>>,
    pub kind: Option<&'static str>,
    /// In a page inside a page of another origin.
    pub framed: bool,
}

const USER_PRESENT: u8 = 0x01;
const USER_VERIFIED: u8 = 0x04;
const ATTESTED: u8 = 0x40;

impl Authenticator {
    pub fn new(name: &str) -> Self {
        Self {
            key: EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).expect("a key"),
            credential_id: digest(&SHA256, name.as_bytes()).as_ref().to_vec(),
            origin: "http://denizen.test".to_owned(),
            rp_id: "denizen.test".to_owned(),
            user_verified: true,
            counter: 0,
            user_handle: None,
            kind: None,
            framed: false,
        }
    }

    /// What `navigator.credentials.create()` makes of these options.
    pub fn create(&mut self, options: &Value) -> Value {
        let user = options["publicKey"]["user"]["id"].as_str().expect("a user handle");
        self.user_handle = Some(BASE64URL_NOPAD.decode(user.as_bytes()).expect("base64url"));
        let client_data = self.client_data("webauthn.create", options);
        let mut object = b"\xa3\x63fmt\x64none\x67attStmt\xa0\x68authData\x59".to_vec();
        let data = self.authenticator_data(ATTESTED, &self.attested());
        object.extend(u16::try_from(data.len()).expect("a short one").to_be_bytes());
        object.extend(data);
        let id = BASE64URL_NOPAD.encode(&self.credential_id);
        json!({
            "id": id, "rawId": id, "type": "public-key", "clientExtensionResults": {},
            "response": {
                "clientDataJSON": BASE64URL_NOPAD.encode(&client_data),
                "attestationObject": BASE64URL_NOPAD.encode(&object),
                "transports": ["internal"],
            },
        })
    }

    /// What `navigator.credentials.get()` makes of these options.
    pub fn get(&self, options: &Value) -> Value {
        let client_data = self.client_data("webauthn.get", options);
        let data = self.authenticator_data(0, &[]);
        let signed = [data.as_slice(), digest(&SHA256, &client_data).as_ref()].concat();
        let signature = self.key.sign(&SystemRandom::new(), &signed).expect("a signature");
        let id = BASE64URL_NOPAD.encode(&self.credential_id);
        json!({
            "id": id, "rawId": id, "type": "public-key", "clientExtensionResults": {},
            "response": {
                "clientDataJSON": BASE64URL_NOPAD.encode(&client_data),
                "authenticatorData": BASE64URL_NOPAD.encode(&data),
                "signature": BASE64URL_NOPAD.encode(signature.as_ref()),
                "userHandle": self.user_handle.as_ref().map(|handle| BASE64URL_NOPAD.encode(handle)),
            },
        })
    }

    fn client_data(&self, kind: &'static str, options: &Value) -> Vec<u8> {
        let challenge = &options["publicKey"]["challenge"];
        let kind = self.kind.unwrap_or(kind);
        json!({ "type": kind, "challenge": challenge, "origin": self.origin, "crossOrigin": self.framed })
            .to_string()
            .into_bytes()
    }

    fn authenticator_data(&self, flags: u8, attested: &[u8]) -> Vec<u8> {
        let verified = if self.user_verified { USER_VERIFIED } else { 0 };
        let mut data = digest(&SHA256, self.rp_id.as_bytes()).as_ref().to_vec();
        data.push(USER_PRESENT | verified | flags);
        data.extend(self.counter.to_be_bytes());
        data.extend(attested);
        data
    }

    fn attested(&self) -> Vec<u8> {
        let point = self.key.public_key().as_ref();
        let mut data = vec![0; 16];
        data.extend(u16::try_from(self.credential_id.len()).expect("a short id").to_be_bytes());
        data.extend(&self.credential_id);
        // A COSE key: elliptic, ES256, P-256, and the two coordinates.
        data.extend(b"\xa5\x01\x02\x03\x26\x20\x01\x21\x58\x20");
        data.extend(&point[1..33]);
        data.extend(b"\x22\x58\x20");
        data.extend(&point[33..65]);
        data
    }
}
