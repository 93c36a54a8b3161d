//! Operations without their documents: by the hash of one that was sent before (Apollo's automatic persisted queries), or
//! by the id of one that the operator trusts.

use std::sync::Arc;

use async_graphql::{Extensions, Value};

use super::{
    Freedom,
    fault::{Code, Fault},
};
use crate::graphql::documents::{Documents, Hash, Trusted};

/// How a call names its document, beside or instead of sending it.
pub(super) enum Asked {
    Nothing,
    /// `extensions.persistedQuery`. Lists of trusted documents have ids of other kinds, too.
    Persisted(String),
    /// `documentId`, of the appendix of GraphQL over HTTP.
    Id(String),
}

/// A document, and where it comes from.
pub(super) enum Document {
    Sent(String),
    Known(Arc<str>),
}

impl Document {
    pub fn text(&self) -> &str {
        match self {
            Self::Sent(text) => text,
            Self::Known(text) => text,
        }
    }
}

impl Asked {
    pub fn read(document_id: Option<String>, extensions: &Extensions) -> Result<Self, Fault> {
        let Some(persisted) = extensions.get("persistedQuery").filter(|it| **it != Value::Null) else {
            return Ok(document_id.map_or(Self::Nothing, Self::Id));
        };
        let malformed =
            || Fault::bad_request("\"persistedQuery\" is an object of a \"version\" and a \"sha256Hash\".");
        let Value::Object(fields) = persisted else {
            return Err(malformed());
        };
        match (fields.get("version"), fields.get("sha256Hash")) {
            (Some(Value::Number(version)), Some(Value::String(hash))) => {
                if version.as_u64() != Some(1) {
                    return Err(Fault::bad_request("Unsupported persisted query version: it is 1 here."));
                }
                Ok(Self::Persisted(hash.clone()))
            }
            _ => Err(malformed()),
        }
    }

    /// The document, sent or known.
    pub fn find(
        &self,
        query: Option<String>,
        documents: &Documents,
        freedom: Freedom,
    ) -> Result<Document, Fault> {
        let trusted = documents.trusted();
        if let Some(known) = trusted.and_then(|trusted| trusted.by_id(self.id()?))
            && query.as_deref().is_none_or(|query| query == &*known)
        {
            return Ok(Document::Known(known));
        }
        if let (Some(trusted), Freedom::Bound) = (trusted, freedom) {
            return self.trusted_text(query, trusted);
        }
        match (self, query) {
            (Self::Persisted(_), _) if !documents.keeps() => {
                Err(Fault::graphql(Code::PersistedQueryNotSupported, "PersistedQueryNotSupported"))
            }
            (_, Some(query)) => Ok(Document::Sent(query)),
            (Self::Persisted(hash), None) => {
                let found = documents.sent_before(read(hash)?).ok_or_else(not_found)?;
                Ok(Document::Known(found))
            }
            (Self::Id(_), None) => Err(not_found()),
            (Self::Nothing, None) => Err(Fault::bad_request("A \"query\" is needed.")),
        }
    }

    /// The hash to keep the document by, where it was sent with one: it has to be the document's own.
    pub fn to_keep(&self, document: &Document) -> Result<Option<Hash>, Fault> {
        let (Self::Persisted(hash), Document::Sent(text)) = (self, document) else {
            return Ok(None);
        };
        let hash = read(hash)?;
        if hash == Hash::of(text) {
            Ok(Some(hash))
        } else {
            Err(Fault::graphql(Code::BadRequest, "The provided sha256Hash does not match the query."))
        }
    }

    fn id(&self) -> Option<&str> {
        match self {
            Self::Nothing => None,
            Self::Persisted(id) | Self::Id(id) => Some(id),
        }
    }

    fn trusted_text(&self, query: Option<String>, trusted: &Trusted) -> Result<Document, Fault> {
        match query {
            Some(query) if trusted.holds(&query) => Ok(Document::Sent(query)),
            Some(_) => Err(Fault::graphql(
                Code::QueryNotInSafelist,
                "Only documents that the service knows are executed here.",
            )),
            None if self.id().is_some() => Err(not_found()),
            None => Err(Fault::bad_request("The id of a document is needed.")),
        }
    }
}

fn read(hash: &str) -> Result<Hash, Fault> {
    Hash::read(hash).ok_or_else(|| Fault::bad_request("\"sha256Hash\" is 64 hexadecimal digits."))
}

/// Apollo's clients go by the message as well as by the code.
fn not_found() -> Fault {
    Fault::graphql(Code::PersistedQueryNotFound, "PersistedQueryNotFound")
}
