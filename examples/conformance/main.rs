//! Our HTTP layer over a schema that auditors know: `products` of Apollo's federation compatibility suite, and a
//! subscription `tick`. `cargo run --example conformance -- --listen 127.0.0.1:4001` serves it at `/` and `/graphql`.

mod products;

use std::{net::SocketAddr, sync::Arc};

use async_graphql::{EmptyMutation, Request, Response};
use axum::{Router, http::request::Parts, routing::any};
use clap::Parser;
use denizen::{
    graphql::{
        documents::{Documents, Keeping},
        limits::Limits,
        tracing::{self, FederatedTracing},
    },
    http::{
        graphql::{Engine, Freedom, Refusal, handle, prepare::Known},
        server::{Pace, serve},
    },
};
use futures_util::{StreamExt as _, stream::BoxStream};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

type Schema = async_graphql::Schema<products::Query, EmptyMutation, products::Subscription>;

/// An HTTP layer for auditors to look at.
#[derive(Parser)]
struct Args {
    /// The address and port to listen on
    #[arg(long, default_value = "127.0.0.1:4001")]
    listen: SocketAddr,
}

/// Everybody may do everything.
#[derive(Clone)]
struct Open {
    schema: Schema,
    traced: Schema,
    limits: Arc<Limits>,
    documents: Arc<Documents>,
}

impl Engine for Open {
    type Caller = Asked;
    type Seat = ();

    fn seat_at(&self, _: &Parts) -> Result<(), Refusal> {
        Ok(())
    }

    fn seat_for(&self, _: &Asked) -> Result<(), Refusal> {
        Ok(())
    }

    async fn admit(&self, parts: &Parts) -> Result<Asked, Refusal> {
        let header = parts.headers.get(tracing::HEADER);
        let traced = header.is_some_and(|version| version == tracing::VERSION);
        Ok(if traced { Asked::WithTrace } else { Asked::Plainly })
    }

    async fn recheck(&self, asked: &Asked) -> Result<Asked, Refusal> {
        Ok(*asked)
    }

    fn welcomes(&self, _: &Parts) -> bool {
        true
    }

    fn limits(&self, _: &Asked) -> &Limits {
        &self.limits
    }

    fn documents(&self) -> &Documents {
        &self.documents
    }

    fn freedom(&self, _: &Asked) -> Freedom {
        Freedom::Free
    }

    fn suggests(&self, _: &Asked) -> bool {
        true
    }

    async fn execute(&self, asked: Asked, request: Request, _: Known) -> Response {
        match asked {
            Asked::Plainly => self.schema.execute(request).await,
            Asked::WithTrace => self.traced.execute(request).await,
        }
    }

    fn follow(&self, _: Asked, request: Request, _: Known) -> BoxStream<'static, Response> {
        self.schema.execute_stream(request).boxed()
    }
}

/// How a caller wants to be answered.
#[derive(Clone, Copy)]
enum Asked {
    Plainly,
    WithTrace,
}

#[tokio::main]
async fn main() -> Result<(), std::io::Error> {
    let Args { listen } = Args::parse();
    let builder = || Schema::build(products::Query, EmptyMutation, products::Subscription);
    let (schema, traced) = (builder().finish(), builder().extension(FederatedTracing).finish());
    let engine =
        Open { schema, traced, limits: Arc::default(), documents: Arc::new(Documents::new(Keeping::On)) };
    let endpoint = any(handle::<Open>);
    let router = Router::new().route("/", endpoint.clone()).route("/graphql", endpoint).with_state(engine);
    let listener = TcpListener::bind(listen).await?;
    let stop = CancellationToken::new();
    let stopped = stop.clone();
    tokio::spawn(async move {
        let _ = tokio::signal::ctrl_c().await;
        stopped.cancel();
    });
    serve(listener, router, Pace::default(), stop).await;
    Ok(())
}
