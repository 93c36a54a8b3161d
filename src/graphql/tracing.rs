//! Federated tracing (ftv1): tells a router how long each field took, as Apollo's `Trace` in `extensions.ftv1`.
//!
//! Timings tell strangers what exists and what is cached, and following each field costs. So this is an extension for a
//! schema of its own, which is asked only for those who may have it.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use async_graphql::{
    PathSegment, QueryPathNode, QueryPathSegment, Response, ServerError, ServerResult, Value,
    extensions::{Extension, ExtensionContext, ExtensionFactory, NextExecute, NextResolve, ResolveInfo},
};
use async_trait::async_trait;
use data_encoding::BASE64;

mod protobuf;

use protobuf::Message;

/// What a router sends to ask for a trace.
pub const HEADER: &str = "apollo-federation-include-trace";
pub const VERSION: &str = "ftv1";

/// For `Schema::build(…).extension(FederatedTracing)`.
pub struct FederatedTracing;

impl ExtensionFactory for FederatedTracing {
    fn create(&self) -> Arc<dyn Extension> {
        Arc::new(Tracing { begun: now(), root: Mutex::default() })
    }
}

struct Tracing {
    begun: Instant,
    root: Mutex<Node>,
}

#[derive(Default)]
struct Node {
    id: Id,
    field: Option<Field>,
    began: Duration,
    ended: Duration,
    errors: Vec<ServerError>,
    children: Vec<Node>,
}

#[derive(Clone, Default, PartialEq, Eq)]
enum Id {
    #[default]
    Root,
    Name(String),
    Index(u32),
}

struct Field {
    /// Its own name, where it was renamed.
    original: Option<String>,
    kind: String,
    parent: String,
}

#[async_trait]
impl Extension for Tracing {
    async fn execute(
        &self,
        ctx: &ExtensionContext<'_>,
        operation_name: Option<&str>,
        next: NextExecute<'_>,
    ) -> Response {
        let started_at = wall_clock();
        let mut response = next.run(ctx, operation_name).await;
        let took = self.begun.elapsed();
        let mut root = std::mem::take(&mut *self.root.lock().unwrap_or_else(PoisonError::into_inner));
        for error in &response.errors {
            root.at(error.path.iter().map(Id::from)).errors.push(error.clone());
        }
        let trace = Message::default()
            .message(3, &timestamp(started_at + took))
            .message(4, &timestamp(started_at))
            .number(11, nanoseconds(took))
            .message(14, &root.written());
        response.extensions.insert(VERSION.to_owned(), Value::String(BASE64.encode(&trace.into_bytes())));
        response
    }

    async fn resolve(
        &self,
        ctx: &ExtensionContext<'_>,
        info: ResolveInfo<'_>,
        next: NextResolve<'_>,
    ) -> ServerResult<Option<Value>> {
        let path = path(info.path_node);
        // An item of a list is no field: it has a node for what is below it, and no times of its own.
        if !matches!(path.last(), Some(Id::Name(_))) {
            return next.run(ctx, info).await;
        }
        let field = Field {
            original: info.alias.map(|_| info.name.to_owned()),
            kind: info.return_type.to_owned(),
            parent: info.parent_type.to_owned(),
        };
        let began = self.begun.elapsed();
        let resolved = next.run(ctx, info).await;
        let ended = self.begun.elapsed();
        let mut root = self.root.lock().unwrap_or_else(PoisonError::into_inner);
        root.at(path).resolved(field, began, ended);
        resolved
    }
}

impl Node {
    /// The node at the end of the path, made where there is none.
    fn at(&mut self, path: impl IntoIterator<Item = Id>) -> &mut Self {
        path.into_iter().fold(self, |node, id| {
            // The last is the likeliest: fields end in the order in which they stand.
            let known = node.children.iter().rposition(|child| child.id == id);
            let place = known.unwrap_or(node.children.len());
            if known.is_none() {
                node.children.push(Self { id, ..Self::default() });
            }
            &mut node.children[place]
        })
    }

    /// A field that stands in the document twice is resolved twice, and is one in the answer: from the first beginning to the
    /// last end, so that what is below it lies within.
    fn resolved(&mut self, field: Field, began: Duration, ended: Duration) {
        let known = self.field.replace(field).is_some();
        self.began = if known { self.began.min(began) } else { began };
        self.ended = self.ended.max(ended);
    }

    fn written(&self) -> Message {
        let mut message = match &self.id {
            Id::Root => Message::default(),
            Id::Name(name) => Message::default().text(1, name),
            // Also the first, which is a zero: without it, nothing would say that this is an item.
            Id::Index(index) => Message::default().number_as_it_is(2, u64::from(*index)),
        };
        if let Some(field) = &self.field {
            message = message.text(3, &field.kind).text(13, &field.parent);
            if let Some(original) = &field.original {
                message = message.text(14, original);
            }
        }
        message = message.number(8, nanoseconds(self.began)).number(9, nanoseconds(self.ended));
        for error in &self.errors {
            // What a message may say is decided behind us, and the router passes traces on to others.
            let mut written = Message::default().text(1, "<masked>");
            for place in &error.locations {
                let (line, column) = (place.line as u64, place.column as u64);
                written = written.message(2, &Message::default().number(1, line).number(2, column));
            }
            message = message.message(11, &written);
        }
        self.children.iter().fold(message, |message, child| message.message(12, &child.written()))
    }
}

impl From<&PathSegment> for Id {
    fn from(segment: &PathSegment) -> Self {
        match segment {
            PathSegment::Field(name) => Self::Name(name.clone()),
            PathSegment::Index(index) => Self::Index(u32::try_from(*index).unwrap_or(u32::MAX)),
        }
    }
}

fn path(node: &QueryPathNode<'_>) -> Vec<Id> {
    let own = match node.segment {
        QueryPathSegment::Name(name) => Id::Name(name.to_owned()),
        QueryPathSegment::Index(index) => Id::Index(u32::try_from(index).unwrap_or(u32::MAX)),
    };
    let mut path = node.parent.map(path).unwrap_or_default();
    path.push(own);
    path
}

fn timestamp(since_1970: Duration) -> Message {
    Message::default().number(1, since_1970.as_secs()).number(2, u64::from(since_1970.subsec_nanos()))
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[expect(clippy::disallowed_methods, reason = "what is measured is the machine's own time")]
fn now() -> Instant {
    Instant::now()
}

#[expect(clippy::disallowed_methods, reason = "the router puts traces of several machines side by side")]
fn wall_clock() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}
