//! Adding members: whose account is within the caller's reach, with roles that the caller may grant. Others are invited.

use std::collections::{HashMap, HashSet};

use entity::{UserStatus, membership, organization, role};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use uuid::Uuid;

use super::{
    finders::{self, OrganizationBy},
    joining::{self, Joiner},
};
use crate::{
    authz::{Permission, Scope},
    bulk,
    context::Ctx,
    db::Txn,
    domain::{
        identity::{names, service as identity},
        roles::authority,
    },
    error::{ErrorCode, Fault, Result},
};

/// Whom to add; without roles named, as `MEMBER`.
pub struct NewMember {
    pub user_id: Uuid,
    pub role_codes: Option<Vec<String>>,
}

/// The organisation, if the caller sees it and may do this there.
pub async fn in_scope(ctx: &Ctx, permission: Permission, id: Uuid) -> Result<organization::Model> {
    let found = finders::find(ctx, OrganizationBy::Id(id)).await?;
    let org = found.ok_or_else(not_found)?;
    ctx.actor.require(permission, Scope::Org(org.id))?;
    Ok(org)
}

fn not_found() -> Fault {
    Fault::new(ErrorCode::NotFound, &["organizationId"], "There is no such organisation.")
}

/// The organisation, held for the transaction. Nobody joins one that is not active.
pub async fn hold_active(txn: &Txn, id: Uuid) -> Result<organization::Model> {
    active(joining::lock(txn, id).await?)
}

fn active(org: Option<organization::Model>) -> Result<organization::Model> {
    let org = org.ok_or_else(not_found)?;
    if org.active {
        return Ok(org);
    }
    Err(Fault::new(ErrorCode::Inactive, &["organizationId"], "The organisation is deactivated.").into())
}

pub async fn add(
    ctx: &Ctx,
    organization_id: Uuid,
    members: Vec<NewMember>,
) -> Result<Vec<membership::Model>> {
    let org = in_scope(ctx, Permission::OrgMemberAdd, organization_id).await?;
    bulk::check_size("members", members.len())?;
    let users = identity::by_ids(ctx, members.iter().map(|member| member.user_id)).await?;
    let catalogue = Catalogue::read(ctx, members.iter().map(|member| member.role_codes.as_deref())).await?;

    let txn = ctx.app.db.begin().await?;
    let visible: Vec<_> = users.into_keys().collect();
    let (users, held) = joining::hold(&txn, org.id, &visible).await?;
    active(held)?;
    let present = membership::Entity::find()
        .filter(membership::Column::OrganizationId.eq(org.id))
        .filter(membership::Column::UserId.is_in(users.keys().copied()))
        .all(&*txn)
        .await?;
    let mut present: HashSet<_> = present.into_iter().map(|membership| membership.user_id).collect();
    let refused = authority::refusals(&*txn, ctx, Permission::OrgMemberAdd, &visible).await?;
    let (mut joiners, mut faults) = (Vec::new(), Vec::new());
    for (index, NewMember { user_id, role_codes }) in members.into_iter().enumerate() {
        let path = ["members", &index.to_string()];
        let problem = problem(users.get(&user_id)).or_else(|| {
            let twice = (ErrorCode::Taken, "This user is a member already.");
            (!present.insert(user_id)).then_some(twice)
        });
        // Whoever sees somebody in another organisation does not decide where they belong: they are asked.
        let problem = problem.or_else(|| {
            let foreign = refused.contains_key(&user_id) && ctx.actor.user_id() != Some(user_id);
            foreign.then_some((ErrorCode::NotAllowed, "You may not add this user: invite them."))
        });
        let fault = |(code, message)| Fault::new(code, &[path[0], path[1], "userId"], message);
        faults.extend(problem.map(fault));
        let roles = catalogue.grantable(ctx, org.id, role_codes.as_deref(), &path);
        joiners.push(Joiner {
            user_id,
            roles: roles.unwrap_or_else(|found| {
                faults.extend(found);
                Vec::new()
            }),
        });
    }
    bulk::refuse(faults)?;
    let joined = joining::join(&txn, ctx, org.id, &joiners).await?;
    txn.commit().await?;
    Ok(joined)
}

fn problem(status: Option<&UserStatus>) -> Option<(ErrorCode, &'static str)> {
    match status {
        None => Some((ErrorCode::NotFound, "There is no such user.")),
        Some(UserStatus::Unverified) => Some((ErrorCode::NotVerified, "The address is not verified yet.")),
        Some(UserStatus::Deactivated) => Some((ErrorCode::Inactive, "The account is deactivated.")),
        Some(UserStatus::Active) => None,
    }
}

/// The roles that a call names, read once.
pub struct Catalogue(HashMap<String, role::Model>);

/// What everybody is who belongs to an organisation.
pub const MEMBER: &str = "MEMBER";
const ROLES_EACH: usize = 20;

impl Catalogue {
    pub async fn read<'a>(ctx: &Ctx, named: impl Iterator<Item = Option<&'a [String]>>) -> Result<Self> {
        let mut keys: HashSet<String> = HashSet::from([names::name_key(MEMBER)]);
        for codes in named.flatten() {
            keys.extend(codes.iter().take(ROLES_EACH).map(|code| names::name_key(code)));
        }
        let rows =
            role::Entity::find().filter(role::Column::CodeKey.is_in(keys)).all(ctx.app.db.read()).await?;
        Ok(Self(rows.into_iter().map(|role| (role.code_key.clone(), role)).collect()))
    }

    pub fn get(&self, code: &str) -> Option<&role::Model> {
        self.0.get(&names::name_key(code))
    }

    /// The roles with these codes, `MEMBER` when none are named, or what is wrong with them.
    pub fn grantable(
        &self,
        ctx: &Ctx,
        organization: Uuid,
        codes: Option<&[String]>,
        path: &[&str],
    ) -> Result<Vec<role::Model>, Vec<Fault>> {
        let Some(codes) = codes else {
            return Ok(self.get(MEMBER).cloned().into_iter().collect());
        };
        self.judged(codes, path, |role| {
            let allowed = authority::may_grant(ctx, role, Some(organization));
            if allowed { None } else { Some("You may not grant this role here.") }
        })
    }

    /// The roles with these codes, each once, unless `refusal` finds a reason against one.
    pub fn judged(
        &self,
        codes: &[String],
        path: &[&str],
        refusal: impl Fn(&role::Model) -> Option<&'static str>,
    ) -> Result<Vec<role::Model>, Vec<Fault>> {
        fn at<'a>(path: &[&'a str], rest: &[&'a str]) -> Vec<&'a str> {
            [path, &["roleCodes"], rest].concat()
        }
        if codes.len() > ROLES_EACH {
            let message = format!("At most {ROLES_EACH} roles.");
            return Err(vec![Fault::new(ErrorCode::TooManyItems, &at(path, &[]), message)]);
        }
        let (mut roles, mut faults): (Vec<role::Model>, _) = (Vec::new(), Vec::new());
        for (index, code) in codes.iter().enumerate() {
            let index = index.to_string();
            let fault = |code, message| Fault::new(code, &at(path, &[&index]), message);
            match self.get(code).map(|role| (role, refusal(role))) {
                None => faults.push(fault(ErrorCode::NotFound, "There is no such role.")),
                Some((_, Some(message))) => faults.push(fault(ErrorCode::NotAllowed, message)),
                Some((role, None)) if roles.iter().any(|known| known.id == role.id) => {}
                Some((role, None)) => roles.push(role.clone()),
            }
        }
        if faults.is_empty() { Ok(roles) } else { Err(faults) }
    }
}
