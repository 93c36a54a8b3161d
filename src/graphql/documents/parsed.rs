//! Documents that were parsed, and found valid, before: front ends and routers send the same few again and again. What a
//! text means does not depend on who sends it; who may ask it, and how much of it, is looked at each time.

use std::sync::{Arc, PoisonError, RwLock};

use async_graphql::{
    Name, Variables,
    parser::{
        self, parse_query,
        types::{DocumentOperations, ExecutableDocument},
    },
};
use quick_cache::{
    DefaultHashBuilder, OptionsBuilder, Weighter,
    sync::{Cache, DefaultLifecycle},
};

use super::places::Places;

/// What they may take of the memory, all in all.
const MOST_BYTES: u64 = 32 * 1024 * 1024;
/// So many bytes a parsed document takes for each of its text, at most: a field of one letter has a list of its own.
const GROWTH: u64 = 256;

#[derive(Debug)]
pub struct Document {
    pub parsed: ExecutableDocument,
    pub places: Places,
    valid: RwLock<Vec<Given>>,
}

/// Which of an operation's variables a request brings, a bit each. Where one of an argument is missing, the schema's rules do
/// not look at the rest of the argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Given(u64);

/// So many are noted for each document.
const MOST_GIVEN: usize = 16;

impl Given {
    /// `None` for a document of several operations, and for one of more variables than there are bits.
    pub fn of(document: &ExecutableDocument, variables: &Variables) -> Option<Self> {
        let DocumentOperations::Single(operation) = &document.operations else {
            return None;
        };
        let definitions = &operation.node.variable_definitions;
        let bit = |(place, name): (usize, &Name)| u64::from(variables.contains_key(name)) << place;
        let names = definitions.iter().map(|definition| &definition.node.name.node).enumerate();
        (definitions.len() <= 64).then(|| Self(names.map(bit).fold(0, |all, bit| all | bit)))
    }
}

impl Document {
    /// Whether the schema's rules have found nothing in it before, when it came with these variables, but for their values.
    pub fn is_valid(&self, given: Given) -> bool {
        self.valid.read().unwrap_or_else(PoisonError::into_inner).contains(&given)
    }

    /// Notes that the schema's rules have found nothing in it.
    pub fn found_valid(&self, given: Given) {
        let mut valid = self.valid.write().unwrap_or_else(PoisonError::into_inner);
        if valid.len() < MOST_GIVEN && !valid.contains(&given) {
            valid.push(given);
        }
    }
}

#[derive(Clone)]
struct Weight;

impl Weighter<Box<str>, Arc<Document>> for Weight {
    fn weight(&self, text: &Box<str>, _: &Arc<Document>) -> u64 {
        u64::try_from(text.len()).unwrap_or(u64::MAX).saturating_mul(GROWTH).max(1)
    }
}

/// By their text.
pub struct Parsed(Option<Cache<Box<str>, Arc<Document>, Weight>>);

impl Default for Parsed {
    fn default() -> Self {
        // One part: of several, none could keep the largest document.
        let mut options = OptionsBuilder::new();
        options.shards(1).estimated_items_capacity(1_000).weight_capacity(MOST_BYTES);
        let options = options.build().ok();
        Self(options.map(|options| {
            Cache::with_options(options, Weight, DefaultHashBuilder::default(), DefaultLifecycle::default())
        }))
    }
}

impl Parsed {
    pub fn parse(&self, text: &str) -> parser::Result<Arc<Document>> {
        if let Some(document) = self.0.as_ref().and_then(|cache| cache.get(text)) {
            return Ok(document);
        }
        let parsed = parse_query(text)?;
        let places = Places::of(&parsed);
        let document = Arc::new(Document { parsed, places, valid: RwLock::default() });
        if let Some(cache) = &self.0 {
            cache.insert(text.into(), Arc::clone(&document));
        }
        Ok(document)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_parsed_is_not_parsed_again_and_the_memory_is_bounded() {
        let parsed = Parsed::default();
        let first = parsed.parse("{ me { id } }").expect("a document");
        let given =
            |document: &Document| Given::of(&document.parsed, &Variables::default()).expect("one operation");
        first.found_valid(given(&first));
        assert!(parsed.parse("{ me { id } }").expect("the same").is_valid(given(&first)));
        assert!(!parsed.parse("{ me { name } }").expect("another").is_valid(given(&first)));
        assert!(parsed.parse("{ me {").is_err());
        for number in 0..5_000 {
            parsed.parse(&format!("{{ a{number}: __typename {} }}", " ".repeat(number))).expect("a document");
        }
        assert!(parsed.0.expect("memory").weight() <= MOST_BYTES);
    }
}
