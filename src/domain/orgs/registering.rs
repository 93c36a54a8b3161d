//! Joining while registering: what is asked for is judged and noted then, and done once the address is proved.
//!
//! By the code of an organisation only where registering is open to all, and by an invitation only for the address that
//! it was sent to. Roles asked for are such as everybody may ask for.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use entity::{invitation, organization, pending_membership, role};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QuerySelect, Set};
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

/// For each wish, with the key of the address that is to be proved: every fault at once, or what is to be noted. It does
/// not look at who owns the address. A constant number of statements, however many.
pub async fn judge_all(ctx: &Ctx, wishes: &[(&Wish, String)]) -> Result<Vec<Result<Plan, Vec<Fault>>>> {
    let catalogue = Catalogue::read(ctx, wishes.iter().map(|(wish, _)| wish.role_codes.as_deref())).await?;
    let codes = wishes.iter().filter_map(|(wish, _)| wish.org_code.as_deref());
    let open = open_organizations(ctx, codes).await?;
    let invited =
        wishes.iter().filter_map(|(wish, key)| Some((wish.invitation_token.as_deref()?, key.as_str())));
    let mut invitations = invitations::usable(ctx, &invited.collect::<Vec<_>>()).await?.into_iter();
    let judged = wishes.iter().map(|(wish, _)| {
        let invitation = wish.invitation_token.as_ref().and_then(|_| invitations.next());
        judge(wish, &catalogue, &open, invitation)
    });
    Ok(judged.collect())
}

fn judge(
    wish: &Wish,
    catalogue: &Catalogue,
    open: &HashMap<String, Uuid>,
    invitation: Option<Result<invitation::Model, ErrorCode>>,
) -> Result<Plan, Vec<Fault>> {
    let Wish { org_code, role_codes, invitation_token } = wish;
    let (mut plan, mut faults) = (Plan::default(), Vec::new());
    let codes = role_codes.as_deref().unwrap_or_default();
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
        match open.get(&names::name_key(code)) {
            Some(id) => {
                plan.0.insert(*id, (member.into_iter().chain(asked.iter().copied()).collect(), None));
            }
            // One answer for what does not exist, is closed, or is not listed.
            None => faults.push(Fault::new(
                ErrorCode::NotFound,
                &["orgCode"],
                "There is no such organisation that one can join when registering.",
            )),
        }
    }
    match invitation {
        None => {}
        Some(Ok(row)) => {
            plan.0.insert(row.organization_id, (asked, Some(row.id)));
        }
        Some(Err(code)) => {
            let message = "This invitation is not for this address, or cannot be accepted any more.";
            faults.push(Fault::new(code, &["invitationToken"], message));
        }
    }
    if faults.is_empty() { Ok(plan) } else { Err(faults) }
}

fn open_to_all(role: &role::Model) -> bool {
    role.active && role.self_assignable && roles::scopes(role).contains(&RoleScope::Organization)
}

/// Those of these codes that one can join when registering, by the key of the code.
async fn open_organizations(ctx: &Ctx, codes: impl Iterator<Item = &str>) -> Result<HashMap<String, Uuid>> {
    let keys: BTreeSet<_> = codes.map(names::name_key).collect();
    if keys.is_empty() {
        return Ok(HashMap::new());
    }
    let open: Vec<(String, Uuid)> = organization::Entity::find()
        .select_only()
        .column(organization::Column::CodeKey)
        .column(organization::Column::Id)
        .filter(organization::Column::CodeKey.is_in(keys))
        .filter(organization::Column::Active.eq(true))
        .filter(organization::Column::SelfRegistration.eq(true))
        .into_tuple()
        .all(ctx.app.db.read())
        .await?;
    Ok(open.into_iter().collect())
}

/// Notes the plans beside the new accounts.
pub async fn note_all<'a>(txn: &Txn, plans: impl Iterator<Item = (Uuid, &'a Plan)>) -> Result<()> {
    let rows = plans.flat_map(|(user_id, plan)| {
        plan.0.iter().map(move |(organization_id, (role_ids, invitation_id))| {
            pending_membership::ActiveModel {
                user_id: Set(user_id),
                organization_id: Set(*organization_id),
                role_ids: Set(json!(role_ids)),
                invitation_id: Set(*invitation_id),
            }
        })
    });
    let rows: Vec<_> = rows.collect();
    if !rows.is_empty() {
        pending_membership::Entity::insert_many(rows).exec_without_returning(&**txn).await?;
    }
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
    drop_plans(txn, user_id).await
}

/// What was asked for at the registration is not joined.
pub async fn drop_plans(txn: &Txn, user_id: Uuid) -> Result<()> {
    pending_membership::Entity::delete_many()
        .filter(pending_membership::Column::UserId.eq(user_id))
        .exec(&**txn)
        .await?;
    Ok(())
}
