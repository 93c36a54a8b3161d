//! Invitations: who invites, and a button to say no.

use std::sync::Arc;

use axum::{
    Extension, Form,
    extract::{
        Query, State,
        rejection::{FormRejection, QueryRejection},
    },
    http::StatusCode,
    response::Response,
};

use super::{
    Link,
    layout::{WayOn, hidden, page, refusal},
};
use crate::{
    app::App,
    authz::Actor,
    context::{Ctx, RequestInfo},
    domain::{
        notifications::template::escape,
        orgs::invitations::{self, Introduction},
    },
};

const ANOTHER: &str = "<p>If you have answered it, there is nothing to do. Otherwise ask whoever invited you to send \
    another invitation.</p>";

/// Whoever holds the link may read who invites. Accepting needs an account, and so happens where one logs in.
pub async fn invitation(
    State(app): State<Arc<App>>,
    Extension(info): Extension<Arc<RequestInfo>>,
    link: Result<Query<Link>, QueryRejection>,
) -> Response {
    let token = link.map(|Query(link)| link.token).unwrap_or_default();
    let ctx = Ctx { app: Arc::clone(&app), actor: Actor::Anonymous, request: info };
    let found = match invitations::introduce(&ctx, &token).await {
        Ok(found) => found,
        Err(error) => return refusal(&app, &error, &way(&token)),
    };
    let Some(Introduction { organization, email }) = found else {
        let text =
            format!("<p>There is no such invitation, or it waits for no answer any more.</p>{ANOTHER}");
        return page(&app, StatusCode::OK, "This invitation is over", &text);
    };
    let text = format!(
        "<p>You are invited to join <strong>{}</strong>.</p>\
         <p>To accept, log in with the address {}, or register with it, in the application that you use, and give it \
         this invitation:</p><p><code>{}</code></p>\
         <section><h2>You do not want to join?</h2>\
         <form method=\"post\" action=\"/invitation\">{}\
         <button type=\"submit\" class=\"quiet\">Decline the invitation</button></form></section>",
        escape(&organization),
        escape(&email),
        escape(&token),
        hidden("token", &token),
    );
    page(&app, StatusCode::OK, "You are invited", &text)
}

pub async fn decline_invitation(
    State(app): State<Arc<App>>,
    Extension(info): Extension<Arc<RequestInfo>>,
    link: Result<Form<Link>, FormRejection>,
) -> Response {
    let token = link.map(|Form(link)| link.token).unwrap_or_default();
    let ctx = Ctx { app: Arc::clone(&app), actor: Actor::Anonymous, request: info };
    match invitations::decline(&ctx, &token).await {
        Ok(_) => page(
            &app,
            StatusCode::OK,
            "Declined",
            "<p>The invitation is declined. There is nothing else to do: you can close this page.</p>",
        ),
        Err(error) => refusal(&app, &error, &way(&token)),
    }
}

fn way(token: &str) -> WayOn<'_> {
    WayOn { page: "invitation", token, another: ANOTHER }
}
