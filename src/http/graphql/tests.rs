//! The endpoint as a client sees it, over a small schema.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_graphql::{Context, Error, ErrorExtensions, InputObject, Object, Schema, SimpleObject};
use axum::{Router, body::to_bytes, http::HeaderMap, routing::any};
use futures_util::{Stream, StreamExt, stream};
use serde_json::{Value as Json, json};
use tower::ServiceExt;

use super::*;
use crate::graphql::documents::Keeping;

mod bodies;
mod hostile;
mod socket;
mod streams;
mod transport;

struct Query;
struct Mutation;

#[derive(SimpleObject)]
struct Thing {
    id: i32,
    name: String,
}

#[derive(InputObject)]
struct Filter {
    name: Option<String>,
    ids: Vec<i32>,
}

#[Object]
impl Query {
    async fn hello(&self) -> &str {
        "world"
    }

    async fn echo(&self, text: String) -> String {
        text
    }

    async fn things(&self, first: Option<i32>, filter: Option<Filter>) -> Vec<Thing> {
        let _ = filter.map(|it| (it.name, it.ids));
        (0..first.unwrap_or(2)).map(|id| Thing { id, name: format!("thing {id}") }).collect()
    }

    async fn shed(&self) -> Option<Result<i32, Error>> {
        let error = Error::new("Busy.");
        Some(Err(error.extend_with(|_, e| {
            e.set("code", "OVERLOADED");
            e.set("retryAfterSeconds", 7);
        })))
    }

    async fn leak(&self) -> Option<Result<i32, Error>> {
        Some(Err(Error::new("select * from secrets")))
    }

    async fn bang(&self) -> i32 {
        "a bug".parse().expect("a bug")
    }

    async fn caller(&self, ctx: &Context<'_>) -> String {
        ctx.data_unchecked::<String>().clone()
    }
}

#[Object]
impl Mutation {
    async fn bump(&self) -> i32 {
        1
    }
}

struct Subscription;

#[async_graphql::Subscription]
impl Subscription {
    /// Counts, each time after a moment.
    async fn count(&self, to: i32) -> impl Stream<Item = i32> {
        stream::iter(1..=to).then(|n| async move {
            tokio::time::sleep(Duration::from_millis(20)).await;
            n
        })
    }

    /// Comes to nothing, without an end.
    async fn silence(&self) -> impl Stream<Item = i32> {
        stream::pending()
    }

    async fn closed(&self) -> Result<stream::Empty<i32>, Error> {
        tokio::task::yield_now().await;
        Err(Error::new("No.").extend_with(|_, e| e.set("code", "FORBIDDEN")))
    }

    async fn breaks(&self) -> impl Stream<Item = i32> {
        stream::iter([1, 0]).map(|n| if n == 0 { "a bug".parse().expect("a bug") } else { n })
    }
}

#[derive(Clone)]
struct Small {
    schema: Schema<Query, Mutation, Subscription>,
    limits: Limits,
    documents: Arc<Documents>,
    suggests: bool,
    /// The tokens that were good are good no longer.
    ended: Arc<AtomicBool>,
}

impl Small {
    fn new() -> Self {
        Self {
            schema: Schema::new(Query, Mutation, Subscription),
            limits: Limits::default(),
            documents: Arc::new(Documents::new(Keeping::On)),
            suggests: false,
            ended: Arc::default(),
        }
    }
}

impl Engine for Small {
    type Caller = String;
    type Seat = ();

    fn seat_at(&self, _: &Parts) -> Result<(), Refusal> {
        Ok(())
    }

    fn seat_for(&self, _: &String) -> Result<(), Refusal> {
        Ok(())
    }

    async fn admit(&self, parts: &Parts) -> Result<String, Refusal> {
        let credential = parts.headers.get("authorization").map(|it| it.to_str().unwrap_or("?"));
        match credential {
            None => Ok("nobody".to_owned()),
            Some("Bearer good") => Ok("somebody".to_owned()),
            Some("Bearer busy") => Err(Refusal {
                status: StatusCode::SERVICE_UNAVAILABLE,
                code: "OVERLOADED",
                message: "Too many at once.".into(),
                retry_after: Some(3),
            }),
            Some(_) => Err(ended()),
        }
    }

    fn limits(&self, _: &String) -> &Limits {
        &self.limits
    }

    fn documents(&self) -> &Documents {
        &self.documents
    }

    fn freedom(&self, _: &String) -> Freedom {
        Freedom::Bound
    }

    fn suggests(&self, _: &String) -> bool {
        self.suggests
    }

    async fn recheck(&self, caller: &String) -> Result<String, Refusal> {
        let is_over = caller == "somebody" && self.ended.load(Ordering::SeqCst);
        if is_over { Err(ended()) } else { Ok(caller.clone()) }
    }

    fn welcomes(&self, parts: &Parts) -> bool {
        parts.headers.get("origin").is_none_or(|origin| origin == "https://ours.example")
    }

    fn follow(
        &self,
        caller: String,
        request: async_graphql::Request,
        _: Known,
    ) -> BoxStream<'static, Executed> {
        self.schema.execute_stream(request.data(caller)).boxed()
    }

    async fn execute(&self, caller: String, request: async_graphql::Request, _: Known) -> Executed {
        self.schema.execute(request.data(caller)).await
    }
}

fn ended() -> Refusal {
    Refusal {
        status: StatusCode::UNAUTHORIZED,
        code: "UNAUTHENTICATED",
        message: "The token is not valid.".into(),
        retry_after: None,
    }
}

const MODERN: &str = "application/graphql-response+json";

struct Seen {
    status: u16,
    headers: HeaderMap,
    json: Json,
}

impl Seen {
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("text"))
    }

    fn code(&self) -> &str {
        self.json["errors"][0]["extensions"]["code"].as_str().unwrap_or("")
    }

    fn message(&self) -> &str {
        self.json["errors"][0]["message"].as_str().unwrap_or("")
    }
}

async fn send_to(engine: Small, request: axum::http::Request<Body>) -> Seen {
    let app = Router::new().route("/graphql", any(handle::<Small>)).with_state(engine);
    let response = app.oneshot(request).await.expect("an answer");
    let (parts, body) = response.into_parts();
    let body = to_bytes(body, usize::MAX).await.expect("a body");
    let json = serde_json::from_slice(&body).unwrap_or(Json::Null);
    Seen { status: parts.status.as_u16(), headers: parts.headers, json }
}

fn request(
    method: &str,
    uri: &str,
    headers: &[(&str, &str)],
    body: impl Into<Body>,
) -> axum::http::Request<Body> {
    let mut request = axum::http::Request::builder().method(method).uri(uri);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(body.into()).expect("a request")
}

async fn post_with(headers: &[(&str, &str)], body: impl Into<Body>) -> Seen {
    let mut all = vec![("content-type", "application/json")];
    all.extend_from_slice(headers);
    send_to(Small::new(), request("POST", "/graphql", &all, body)).await
}

/// With the media type whose status tells.
async fn post(body: Json) -> Seen {
    post_with(&[("accept", MODERN)], body.to_string()).await
}

async fn ask(query: &str) -> Seen {
    post(json!({ "query": query })).await
}

async fn get_with(query: &[(&str, &str)], headers: &[(&str, &str)]) -> Seen {
    let encode = |text: &str| text.bytes().fold(String::new(), |all, byte| all + &format!("%{byte:02x}"));
    let pairs: Vec<_> = query.iter().map(|(name, value)| format!("{name}={}", encode(value))).collect();
    let uri = format!("/graphql?{}", pairs.join("&"));
    send_to(Small::new(), request("GET", &uri, headers, "")).await
}
