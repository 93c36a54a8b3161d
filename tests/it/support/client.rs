//! A client of the HTTP door: what it sends goes through every layer that a request from outside goes through.

use std::net::SocketAddr;

use axum::{
    body::Body,
    extract::ConnectInfo,
    http::{HeaderMap, Request, StatusCode, header},
    response::Response,
};
use denizen::http::Front;
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use tower::ServiceExt as _;

#[derive(Clone)]
pub struct Client {
    front: Front,
    pub token: Option<String>,
    headers: Vec<(String, String)>,
}

/// What came back.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub text: String,
    pub body: Value,
}

impl Client {
    pub fn new(front: Front) -> Self {
        Self { front, token: None, headers: Vec::new() }
    }

    pub fn with_token(&self, token: &str) -> Self {
        Self { token: Some(token.to_owned()), ..self.clone() }
    }

    pub fn with_header(&self, name: &str, value: &str) -> Self {
        let mut client = self.clone();
        client.headers.push((name.to_owned(), value.to_owned()));
        client
    }

    /// Runs a document without variables.
    pub async fn run(&self, document: &str) -> Answer {
        self.run_with(document, json!({})).await
    }

    pub async fn run_with(&self, document: &str, variables: Value) -> Answer {
        self.post(&json!({ "query": document, "variables": variables })).await
    }

    pub async fn post(&self, body: &Value) -> Answer {
        let request = Request::post("/graphql")
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::ACCEPT, "application/graphql-response+json");
        self.send(request.body(Body::from(body.to_string())).expect("a request")).await
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send(Request::get(path).body(Body::empty()).expect("a request")).await
    }

    pub async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.reach(request).await;
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.expect("the body should arrive").to_bytes();
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let body = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
        Answer { status: parts.status, headers: parts.headers, text, body }
    }

    /// What comes back, as it comes.
    pub async fn reach(&self, mut request: Request<Body>) -> Response {
        request.extensions_mut().insert(ConnectInfo(SocketAddr::from(([203, 0, 113, 7], 40_000))));
        let headers = request.headers_mut();
        if let Some(token) = &self.token {
            headers.insert(header::AUTHORIZATION, format!("Bearer {token}").parse().expect("a header"));
        }
        for (name, value) in &self.headers {
            let name: header::HeaderName = name.parse().expect("a header name");
            headers.append(name, value.parse().expect("a header"));
        }
        self.front.clone().oneshot(request).await.expect("it never fails")
    }
}

impl Answer {
    /// The data at this path, such as `/users/edges/0/node`; null when it is not there.
    #[track_caller]
    pub fn data(&self, pointer: &str) -> Value {
        self.body.pointer(&format!("/data{pointer}")).cloned().unwrap_or(Value::Null)
    }

    /// The data at this path, of an answer without any error.
    #[track_caller]
    pub fn ok(&self, pointer: &str) -> Value {
        assert!(self.body.get("errors").is_none(), "errors in {}", self.text);
        self.data(pointer)
    }

    /// The codes of the errors, in their order.
    pub fn codes(&self) -> Vec<String> {
        let errors = self.body["errors"].as_array().cloned().unwrap_or_default();
        errors.iter().map(|error| error["extensions"]["code"].as_str().unwrap_or("none").to_owned()).collect()
    }

    /// What a payload says is to be mended, as `CODE at path`.
    #[track_caller]
    pub fn faults(&self, mutation: &str) -> Vec<String> {
        let payload = self.ok(&format!("/{mutation}"));
        let faults = payload["errors"].as_array().unwrap_or_else(|| panic!("no payload in {}", self.text));
        let path = |fault: &Value| {
            let steps: Vec<_> =
                fault["path"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
            steps.join(".")
        };
        faults
            .iter()
            .map(|fault| format!("{} at [{}]", fault["code"].as_str().unwrap_or("?"), path(fault)))
            .collect()
    }
}
