//! The proof of an address. Whoever reads the mail need not be who registered: so the page asks for the password that was chosen,
//! or lets them choose another.

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
    layout::{WayOn, account, alert, hidden, page, password, refusal},
};
use crate::{
    app::App,
    authz::Actor,
    context::{Ctx, RequestInfo},
    domain::{
        identity::service::{self as identity, Confirmation, Introduction, Proof, Verified},
        notifications::template::escape,
    },
    error::{Error, ErrorCode, Fault},
};

const TITLE: &str = "Confirm your address";

const ANOTHER: &str = "<p>If you have confirmed your address already, log in; “forgot password” there helps where the password \
    does not work. Otherwise ask for another mail where you registered, or register there again. Its link works once, for a day, \
    and only the newest works.</p>";

/// What is sent by one of the two forms, or by the button.
#[derive(Default, Deserialize)]
pub struct Confirm {
    #[serde(default)]
    token: String,
    password: Option<String>,
    #[serde(rename = "newPassword")]
    new_password: Option<String>,
}

pub async fn verify(
    State(app): State<Arc<App>>,
    Extension(info): Extension<Arc<RequestInfo>>,
    link: Result<Query<Link>, QueryRejection>,
) -> Response {
    let token = link.map(|Query(link)| link.token).unwrap_or_default();
    let ctx = Ctx { app: Arc::clone(&app), actor: Actor::Anonymous, request: info };
    match identity::introduce(&ctx, &token).await {
        Ok(introduction) => page(&app, StatusCode::OK, TITLE, &form(&introduction, &token)),
        Err(error @ Error::Faults(_)) => {
            let text = format!("<p>{}</p>{ANOTHER}", escape(&error.to_string()));
            page(&app, StatusCode::OK, "This link does not work", &text)
        }
        Err(error) => refusal(&app, &error, &way(&token)),
    }
}

/// A password that is wrong, or not good enough, is asked for again: the link is still good.
pub async fn confirm_verify(
    State(app): State<Arc<App>>,
    Extension(info): Extension<Arc<RequestInfo>>,
    form_sent: Result<Form<Confirm>, FormRejection>,
) -> Response {
    let Confirm { token, password, new_password } = form_sent.map(|Form(form)| form).unwrap_or_default();
    let ctx = Ctx { app: Arc::clone(&app), actor: Actor::Anonymous, request: info };
    let introduction = match identity::introduce(&ctx, &token).await {
        Ok(introduction) => introduction,
        Err(error) => return refusal(&app, &error, &way(&token)),
    };
    let once_more = |why: &str| {
        let text = format!("{}{}", alert(why), form(&introduction, &token));
        page(&app, StatusCode::UNPROCESSABLE_ENTITY, TITLE, &text)
    };
    let confirmation = match (&introduction, password, new_password) {
        (Introduction::NewAddress { .. }, ..) => Confirmation::None,
        (_, Some(password), None) => {
            Confirmation::Shown { registration_token: None, password: Some(password) }
        }
        (_, None, Some(new)) => Confirmation::NewPassword(new),
        _ => return once_more("Enter the password that you chose, or choose a new one."),
    };
    match identity::verify(&ctx, Proof::Token(token.clone()), confirmation).await {
        Ok(Verified { user, password_token: _ }) => {
            let text = format!(
                "<p>Thank you, {}. Your address is confirmed: you can log in now, where you registered.</p>",
                escape(&user.user_name)
            );
            page(&app, StatusCode::OK, "Your address is confirmed", &text)
        }
        Err(Error::Faults(faults)) if faults.iter().all(is_of_password) => {
            once_more(&Error::Faults(faults).to_string())
        }
        Err(error) => refusal(&app, &error, &way(&token)),
    }
}

fn is_of_password(fault: &Fault) -> bool {
    fault.code == ErrorCode::TooManyAttempts || fault.path == ["password"] || fault.path == ["newPassword"]
}

fn form(introduction: &Introduction, token: &str) -> String {
    let token = hidden("token", token);
    match introduction {
        Introduction::NewAddress { user_name, address } => format!(
            "<p>The account <strong>{}</strong> wants to have the address {} from now on.</p>\
             <p>If that is not your account, close this page: nothing changes then.</p>\
             <form method=\"post\" action=\"/verify\">{token}\
             <button type=\"submit\">Confirm my address</button></form>",
            escape(user_name),
            escape(address),
        ),
        Introduction::Registration { user_name } => {
            let account = account(user_name);
            let chosen = password("password", "Your password", "current-password");
            let new = password("newPassword", "A new password", "new-password");
            format!(
                "<p>The account <strong>{}</strong> was registered with your address.</p>\
                 <section><h2>It was me</h2><p>Enter the password that you chose.</p>\
                 <form method=\"post\" action=\"/verify\">{token}{account}{chosen}\
                 <button type=\"submit\">Confirm my address</button></form></section>\
                 <section><h2>It was not me, or I do not know the password</h2>\
                 <p>If you do not want this account, close this page: nothing happens then. If you want it, choose a new \
                 password: the one that was chosen before does not count any more.</p>\
                 <form method=\"post\" action=\"/verify\">{token}{account}{new}\
                 <button type=\"submit\" class=\"quiet\">Set this password and confirm</button></form></section>",
                escape(user_name),
            )
        }
    }
}

fn way(token: &str) -> WayOn<'_> {
    WayOn { page: "verify", token, another: ANOTHER }
}
