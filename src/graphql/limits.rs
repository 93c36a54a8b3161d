//! What one document may ask for: the limits of each tier, and the check of a parsed document against them.
//!
//! It refuses documents that are cheap to send and dear to answer. It knows no schema: it counts what is written,
//! so that a document is refused before validation, whose rules cost more than the whole count here.

use std::fmt;

use async_graphql::{
    Variables,
    parser::types::{ExecutableDocument, OperationDefinition},
};

mod measure;

use measure::Measure;

/// The limits that one tier of callers lives under. The defaults are for strangers; they leave room for what Apollo
/// Client, Relay and the introspection query of `GraphiQL` send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the document's text. Persisted queries of Relay applications stay under 40 kB.
    pub bytes: usize,
    /// Tokens of the document: names, punctuation, numbers, strings.
    pub tokens: usize,
    /// Brackets within brackets, with the fragments spread. The parser recurses once for each.
    pub nesting: usize,
    /// Tokens of all operations once every fragment is spread: what async-graphql's own checks walk through.
    pub expansion: usize,
    /// Fields within fields. Introspection has its own limit.
    pub depth: usize,
    /// Fields within fields below `__schema` and `__type`; the usual introspection query has 15.
    pub introspection_depth: usize,
    /// Fields of the operation that are renamed.
    pub aliases: usize,
    /// Directives in the document, and in the operation once every fragment is spread.
    pub directives: usize,
    /// Fields of the operation itself. Each mutation field is a transaction.
    pub root_fields: usize,
    /// Fields of the answer, as far as one can tell beforehand: lists count as often as their size asks for.
    pub cost: usize,
    /// Bytes of all arguments, a variable counted wherever it is used: async-graphql copies it for every use.
    pub argument_bytes: usize,
    /// Values in the variables and extensions of one HTTP request: a megabyte of `[0,0,…]` becomes forty in memory.
    pub values: usize,
    /// Operations in one HTTP request.
    pub batch: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            bytes: 64 * 1024,
            tokens: 10_000,
            nesting: 64,
            expansion: 30_000,
            depth: 15,
            introspection_depth: 20,
            aliases: 100,
            directives: 100,
            root_fields: 30,
            cost: 10_000,
            argument_bytes: 4 * 1024 * 1024,
            values: 20_000,
            batch: 10,
        }
    }
}

impl Limits {
    /// For the federation router, which has proved itself: it asks for many clients at once, with up to 1,000
    /// representations in one `_entities`.
    pub fn router() -> Self {
        Self {
            bytes: 256 * 1024,
            tokens: 50_000,
            nesting: 64,
            expansion: 100_000,
            depth: 25,
            introspection_depth: 20,
            aliases: 1_000,
            directives: 1_000,
            root_fields: 200,
            cost: 500_000,
            argument_bytes: 32 * 1024 * 1024,
            values: 100_000,
            batch: 50,
        }
    }
}

/// Which limit was met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    Bytes,
    Tokens,
    Nesting,
    Expansion,
    Depth,
    IntrospectionDepth,
    /// Lists of types within lists of types, in introspection. Each level multiplies the answer by the schema.
    IntrospectionLists,
    Aliases,
    Directives,
    RootFields,
    Cost,
    ArgumentBytes,
    Values,
    Batch,
}

impl Limit {
    /// The name for `extensions.limit`, which clients may rely on.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Bytes => "bytes",
            Self::Tokens => "tokens",
            Self::Nesting => "nesting",
            Self::Expansion => "expansion",
            Self::Depth => "depth",
            Self::IntrospectionDepth => "introspectionDepth",
            Self::IntrospectionLists => "introspectionLists",
            Self::Aliases => "aliases",
            Self::Directives => "directives",
            Self::RootFields => "rootFields",
            Self::Cost => "cost",
            Self::ArgumentBytes => "argumentBytes",
            Self::Values => "values",
            Self::Batch => "batch",
        }
    }

    const fn counts(self) -> &'static str {
        match self {
            Self::Bytes => "bytes in the document",
            Self::Tokens => "tokens in the document",
            Self::Nesting => "levels of nesting",
            Self::Expansion => "tokens once every fragment is spread",
            Self::Depth => "levels of fields",
            Self::IntrospectionDepth => "levels of introspection",
            Self::IntrospectionLists => "lists of types within each other",
            Self::Aliases => "aliases",
            Self::Directives => "directives",
            Self::RootFields => "root fields",
            Self::Cost => "points of cost",
            Self::ArgumentBytes => "bytes of arguments",
            Self::Values => "values in one request",
            Self::Batch => "operations in one request",
        }
    }
}

/// A limit that a document goes beyond. `found` is exact where counting on is cheap, and else the first number that
/// is too much.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exceeded {
    pub limit: Limit,
    pub allowed: usize,
    pub found: usize,
}

impl fmt::Display for Exceeded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { limit, allowed, found } = self;
        write!(f, "Too much: {found} {}, where at most {allowed} are allowed.", limit.counts())
    }
}

impl Limit {
    /// Refuses what is more than allowed.
    pub fn check(self, allowed: usize, found: usize) -> Result<(), Exceeded> {
        if found > allowed {
            return Err(Exceeded { limit: self, allowed, found });
        }
        Ok(())
    }
}

/// How many lists of types may stand within each other in introspection: `types { fields { type { fields` is two of
/// them within one list of everything, and more than any tool asks for.
const INTROSPECTION_LISTS: usize = 2;

/// Checks the operation that will run, with the fragments it spreads and the variables it is given.
///
/// The document must have passed [`super::scan::scan`]: that is what bounds the recursion here.
pub fn check(
    document: &ExecutableDocument,
    operation: &OperationDefinition,
    variables: &Variables,
    limits: &Limits,
) -> Result<(), Exceeded> {
    let mut measure = Measure::new(document, operation, variables);
    let total = measure.operation(operation);
    Limit::RootFields.check(limits.root_fields, total.fields)?;
    Limit::Depth.check(limits.depth, total.depth)?;
    Limit::IntrospectionDepth.check(limits.introspection_depth, total.introspection.depth)?;
    Limit::IntrospectionLists.check(INTROSPECTION_LISTS, total.introspection.lists)?;
    Limit::Aliases.check(limits.aliases, total.aliases)?;
    Limit::Directives.check(limits.directives, total.directives)?;
    Limit::Cost.check(limits.cost, total.cost())?;
    // Validation visits every fragment, whoever spreads it.
    measure.all_fragments();
    Limit::ArgumentBytes.check(limits.argument_bytes, measure.argument_bytes())
}

#[cfg(test)]
mod tests;
