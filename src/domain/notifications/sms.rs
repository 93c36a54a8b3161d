//! How a text message leaves the house: through a provider, of which there is one so far. In development it goes into
//! the mailbox that one can look at; in production, without a provider, there are no text messages, and whoever asks for
//! one is told so.

use std::sync::Arc;

use entity::Channel;

use super::channel::{Mailbox, Mailer, Outgoing};
use crate::{
    config::Config,
    error::{Error, ErrorCode, Fault, Result},
};

/// The providers. Another one is another variant: all that it must know is how to send one message.
pub enum Texter {
    Mailbox(Arc<Mailbox>),
    Absent,
}

impl Texter {
    pub fn new(config: &Config, mailer: &Mailer) -> Self {
        if config.production() {
            return Self::Absent;
        }
        Self::Mailbox(mailer.mailbox().cloned().unwrap_or_default())
    }

    /// Refuses, at this field, what would need a text message that nobody can send.
    pub fn check(&self, field: &str) -> Result<(), Fault> {
        match self {
            Self::Mailbox(_) => Ok(()),
            Self::Absent => {
                let message = "Text messages cannot be sent here: no provider is set up.";
                Err(Fault::new(ErrorCode::Unsupported, &[field], message))
            }
        }
    }

    /// The messages of development mode.
    pub fn mailbox(&self) -> Option<&Arc<Mailbox>> {
        match self {
            Self::Mailbox(mailbox) => Some(mailbox),
            Self::Absent => None,
        }
    }

    #[expect(clippy::unused_async, reason = "a provider of the network is waited for")]
    pub async fn send(&self, outgoing: Outgoing<'_>) -> Result<()> {
        match self {
            Self::Mailbox(mailbox) => {
                mailbox.put(Channel::Sms, outgoing);
                Ok(())
            }
            Self::Absent => Err(Error::internal("there is no provider for text messages")),
        }
    }
}
