//! From what a caller sent to what the schema executes: find the document, scan, parse, pick the operation, check the limits.
//!
//! Every transport comes through here, so that none has a way round the limits.

use std::sync::Arc;

use async_graphql::{
    Positioned, Request, Value, Variables,
    parser::types::{DocumentOperations, ExecutableDocument, OperationDefinition, OperationType, Selection},
};

use super::{
    Engine,
    fault::{Code, Fault},
    persisted,
    request::Call,
    values,
};
use crate::graphql::{
    documents::{
        parsed::{Document, Given},
        places::Places,
    },
    limits,
    scan::scan,
};

/// What the transport carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operations {
    /// A link or an image on a foreign page can make a browser send these.
    QueriesByGet,
    QueriesAndMutations,
    /// The same link, but its answer is a stream: a page's `EventSource`.
    StreamsByGet,
    /// A stream.
    All,
}

impl Operations {
    /// What the same transport carries where it cannot stream.
    #[must_use]
    pub fn without_streams(self) -> Self {
        match self {
            Self::QueriesByGet | Self::StreamsByGet => Self::QueriesByGet,
            Self::QueriesAndMutations | Self::All => Self::QueriesAndMutations,
        }
    }
}

/// An operation that may run.
#[derive(Debug)]
pub struct Prepared {
    pub request: Request,
    pub kind: OperationType,
    pub known: Known,
    rules: Rules,
    has_variables: bool,
}

/// Where it is noted that the schema's rules have found nothing.
#[derive(Clone, Debug)]
pub struct Rules {
    document: Arc<Document>,
    given: Option<Given>,
}

impl Rules {
    pub fn found_nothing(&self) {
        if let Some(given) = self.given {
            self.document.found_valid(given);
        }
    }
}

/// What is known of a request beforehand.
#[derive(Clone, Copy, Debug)]
pub struct Known {
    /// Whether the schema's rules would find nothing.
    pub valid: bool,
    pub places: Places,
}

impl Prepared {
    /// For noting what the schema's rules have found.
    pub fn rules(&self) -> Rules {
        self.rules.clone()
    }

    /// The code for arguments that validation refuses.
    pub fn argument_code(&self) -> Code {
        if self.has_variables { Code::BadUserInput } else { Code::ValidationFailed }
    }
}

/// Makes an executable request out of a call. The document is parsed here and nowhere else: async-graphql takes the
/// parsed one, and keeps the text only for its extensions.
pub fn prepare<E: Engine>(
    engine: &E,
    caller: &E::Caller,
    call: Call,
    operations: Operations,
) -> Result<Prepared, Fault> {
    let limits = engine.limits(caller);
    let documents = engine.documents();
    let has_variables = !call.variables.is_empty();
    let Call { query, document_id, operation_name, mut variables, extensions } = call;
    let asked = persisted::Asked::read(document_id, &extensions)?;
    let text = asked.find(query, documents, engine.freedom(caller))?;
    scan(text.text(), limits)?;
    let to_keep = asked.to_keep(&text)?;
    let document = documents.parse(text.text())?;
    let operation = pick(&document.parsed, operation_name.as_deref())?;
    let kind = operation.node.ty;
    check_kind(kind, operations)?;
    if kind == OperationType::Subscription {
        check_single_root(&operation.node)?;
    }
    limits::check(&document.parsed, &operation.node, &variables, limits)?;
    check_variables(&operation.node, &variables)?;
    fill_in_defaults(&operation.node, &mut variables);
    let given = Given::of(&document.parsed, &variables);
    let valid =
        given.is_some_and(|given| document.is_valid(given)) && values::are_plain(&operation.node, &variables);
    let known = Known { valid, places: document.places };

    if let Some(hash) = to_keep {
        documents.keep(hash, text.text());
    }
    let mut request = Request::new(text.text()).variables(variables);
    request.operation_name = operation_name;
    request.extensions = extensions;
    request.set_parsed_query(document.parsed.clone());
    Ok(Prepared { request, kind, known, rules: Rules { document, given }, has_variables })
}

