//! The job that sends a code, if there is somebody to send it to.

use std::time::Duration;

use entity::{Channel, CodePurpose, UserStatus, user};
use sea_orm::EntityTrait;
use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

use crate::{
    context::Ctx,
    db::Txn,
    domain::{
        credentials::codes::{self, NewCode},
        events::log::{self, EventType, NewEvent},
        identity::{account::service as account, service as identity},
        limits::{
            Network,
            budget::{self, Matter, Verdict},
        },
        notifications::{
            service::{self as notifications, Notice},
            template::{Asked, Template},
        },
    },
    error::Result,
    ids::Kind,
};

/// How a code gets to its person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Way {
    Mail,
    Text,
}

impl Way {
    pub const fn channel(self) -> Channel {
        match self {
            Self::Mail => Channel::Email,
            Self::Text => Channel::Sms,
        }
    }
}

/// How long the link to a new password is good for, when its owner asked for it.
const RESET_LINK: Duration = Duration::from_hours(1);

const fn purpose(asked: Asked) -> CodePurpose {
    match asked {
        Asked::Login => CodePurpose::Login,
        Asked::PasswordReset => CodePurpose::PasswordReset,
        Asked::Phone => CodePurpose::VerifyPhone,
        Asked::StepUp => CodePurpose::StepUp,
    }
}

/// Nothing is sent to an account that is not active, nor to an address or number that does not open it; but to the number
/// that is to be proved.
pub async fn send(ctx: &Ctx, user_id: Uuid, asked: Asked, way: Way, network: Network) -> Result<()> {
    let txn = ctx.app.db.begin().await?;
    let Some(user) = user::Entity::find_by_id(user_id).one(&*txn).await? else {
        return Ok(());
    };
    let Some((to, compared)) = target(&txn, &user, asked, way).await? else {
        return Ok(());
    };
    // However the account was named: so many messages for each purpose reach one person.
    if budget::take(&txn, ctx, matter(asked), &compared, &network).await? != Verdict::Send {
        return Ok(());
    }
    let application_id = account::application_of(&txn, ctx, user.id).await?;
    let link = (asked == Asked::PasswordReset && way == Way::Mail).then_some(RESET_LINK);
    let (purpose, channel) = (purpose(asked), way.channel());
    let new = NewCode { user_id, application_id, purpose, channel, target: compared, link, asker: network };
    let issued = codes::issue_new(&txn, ctx, new).await?;
    let (user_name, code) = (user.user_name, issued.code);
    let minutes = codes::CODE_TTL.as_secs() / 60;
    let template = match link {
        Some(time) => Template::ResetPassword {
            user_name,
            link: ctx.app.public_url.link("reset", &issued.token),
            code,
            code_minutes: minutes,
            link_hours: time.as_secs() / 3_600,
        },
        None => Template::Code { user_name, code, minutes, purpose: asked },
    };
    notifications::send_by(&txn, ctx, channel, Notice { user_id, application_id, to, template }).await?;
    let said = json!({ "purpose": asked, "channel": way });
    log::record(&txn, ctx, NewEvent::of(EventType::OtpSent).on(Kind::User, user_id).with(said)).await?;
    txn.commit().await
}

const fn matter(asked: Asked) -> Matter {
    match asked {
        Asked::Login => Matter::Login,
        Asked::PasswordReset => Matter::PasswordReset,
        Asked::Phone => Matter::Phone,
        Asked::StepUp => Matter::StepUp,
    }
}

/// Where the message goes, and the form of it that is compared.
async fn target(txn: &Txn, user: &user::Model, asked: Asked, way: Way) -> Result<Option<(String, String)>> {
    let found = match way {
        Way::Mail => user.email.clone().zip(user.email_key.clone()),
        Way::Text => user.phone.clone().zip(user.phone_key.clone()),
    };
    let Some((to, compared)) = found.filter(|_| user.status == UserStatus::Active) else {
        return Ok(None);
    };
    let good = match asked {
        Asked::Phone => way == Way::Text && user.phone_proved_at.is_none(),
        Asked::Login | Asked::PasswordReset | Asked::StepUp => {
            identity::opens(&**txn, user, &compared).await?
        }
    };
    Ok(good.then_some((to, compared)))
}
