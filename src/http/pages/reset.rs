//! A new password, with the link that was mailed.

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
use serde::Deserialize;

use super::{
    Link,
    layout::{WayOn, alert, hidden, page, password, refusal},
};
use crate::{
    app::App,
    authz::Actor,
    context::{Ctx, RequestInfo},
    domain::{
        credentials::reset::{self, Key},
        notifications::template::escape,
    },
    error::Error,
};

const TITLE: &str = "Set a new password";

const ANOTHER: &str = "<p>Ask for another mail: choose “forgot password” where you log in. Its link works once, for an hour, and \
    only the newest works.</p>";

#[derive(Default, Deserialize)]
pub struct Reset {
    #[serde(default)]
    token: String,
    #[serde(default)]
    password: String,
}

pub async fn reset(State(app): State<Arc<App>>, link: Result<Query<Link>, QueryRejection>) -> Response {
    let token = link.map(|Query(link)| link.token).unwrap_or_default();
    page(&app, StatusCode::OK, TITLE, &form(&token))
}

/// A password that is not good enough is asked for again: the link is still good.
pub async fn confirm_reset(
    State(app): State<Arc<App>>,
    Extension(info): Extension<Arc<RequestInfo>>,
    form_sent: Result<Form<Reset>, FormRejection>,
) -> Response {
    let Reset { token, password } = form_sent.map(|Form(form)| form).unwrap_or_default();
    let ctx = Ctx { app: Arc::clone(&app), actor: Actor::Anonymous, request: info };
    match reset::reset_password(&ctx, Key::Token(token.clone()), password).await {
        Ok(user) => {
            let text = format!(
                "<p>Thank you, {}. Your new password is set, and you are logged out everywhere: log in with it.</p>",
                escape(&user.user_name)
            );
            page(&app, StatusCode::OK, "Your new password is set", &text)
        }
        Err(Error::Faults(faults)) if faults.iter().all(|fault| fault.path == ["newPassword"]) => {
            let why = Error::Faults(faults).to_string();
            page(&app, StatusCode::UNPROCESSABLE_ENTITY, TITLE, &format!("{}{}", alert(&why), form(&token)))
        }
        Err(error) => refusal(&app, &error, &WayOn { page: "reset", token: &token, another: ANOTHER }),
    }
}

fn form(token: &str) -> String {
    format!(
        "<form method=\"post\" action=\"/reset\">{}{}<button type=\"submit\">Set my password</button></form>",
        hidden("token", token),
        password("password", "Your new password", "new-password"),
    )
}
