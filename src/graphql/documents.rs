//! Documents that need not be sent: those that clients have sent before (automatic persisted queries) and those that
//! the operator trusts. Whoever runs one scans and measures it under the caller's own limits.

use std::{
    collections::{HashMap, HashSet},
    path::Path,
    sync::Arc,
};

use async_graphql::parser;
use aws_lc_rs::digest;
use data_encoding::HEXLOWER_PERMISSIVE;
use quick_cache::{
    DefaultHashBuilder, OptionsBuilder, Weighter,
    sync::{Cache, DefaultLifecycle},
};

mod manifest;
pub mod parsed;
pub mod places;

use parsed::{Document, Parsed};

/// What the documents that clients have sent may take of the memory, all in all.
const MOST_BYTES: u64 = 16 * 1024 * 1024;
/// So many of them at most, however short they are.
const MOST_DOCUMENTS: usize = 4_096;
/// What a document takes beside its text.
const OVERHEAD: u64 = 256;

/// The SHA-256 of a document's text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Hash([u8; 32]);

impl Hash {
    pub fn of(document: &str) -> Self {
        let mut hash = [0; 32];
        hash.copy_from_slice(digest::digest(&digest::SHA256, document.as_bytes()).as_ref());
        Self(hash)
    }

    /// Reads 64 hexadecimal digits.
    pub fn read(text: &str) -> Option<Self> {
        let bytes = HEXLOWER_PERMISSIVE.decode(text.as_bytes()).ok()?;
        bytes.try_into().ok().map(Self)
    }
}

/// How much of the memory's share a document uses up: its bytes, and its part of the number that there may be.
#[derive(Clone)]
struct Weight;

impl Weighter<Hash, Arc<str>> for Weight {
    fn weight(&self, _: &Hash, document: &Arc<str>) -> u64 {
        let bytes = u64::try_from(document.len()).unwrap_or(u64::MAX).saturating_add(OVERHEAD);
        bytes.max(MOST_BYTES / MOST_DOCUMENTS as u64)
    }
}

type Sent = Cache<Hash, Arc<str>, Weight>;

fn sent() -> Option<Sent> {
    // Few parts: one that is too small for the largest document would never keep it.
    let mut options = OptionsBuilder::new();
    options.shards(4).estimated_items_capacity(MOST_DOCUMENTS).weight_capacity(MOST_BYTES);
    let options = options.build().ok()?;
    Some(Sent::with_options(options, Weight, DefaultHashBuilder::default(), DefaultLifecycle::default()))
}

/// What a document is known by, and what becomes of those that are not.
pub struct Documents {
    /// What clients have sent, the least used of which goes first; `None` where persisted queries are switched off.
    sent: Option<Sent>,
    trusted: Option<Trusted>,
    parsed: Parsed,
}

/// Whether clients may have documents kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keeping {
    On,
    Off,
}

impl Documents {
    /// Any document is taken.
    pub fn new(keeping: Keeping) -> Self {
        let sent = match keeping {
            Keeping::On => sent(),
            Keeping::Off => None,
        };
        Self { sent, trusted: None, parsed: Parsed::default() }
    }

    /// Only what stands in this file, or in the files of this folder, is taken. The error is a sentence for the operator.
    #[must_use = "it may have failed"]
    pub fn trusting(self, path: &Path) -> Result<Self, String> {
        let trusted = Trusted::new(manifest::read(path)?);
        tracing::info!(documents = trusted.by_id.len(), "only trusted documents are executed");
        Ok(Self { trusted: Some(trusted), ..self })
    }

    /// The parsed document, which has passed the scan.
    pub fn parse(&self, text: &str) -> parser::Result<Arc<Document>> {
        self.parsed.parse(text)
    }

    /// The list of trusted documents, if there is one.
    pub fn trusted(&self) -> Option<&Trusted> {
        self.trusted.as_ref()
    }

    /// Whether clients may send hashes of documents that they have sent before.
    pub fn keeps(&self) -> bool {
        self.sent.is_some()
    }

    pub fn sent_before(&self, hash: Hash) -> Option<Arc<str>> {
        self.sent.as_ref()?.get(&hash)
    }

    /// Keeps a document for the clients that will send only its hash. It is one that could be run.
    pub fn keep(&self, hash: Hash, document: &str) {
        if let Some(sent) = &self.sent
            && sent.peek(&hash).is_none()
        {
            sent.insert(hash, document.into());
        }
    }
}

/// The documents of the operator's own front ends.
pub struct Trusted {
    by_id: HashMap<String, Arc<str>>,
    texts: HashSet<Arc<str>>,
}

impl Trusted {
    fn new(by_id: HashMap<String, Arc<str>>) -> Self {
        let texts = by_id.values().cloned().collect();
        Self { by_id, texts }
    }

    pub fn by_id(&self, id: &str) -> Option<Arc<str>> {
        // The appendix of GraphQL over HTTP writes hashes with the name of their kind.
        let bare = || self.by_id.get(id.strip_prefix("sha256:")?);
        self.by_id.get(id).or_else(bare).cloned()
    }

    /// Whether this is the text of one of them: then it does not matter that it was sent.
    pub fn holds(&self, document: &str) -> bool {
        self.texts.contains(document)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_of_documents_is_bounded_by_number_and_by_bytes() {
        let documents = Documents::new(Keeping::On);
        let sent = documents.sent.as_ref().expect("switched on");
        for number in 0..3 * MOST_DOCUMENTS {
            let document = format!("{{ a{number}: __typename }}");
            documents.keep(Hash::of(&document), &document);
        }
        assert!(sent.len() <= MOST_DOCUMENTS, "{} documents", sent.len());
        for number in 0..200 {
            let document = format!("{{ {}a{number}: __typename }}", " ".repeat(250_000));
            documents.keep(Hash::of(&document), &document);
            assert!(documents.sent_before(Hash::of(&document)).is_some(), "the largest are kept, too");
        }
        assert!(sent.weight() <= MOST_BYTES, "{} bytes", sent.weight());
    }

    #[test]
    fn hashes_are_64_digits() {
        let hash = Hash::of("{ __typename }");
        assert_eq!(Hash::read("9FC52FD55A3F5ABE72F8BD9F0E1C3D2C"), None);
        assert_eq!(
            Hash::read("7f56e67dd21ab3f30d1ff8b7bed08893f0a0db86449836189b361dd1e56ddb4b"),
            Some(hash)
        );
    }
}
