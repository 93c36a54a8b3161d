//! How a mail leaves the house: through an SMTP server, or (in development) into a mailbox that one can look at.

use std::{
    collections::VecDeque,
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use entity::{Channel, Timestamp};
use lettre::{
    AsyncSmtpTransport, AsyncTransport, Message as Mail, Tokio1Executor,
    message::{Mailbox as Address, MultiPart},
    transport::smtp,
};
use serde::Serialize;

use super::template::Message;
use crate::{
    clock, config,
    error::{Error, Result},
};

/// A message on its way.
pub struct Outgoing<'a> {
    /// The same each time the delivery is tried, so that a receiver can tell a repetition.
    pub id: &'a str,
    pub to: &'a str,
    pub message: Message,
    pub at: Timestamp,
}

pub enum Mailer {
    Smtp { transport: Box<AsyncSmtpTransport<Tokio1Executor>>, from: Address },
    Mailbox(Arc<Mailbox>),
}

/// A mail server that hangs holds up one job for so long, and no request.
const SMTP_PATIENCE: Duration = Duration::from_secs(30);

impl Mailer {
    pub fn new(config: &config::Mail) -> Result<Self> {
        let Some(url) = &config.smtp_url else {
            return Ok(Self::Mailbox(Arc::default()));
        };
        let from = config.mail_from.mailbox().clone();
        let transport = AsyncSmtpTransport::<Tokio1Executor>::from_url(url.expose())
            // Its words quote the address, and the password in it.
            .map_err(|_| Error::internal("DENIZEN_SMTP_URL is not understood"))?
            .timeout(Some(SMTP_PATIENCE))
            .build();
        Ok(Self::Smtp { transport: Box::new(transport), from })
    }

    /// The mails of development mode, if this is where they go.
    pub fn mailbox(&self) -> Option<&Arc<Mailbox>> {
        match self {
            Self::Smtp { .. } => None,
            Self::Mailbox(mailbox) => Some(mailbox),
        }
    }

    /// Whether the mail server can be reached.
    pub async fn check(&self) -> Result<()> {
        match self {
            Self::Mailbox(_) => Ok(()),
            Self::Smtp { transport, .. } => match transport.test_connection().await {
                Ok(true) => Ok(()),
                Ok(false) => Err(Error::internal("the mail server does not accept the connection")),
                Err(error) => Err(refused(&error)),
            },
        }
    }

    pub async fn send(&self, outgoing: Outgoing<'_>) -> Result<()> {
        match self {
            Self::Mailbox(mailbox) => {
                mailbox.put(Channel::Email, outgoing);
                Ok(())
            }
            Self::Smtp { transport, from } => {
                let to = outgoing.to.parse();
                let to = to.map_err(|_| undeliverable("the address cannot be mailed to"))?;
                let ascii = outgoing.to.is_ascii();
                let domain = from.email.domain();
                let mail = Mail::builder()
                    .message_id(Some(format!("<{}@{domain}>", outgoing.id)))
                    .from(from.clone())
                    .to(to)
                    .subject(outgoing.message.subject)
                    // Asks mail systems not to answer with "out of office".
                    .header(AutoSubmitted)
                    .multipart(MultiPart::alternative_plain_html(
                        outgoing.message.text,
                        outgoing.message.html,
                    ))
                    .map_err(Error::internal)?;
                match transport.send(mail).await {
                    Ok(_) => Ok(()),
                    // The client refuses by itself: the server has said which addresses it understands.
                    Err(error) if error.is_client() && !ascii => Err(undeliverable(
                        "the address has letters beyond ASCII, and the mail server does not offer SMTPUTF8",
                    )),
                    Err(error) => Err(refused(&error)),
                }
            }
        }
    }
}

/// Why a message cannot reach its address, however often it is tried.
#[derive(Debug)]
pub struct Undeliverable(&'static str);

impl fmt::Display for Undeliverable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for Undeliverable {}

fn undeliverable(why: &'static str) -> Error {
    Error::internal(Undeliverable(why))
}

/// Servers repeat the address in what they say of it, and what is said here stands in logs and with the job: the number is
/// enough to tell what it was.
fn refused(error: &smtp::Error) -> Error {
    match error.status() {
        Some(status) if ["530", "534", "535", "538"].contains(&&*status.to_string()) => {
            Error::internal(format!(
                "the mail server does not take the user and the password of DENIZEN_SMTP_URL (it answered {status})"
            ))
        }
        Some(status) => Error::internal(format!("the mail server answered {status}")),
        None if error.is_response() => Error::internal("the mail server's answer cannot be understood"),
        None if error.is_timeout() => Error::internal("the mail server does not answer in time"),
        None if error.is_tls() => Error::internal("no secure connection to the mail server"),
        None => Error::internal("the mail server cannot be reached"),
    }
}

#[derive(Clone)]
struct AutoSubmitted;

impl lettre::message::header::Header for AutoSubmitted {
    fn name() -> lettre::message::header::HeaderName {
        lettre::message::header::HeaderName::new_from_ascii_str("Auto-Submitted")
    }

    fn parse(_: &str) -> std::result::Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self)
    }

    fn display(&self) -> lettre::message::header::HeaderValue {
        lettre::message::header::HeaderValue::new(Self::name(), "auto-generated".to_owned())
    }
}

/// The last mails and text messages of development mode, newest first, as `/dev/mailbox` shows them.
#[derive(Default)]
pub struct Mailbox(Mutex<VecDeque<Delivered>>);

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Delivered {
    pub id: String,
    pub channel: &'static str,
    pub to: String,
    pub subject: String,
    pub text: String,
    pub html: String,
    pub sent_at: String,
}

const KEPT: usize = 500;

impl Mailbox {
    #[expect(
        clippy::print_stdout,
        reason = "without a mail server, development looks at its console; a log may hold no code"
    )]
    pub fn put(&self, channel: Channel, outgoing: Outgoing<'_>) {
        let Outgoing { id, to, message, at } = outgoing;
        let (name, kind) = match channel {
            Channel::Email => ("EMAIL", "Mail"),
            Channel::Sms => ("SMS", "Text message"),
        };
        println!("\n  {kind} to {to}: {}\n\n    {}", message.subject, message.text.replace('\n', "\n    "));
        let mut mails = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        mails.push_front(Delivered {
            id: id.to_owned(),
            channel: name,
            to: to.to_owned(),
            subject: message.subject,
            text: message.text,
            html: message.html,
            sent_at: clock::rfc3339(at),
        });
        mails.truncate(KEPT);
    }

    pub fn all(&self) -> Vec<Delivered> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }
}
