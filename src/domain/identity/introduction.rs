//! What whoever holds a mailed link is told before it is used up: what it would prove, and for which account.

use entity::{CodePurpose, user};
use sea_orm::EntityTrait;

use super::verify;
use crate::{
    context::Ctx,
    domain::credentials::codes,
    error::{Error, ErrorCode, Result},
};

pub enum Introduction {
    /// The address of a registration.
    Registration { user_name: String },
    /// An address that an account wants to have from now on.
    NewAddress { user_name: String, address: String },
}

/// The link's fault, where it is good for nothing.
pub async fn introduce(ctx: &Ctx, token: &str) -> Result<Introduction> {
    let refusal = |code| Error::from(verify::refusal(code, "token"));
    let code = codes::find_token(ctx, &verify::PURPOSES, token).await?.map_err(refusal)?;
    let user = user::Entity::find_by_id(code.user_id).one(ctx.app.db.read()).await?;
    let user_name = user.ok_or_else(|| refusal(ErrorCode::WrongCode))?.user_name;
    Ok(match code.purpose {
        CodePurpose::ChangeEmail => Introduction::NewAddress { user_name, address: code.target },
        _ => Introduction::Registration { user_name },
    })
}