/// A subscription follows one thing. async-graphql would follow several, and none that stands in a fragment.
fn check_single_root(operation: &OperationDefinition) -> Result<(), Fault> {
    let refuse = |message| Err(Fault::graphql(Code::ValidationFailed, message));
    let [selection] = operation.selection_set.node.items.as_slice() else {
        return refuse("A subscription selects one root field.");
    };
    match &selection.node {
        Selection::Field(field) if field.node.name.node.starts_with("__") => {
            refuse("A subscription follows a field of the schema, not introspection.")
        }
        Selection::Field(field) if !field.node.directives.is_empty() => {
            refuse("The root field of a subscription takes no @skip and no @include.")
        }
        Selection::Field(_) => Ok(()),
        Selection::FragmentSpread(_) | Selection::InlineFragment(_) => {
            refuse("A subscription names its root field itself, not in a fragment.")
        }
    }
}

/// async-graphql knows a variable's default where it is an argument, but not where it decides `@include` or `@skip`.
fn fill_in_defaults(operation: &OperationDefinition, variables: &mut Variables) {
    for definition in &operation.variable_definitions {
        if let Some(default) = &definition.node.default_value
            && !variables.contains_key(&definition.node.name.node)
        {
            variables.insert(definition.node.name.node.clone(), default.node.clone());
        }
    }
}

/// The operation that will run.
fn pick<'d>(
    document: &'d ExecutableDocument,
    name: Option<&str>,
) -> Result<&'d Positioned<OperationDefinition>, Fault> {
    let unknown = |name: &str| Fault::graphql(Code::BadRequest, format!("There is no operation \"{name}\"."));
    match (&document.operations, name) {
        (DocumentOperations::Single(operation), None) => Ok(operation),
        (DocumentOperations::Single(_), Some(name)) => Err(unknown(name)),
        (DocumentOperations::Multiple(named), Some(name)) => named.get(name).ok_or_else(|| unknown(name)),
        (DocumentOperations::Multiple(named), None) => {
            let mut all = named.values();
            match (all.next(), all.next()) {
                (Some(only), None) => Ok(only),
                _ => {
                    Err(Fault::graphql(Code::BadRequest, "Several operations: \"operationName\" is needed."))
                }
            }
        }
    }
}

fn check_kind(kind: OperationType, operations: Operations) -> Result<(), Fault> {
    match (kind, operations) {
        (OperationType::Mutation | OperationType::Subscription, Operations::QueriesByGet)
        | (OperationType::Mutation, Operations::StreamsByGet) => Err(Fault::method("POST")),
        (OperationType::Subscription, Operations::QueriesAndMutations) => Err(Fault::graphql(
            Code::BadRequest,
            "A subscription needs a transport that streams: a WebSocket (graphql-transport-ws), or accept \
             text/event-stream or multipart/mixed;subscriptionSpec=1.0.",
        )),
        _ => Ok(()),
    }
}

/// Variables that must be given and are not. async-graphql would notice only where they are used, and answer the rest.
fn check_variables(operation: &OperationDefinition, variables: &Variables) -> Result<(), Fault> {
    for definition in operation.variable_definitions.iter().map(|it| &it.node) {
        let name = definition.name.node.as_str();
        let given = variables.get(name);
        let missing = match given {
            Some(Value::Null) => true,
            Some(_) => false,
            None => definition.default_value.is_none(),
        };
        if missing && !definition.var_type.node.nullable {
            let kind = &definition.var_type.node;
            let mut fault = Fault::graphql(
                Code::BadUserInput,
                format!("Variable \"${name}\" of type \"{kind}\" is needed."),
            );
            fault.error.locations.push(definition.name.pos);
            return Err(fault);
        }
    }
    Ok(())
}
