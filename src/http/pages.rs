//! The plain pages behind mailed links, for applications without a front end of their own. They have no scripts.
//!
//! Opening a page uses nothing up: mail scanners open links. A button does.

use std::sync::Arc;

use axum::{
    Extension, Form,
    extract::{
        Query, State,
        rejection::{FormRejection, QueryRejection},
    },
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Deserialize;

use crate::{
    app::App,
    authz::Actor,
    context::{Ctx, RequestInfo},
    domain::{
        credentials::reset::{self, Key},
        identity::service::{self as identity, Proof},
        notifications::template::escape,
        orgs::invitations::{self, Introduction},
    },
    error::Error,
};

#[derive(Deserialize)]
pub struct Link {
    #[serde(default)]
    token: String,
}

pub async fn verify(link: Result<Query<Link>, QueryRejection>) -> Response {
    let token = link.map(|Query(link)| link.token).unwrap_or_default();
    let form = format!(
        "<p>Confirm that this address is yours.</p>\
         <form method=\"post\" action=\"/verify\"><input type=\"hidden\" name=\"token\" value=\"{}\">\
         <button type=\"submit\">Confirm my address</button></form>",
        escape(&token)
    );
    page(StatusCode::OK, "Confirm your address", &form)
}

pub async fn confirm_verify(
    State(app): State<Arc<App>>,
    Extension(info): Extension<Arc<RequestInfo>>,
    link: Result<Form<Link>, FormRejection>,
) -> Response {
    let token = link.map(|Form(link)| link.token).unwrap_or_default();
    let ctx = Ctx { app, actor: Actor::Anonymous, request: info };
    match identity::verify(&ctx, Proof::Token(token)).await {
        Ok(user) => {
            let text = format!(
                "<p>Thank you, {}. Your address is confirmed: you can log in now.</p>",
                escape(&user.user_name)
            );
            page(StatusCode::OK, "Your address is confirmed", &text)
        }
        Err(error) => refusal(&error),
    }
}

#[derive(Default, Deserialize)]
pub struct Reset {
    #[serde(default)]
    token: String,
    #[serde(default)]
    password: String,
}

pub async fn reset(link: Result<Query<Link>, QueryRejection>) -> Response {
    let token = link.map(|Query(link)| link.token).unwrap_or_default();
    page(StatusCode::OK, "Set a new password", &reset_form(&token))
}

/// A password that is not good enough is asked for again: the link is still good.
pub async fn confirm_reset(
    State(app): State<Arc<App>>,
    Extension(info): Extension<Arc<RequestInfo>>,
    form: Result<Form<Reset>, FormRejection>,
) -> Response {
    let Reset { token, password } = form.map(|Form(form)| form).unwrap_or_default();
    let ctx = Ctx { app, actor: Actor::Anonymous, request: info };
    match reset::reset_password(&ctx, Key::Token(token.clone()), password).await {
        Ok(user) => {
            let text = format!(
                "<p>Thank you, {}. Your new password is set, and you are logged out everywhere: log in with it.</p>",
                escape(&user.user_name)
            );
            page(StatusCode::OK, "Your new password is set", &text)
        }
        Err(Error::Faults(faults)) if faults.iter().all(|fault| fault.path == ["newPassword"]) => {
            let why = escape(&Error::Faults(faults).to_string());
            let again = format!("<p role=\"alert\"><strong>{why}</strong></p>{}", reset_form(&token));
            page(StatusCode::UNPROCESSABLE_ENTITY, "Set a new password", &again)
        }
        Err(error) => refusal(&error),
    }
}

fn reset_form(token: &str) -> String {
    format!(
        "<form method=\"post\" action=\"/reset\"><input type=\"hidden\" name=\"token\" value=\"{}\">\
         <p><label>Your new password<br><input type=\"password\" name=\"password\" autocomplete=\"new-password\" \
         required></label></p><button type=\"submit\">Set my password</button></form>",
        escape(token)
    )
}

/// Whoever holds the link may read who invites. Accepting needs an account, and so happens where one logs in.
pub async fn invitation(
    State(app): State<Arc<App>>,
    Extension(info): Extension<Arc<RequestInfo>>,
    link: Result<Query<Link>, QueryRejection>,
) -> Response {
    let token = link.map(|Query(link)| link.token).unwrap_or_default();
    let ctx = Ctx { app, actor: Actor::Anonymous, request: info };
    let found = match invitations::introduce(&ctx, &token).await {
        Ok(found) => found,
        Err(error) => return refusal(&error),
    };
    let Some(Introduction { organization, email }) = found else {
        let text = "<p>There is no such invitation, or it waits for no answer any more.</p>";
        return page(StatusCode::OK, "This invitation is over", text);
    };
    let text = format!(
        "<p>You are invited to join <strong>{}</strong>.</p>\
         <p>To accept, log in with the address {}, or register with it, in the application that you use, and give it \
         this invitation: <code>{token}</code></p>\
         <form method=\"post\" action=\"/invitation\"><input type=\"hidden\" name=\"token\" value=\"{token}\">\
         <button type=\"submit\">Decline the invitation</button></form>",
        escape(&organization),
        escape(&email),
        token = escape(&token),
    );
    page(StatusCode::OK, "You are invited", &text)
}

pub async fn decline_invitation(
    State(app): State<Arc<App>>,
    Extension(info): Extension<Arc<RequestInfo>>,
    link: Result<Form<Link>, FormRejection>,
) -> Response {
    let token = link.map(|Form(link)| link.token).unwrap_or_default();
    let ctx = Ctx { app, actor: Actor::Anonymous, request: info };
    match invitations::decline(&ctx, &token).await {
        Ok(_) => page(
            StatusCode::OK,
            "Declined",
            "<p>The invitation is declined. There is nothing else to do.</p>",
        ),
        Err(error) => refusal(&error),
    }
}

fn refusal(error: &Error) -> Response {
    let (status, message) = match error {
        Error::Faults(_) | Error::Gone => (StatusCode::UNPROCESSABLE_ENTITY, error.to_string()),
        Error::Refused { message, .. } => (StatusCode::SERVICE_UNAVAILABLE, message.to_string()),
        Error::Conflict(_) | Error::Internal(_) => {
            tracing::error!(%error, "a page failed");
            (StatusCode::INTERNAL_SERVER_ERROR, "Something went wrong on our side.".to_owned())
        }
    };
    page(status, "This did not work", &format!("<p>{}</p>", escape(&message)))
}

fn page(status: StatusCode, title: &str, body: &str) -> Response {
    let html = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><title>{title}</title>\
         <style>{STYLE}</style></head>\n<body><main><h1>{title}</h1>\n{body}\n</main></body></html>\n"
    );
    let policy = "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'";
    let headers =
        [(header::CONTENT_TYPE, "text/html; charset=utf-8"), (header::CONTENT_SECURITY_POLICY, policy)];
    (status, headers, html).into_response()
}

const STYLE: &str = "body{font:17px/1.5 system-ui,sans-serif;margin:0;color-scheme:light dark}\
    main{max-width:32rem;margin:15vh auto;padding:0 1.5rem}h1{font-size:1.5rem}\
    button{font:inherit;padding:.6rem 1.2rem;border-radius:.4rem;border:1px solid;cursor:pointer}";
