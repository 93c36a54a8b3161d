//! Joining while registering: what is asked for is judged and noted then, and done once the address is proved.
//!
//! By the code of an organisation only where registering is open to all, and by an invitation only for the address that
//! it was sent to. Roles asked for are such as everybody may ask for.

use std::collections::BTreeMap;

use entity::{organization, pending_membership, role};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, Set};
use serde_json::json;
use uuid::Uuid;

use super::{
    adding::{Catalogue, MEMBER},
    invitations,
    joining::{self, Joiner},
};
use crate::{
    authz::RoleScope,
    context::Ctx,
    db::Txn,
    domain::{identity::names, roles::service as roles},
    error::{Error, ErrorCode, Fault, Result},
};

/// What a registration asks for.
#[derive(Clone, Debug, Default)]
pub struct Wish {
    pub org_code: Option<String>,
    pub role_codes: Option<Vec<String>>,
    pub invitation_token: Option<String>,
}

/// What is to be joined: organisation, roles, and the invitation if there is one.
#[derive(Debug, Default)]
pub struct Plan(BTreeMap<Uuid, (Vec<Uuid>, Option<Uuid>)>);

/// Every fault at once, or what is to be noted. It does not look at who owns the address.
pub async fn judge(ctx: &Ctx, wish: &Wish, email_key: &str) -> Result<Result<Plan, Vec<Fault>>> {
    let Wish { org_code, role_codes, invitation_token } = wish;
    let (mut plan, mut faults) = (Plan::default(), Vec::new());
    let codes = role_codes.as_deref().unwrap_or_default();
    let catalogue = Catalogue::read(ctx, [role_codes.as_deref()].into_iter()).await?;
    let nowhere = org_code.is_none() && invitation_token.is_none();
    let asked = catalogue.judged(codes, &[], |role| {
        (nowhere || !open_to_all(role)).then_some("This role cannot be asked for.")
    });
    let asked = asked.unwrap_or_else(|found| {
        faults.extend(found);
        Vec::new()
    });
    let member = catalogue.get(MEMBER).map(|role| role.id);
    let asked: Vec<Uuid> = asked.into_iter().map(|role| role.id).collect();
    if let Some(code) = org_code {
        match open_organization(ctx, code).await? {
            Some(org) => {
                plan.0.insert(org.id, (member.into_iter().chain(asked.iter().copied()).collect(), None));
            }
            // One answer for what does not exist, is closed, or is not listed.
            None => faults.push(Fault::new(
                ErrorCode::NotFound,
                &["orgCode"],
                "There is no such organisation that one can join when registering.",
            )),
        }
    }
    if let Some(token) = invitation_token {
        match invitations::usable(ctx, token, email_key).await? {
            Ok(row) => {
                plan.0.insert(row.organization_id, (asked, Some(row.id)));
            }
            Err(code) => {
                let message = "This invitation is not for this address, or cannot be accepted any more.";
                faults.push(Fault::new(code, &["invitationToken"], message));
            }
        }
    }
    Ok(if faults.is_empty() { Ok(plan) } else { Err(faults) })
}

fn open_to_all(role: &role::Model) -> bool {
    role.active && role.self_assignable && roles::scopes(role).contains(&RoleScope::Organization)
}

async fn open_organization(ctx: &Ctx, code: &str) -> Result<Option<organization::Model>> {
    let open = organization::Entity::find()
        .filter(organization::Column::CodeKey.eq(names::name_key(code)))
        .filter(organization::Column::Active.eq(true))
        .filter(organization::Column::SelfRegistration.eq(true));
    Ok(open.one(ctx.app.db.read()).await?)
}

/// Notes the plan beside the new account.
pub async fn note(txn: &Txn, user_id: Uuid, plan: &Plan) -> Result<()> {
    let row = |(organization_id, (role_ids, invitation_id)): (&Uuid, &(Vec<Uuid>, Option<Uuid>))| {
        pending_membership::ActiveModel {
            user_id: Set(user_id),
            organization_id: Set(*organization_id),
            role_ids: Set(json!(role_ids)),
            invitation_id: Set(*invitation_id),
        }
    };
    if plan.0.is_empty() {
        return Ok(());
    }
    pending_membership::Entity::insert_many(plan.0.iter().map(row)).exec_without_returning(&**txn).await?;
    Ok(())
}

/// The address is proved: joins what was noted and is still open. What has closed since is passed over.
pub async fn carry_out(txn: &Txn, ctx: &Ctx, user_id: Uuid) -> Result<()> {
    let mut noted = pending_membership::Entity::find()
        .filter(pending_membership::Column::UserId.eq(user_id))
        .all(&**txn)
        .await?;
    noted.sort_by_key(|row| row.organization_id);
    for row in noted {
        let org = joining::lock(txn, row.organization_id).await?.filter(|org| org.active);
        let Some(org) = org else { continue };
        let invited = match row.invitation_id {
            Some(id) => invitations::take_up_by_id(txn, ctx, id, user_id).await?,
            None => org.self_registration,
        };
        if !invited {
            continue;
        }
        let ids: Vec<Uuid> = serde_json::from_value(row.role_ids).map_err(Error::internal)?;
        let roles = role::Entity::find().filter(role::Column::Id.is_in(ids)).all(&**txn).await?;
        let roles = roles.into_iter().filter(open_to_all).collect();
        joining::join(txn, ctx, org.id, &[Joiner { user_id, roles }]).await?;
    }
    pending_membership::Entity::delete_many()
        .filter(pending_membership::Column::UserId.eq(user_id))
        .exec(&**txn)
        .await?;
    Ok(())
}
