//! Somebody who follows a subscription, by server-sent events.

use std::time::Duration;

use axum::{
    body::Body,
    http::{Request, StatusCode, header},
};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use tokio::{task::yield_now, time::timeout};

use super::Client;

pub struct Following {
    pub status: StatusCode,
    body: Body,
    read: String,
    /// It never joined those who follow.
    refused: bool,
}

impl Client {
    pub async fn follow(&self, document: &str, variables: Value) -> Following {
        let before = self.followers().await;
        let call = json!({ "query": document, "variables": variables });
        let request = Request::post("/graphql")
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::ACCEPT, "text/event-stream");
        let request = request.body(Body::from(call.to_string())).expect("a request");
        let response = self.reach(request).await;
        let status = response.status();
        let mut following =
            Following { status, body: response.into_body(), read: String::new(), refused: true };
        // The server counts who has joined: what happens from then on, they hear. Or else it says why not.
        while following.refused && !following.read.contains("event: ") {
            tokio::select! {
                more = following.more() => if !more { break },
                () = yield_now() => {}
            }
            following.refused = self.followers().await == before;
        }
        following
    }

    async fn followers(&self) -> u64 {
        let metrics = self.get("/metrics").await.text;
        let count = metrics.lines().find_map(|line| line.strip_prefix("denizen_event_followers_total "));
        count.expect("the metric").parse().expect("a number")
    }
}

impl Following {
    async fn more(&mut self) -> bool {
        match self.body.frame().await {
            Some(frame) => {
                let data = frame.expect("a frame").into_data().expect("data");
                self.read.push_str(&String::from_utf8_lossy(&data));
                true
            }
            None => false,
        }
    }

    /// The next result; `None` when the stream has ended.
    pub async fn next(&mut self) -> Option<Value> {
        let wait = async {
            loop {
                if let Some((event, rest)) = self.read.split_once("\n\n") {
                    let (event, rest) = (event.to_owned(), rest.to_owned());
                    self.read = rest;
                    if let Some(data) = event.strip_prefix("event: next\ndata: ") {
                        return Some(serde_json::from_str(data).expect("JSON"));
                    }
                    if event.starts_with("event: complete") {
                        return None;
                    }
                } else if !self.more().await {
                    return None;
                }
            }
        };
        timeout(Duration::from_secs(15), wait).await.expect("something should come, or the end")
    }

    /// The next result, if there is one already.
    pub async fn next_at_once(&mut self) -> Option<Value> {
        timeout(Duration::from_millis(500), self.next()).await.ok().flatten()
    }

    /// The type of the next event.
    pub async fn next_type(&mut self) -> String {
        let next = self.next().await.expect("an event");
        next["data"]["events"]["type"].as_str().unwrap_or_else(|| panic!("no event: {next}")).to_owned()
    }

    /// The code that the stream ends with, after what was still on its way.
    pub async fn end(&mut self) -> String {
        let mut last = self.next().await.expect("a last word");
        while last.get("errors").is_none() {
            assert_ne!(
                last["data"]["events"]["type"], "role.revoked",
                "who lost the grant hears of nothing more"
            );
            last = self.next().await.expect("a last word");
        }
        assert_eq!(self.next().await, None);
        last["errors"][0]["extensions"]["code"].as_str().unwrap_or_else(|| panic!("{last}")).to_owned()
    }

    /// The codes that it was refused with, if it was.
    pub async fn refusal(mut self) -> Vec<String> {
        if self.status != StatusCode::OK {
            return vec![self.status.to_string()];
        }
        if !self.refused {
            return Vec::new();
        }
        let said = self.next().await.expect("a reason");
        let errors = said["errors"].as_array().cloned().unwrap_or_default();
        let code = |error: &Value| error["extensions"]["code"].as_str().unwrap_or("none").to_owned();
        errors.iter().map(code).collect()
    }
}
