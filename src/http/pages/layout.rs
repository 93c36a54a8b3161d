//! What every hosted page has: the name of the service, a heading, a way on, and its style. No scripts.

use axum::{
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};

use crate::{
    app::App,
    domain::notifications::template::escape,
    error::{Error, ErrorCode, Fault},
};

/// What the service is called where nobody named it.
const SERVICE: &str = "Denizen";

const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

/// `title` is ours and plain; `body` is HTML.
pub fn page(app: &App, status: StatusCode, title: &str, body: &str) -> Response {
    let (url, host) = (escape(app.public_url.as_str()), escape(&host(app)));
    let html = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <meta name=\"color-scheme\" content=\"light dark\">\
         <title>{title} · {SERVICE}</title><style>{STYLE}</style></head>\n\
         <body><header><a href=\"{url}\"><strong>{SERVICE}</strong> <span>{host}</span></a></header>\n\
         <main><h1>{title}</h1>\n{body}\n</main>\n\
         <footer><a href=\"{url}\">Go to {host}</a></footer></body></html>\n"
    );
    let headers =
        [(header::CONTENT_TYPE, "text/html; charset=utf-8"), (header::CONTENT_SECURITY_POLICY, POLICY)];
    (status, headers, html).into_response()
}

/// The host of the public address, as people know it, with the port if it has one.
fn host(app: &App) -> String {
    let url = app.public_url.as_str();
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.split(['/', '?', '#']).next().unwrap_or(rest).to_owned()
}

/// What went wrong, above a form that is shown once more.
pub fn alert(message: &str) -> String {
    format!("<p role=\"alert\" class=\"alert\">{}</p>", escape(message))
}

pub fn hidden(name: &str, value: &str) -> String {
    format!("<input type=\"hidden\" name=\"{name}\" value=\"{}\">", escape(value))
}

/// A field for a password, with its label. `remembers` is what a password manager is to do: fill one in, or offer a new one.
pub fn password(name: &str, label: &str, remembers: &str) -> String {
    format!(
        "<label for=\"{name}\">{label}</label>\
         <input type=\"password\" id=\"{name}\" name=\"{name}\" autocomplete=\"{remembers}\" required>"
    )
}

/// Tells a password manager whose password it is.
pub fn account(user_name: &str) -> String {
    format!(
        "<input type=\"text\" name=\"userName\" value=\"{}\" autocomplete=\"username\" aria-label=\"User name\" readonly \
         hidden>",
        escape(user_name)
    )
}

/// Which link it was, and how to go on where it does not work.
pub struct WayOn<'a> {
    /// The page itself: `verify`, for a form that can be tried again.
    pub page: &'a str,
    pub token: &'a str,
    /// Where the link is good for nothing: how to get another. HTML.
    pub another: &'a str,
}

pub fn refusal(app: &App, error: &Error, way: &WayOn<'_>) -> Response {
    let (status, message, next) = match error {
        Error::Faults(faults) => (StatusCode::UNPROCESSABLE_ENTITY, error.to_string(), after(faults, way)),
        Error::Gone => (StatusCode::UNPROCESSABLE_ENTITY, error.to_string(), way.another.to_owned()),
        Error::Refused { code: ErrorCode::RateLimited, message, .. } => {
            (StatusCode::TOO_MANY_REQUESTS, message.to_string(), again(way))
        }
        Error::Refused { message, .. } => (StatusCode::SERVICE_UNAVAILABLE, message.to_string(), again(way)),
        Error::Conflict(_) | Error::Internal(_) => {
            tracing::error!(%error, "a page failed");
            let message = "Something went wrong on our side. Nothing was changed.";
            (StatusCode::INTERNAL_SERVER_ERROR, message.to_owned(), again(way))
        }
    };
    page(app, status, "This did not work", &format!("{}{next}", alert(&message)))
}

fn after(faults: &[Fault], way: &WayOn<'_>) -> String {
    if faults.iter().any(|fault| fault.code == ErrorCode::TooManyAttempts) {
        return again(way);
    }
    way.another.to_owned()
}

fn again(way: &WayOn<'_>) -> String {
    let WayOn { page, token, another: _ } = way;
    format!(
        "<p>Your link is still good. Wait a moment, then <a href=\"/{page}?token={}\">try again</a>.</p>",
        escape(token)
    )
}

/// Colours are chosen for a contrast of 4.5 to 1 at least, of text and of what one clicks, in both themes.
const STYLE: &str = "\
:root{color-scheme:light dark;--ground:#f6f6f4;--card:#fff;--text:#1b1c1f;--quiet:#55575f;--line:#84868f;--soft:#d9d9d6;\
--accent:#1d4fb8;--on-accent:#fff;--alert:#8f1616;--alert-ground:#fdeeee}\
@media(prefers-color-scheme:dark){:root{--ground:#131417;--card:#1c1e22;--text:#ececf0;--quiet:#b0b2bb;--line:#858893;\
--soft:#34363d;--accent:#9dbcff;--on-accent:#0c1426;--alert:#ffb9b9;--alert-ground:#3b1c1f}}\
*{box-sizing:border-box}\
html{background:var(--ground);color:var(--text);font:17px/1.55 system-ui,-apple-system,'Segoe UI',sans-serif;\
-webkit-text-size-adjust:100%}\
body{margin:0 auto;max-width:34rem;min-height:100vh;padding:1.5rem 1rem;display:flex;flex-direction:column}\
header{padding:0 .25rem 1rem}header a{color:inherit;text-decoration:none}header a:hover{text-decoration:underline}\
header span,footer{color:var(--quiet);overflow-wrap:anywhere}\
main{background:var(--card);border:1px solid var(--soft);border-radius:.75rem;padding:1.5rem;overflow-wrap:anywhere}\
main>:last-child,section>:last-child{margin-bottom:0}\
footer{padding:1rem .25rem;font-size:.9rem}\
h1{font-size:1.5rem;line-height:1.25;margin:0 0 1rem}h2{font-size:1.1rem;margin:0 0 .5rem}p{margin:0 0 1rem}\
section{border-top:1px solid var(--soft);margin-top:1.5rem;padding-top:1.5rem}\
a{color:var(--accent)}\
label{display:block;font-weight:600;margin-bottom:.25rem}\
input:not([type=hidden]){display:block;width:100%;font:inherit;color:inherit;background:var(--ground);padding:.6rem .75rem;\
border:1px solid var(--line);border-radius:.5rem;margin-bottom:1rem}input[hidden]{display:none!important}\
button{font:inherit;font-weight:600;padding:.65rem 1.25rem;border-radius:.5rem;border:1px solid var(--accent);\
background:var(--accent);color:var(--on-accent);cursor:pointer}\
button.quiet{background:transparent;color:var(--accent)}\
:focus-visible{outline:3px solid var(--accent);outline-offset:2px}\
.alert{color:var(--alert);background:var(--alert-ground);border:1px solid currentColor;border-radius:.5rem;padding:.6rem .75rem}\
code{overflow-wrap:anywhere;font-size:.9em}\
@media(min-width:40rem){body{padding-top:10vh}main{padding:2rem}}";
