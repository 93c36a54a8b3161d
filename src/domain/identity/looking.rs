//! People with what is looked at of them: their own columns, the organisation that they work for in the first place and
//! their roles, in one statement.

use std::{collections::HashMap, sync::Arc};

use entity::{grant, membership, organization, role, user};
use sea_orm::{
    ColumnTrait, Condition, IdenStatic as _, QueryResult, QuerySelect, QueryTrait, Select,
    sea_query::{Expr, ExprTrait as _, Query, SelectStatement},
};
use uuid::Uuid;

use crate::{
    columns::Columns,
    context::Ctx,
    domain::{orgs::service as orgs, roles::service as roles},
    error::Result,
};

/// How much of people is looked at. Without another word: all that they are, and nothing beside it.
#[derive(Default)]
pub struct Look {
    pub columns: Columns<user::Entity>,
    pub organization: Option<Columns<organization::Entity>>,
    pub roles: Option<Columns<role::Entity>>,
}

/// Somebody, with as much beside them as was looked at.
pub struct Person {
    pub row: user::Model,
    pub organization: Option<Arc<organization::Model>>,
    /// Distinct, by code.
    pub roles: Vec<Arc<role::Model>>,
}

/// These people, in the order that `arrange` gives to them. What the caller may not know of stands beside nobody.
pub async fn at(
    ctx: &Ctx,
    mut look: Look,
    mut people: Select<user::Entity>,
    arrange: impl Fn(&mut SelectStatement),
) -> Result<Vec<Person>> {
    if let Some(roles) = &mut look.roles {
        roles.add(role::Column::CodeKey);
    }
    arrange(QuerySelect::query(&mut people));
    let mut chosen = people.select_only().into_query();
    look.columns.select(&mut chosen);
    let statement = if look.organization.is_some() || look.roles.is_some() {
        let mut joined = beside(ctx, &look, chosen);
        arrange(&mut joined);
        joined
    } else {
        chosen
    };
    let rows = ctx.app.db.rows(&statement).await?;
    Ok(gather(&look, &rows)?)
}

/// The statement that adds what belongs to the chosen people.
fn beside(ctx: &Ctx, look: &Look, chosen: SelectStatement) -> SelectStatement {
    // Under the table's own name, so that what is said of its columns holds here, too.
    let mut statement = Query::select().from_subquery(chosen, user::Entity.as_str()).to_owned();
    look.columns.select(&mut statement);
    let id = || Expr::col((user::Entity, user::Column::Id));
    let column = |column| Expr::col((membership::Entity, column));
    if let Some(columns) = &look.organization {
        let primary = Condition::all()
            .add(column(membership::Column::UserId).eq(id()))
            .add(membership::Column::IsPrimary.eq(true))
            .add(orgs::visible_memberships(ctx));
        let place = column(membership::Column::OrganizationId);
        let of_it = Expr::col((organization::Entity, organization::Column::Id)).eq(place);
        statement.left_join(membership::Entity, primary).left_join(organization::Entity, of_it);
        columns.select(&mut statement);
    }
    if let Some(columns) = &look.roles {
        let held = Condition::all()
            .add(Expr::col((grant::Entity, grant::Column::UserId)).eq(id()))
            .add(roles::visible_grants(ctx));
        let role = Expr::col((grant::Entity, grant::Column::RoleId));
        let of_it = Expr::col((role::Entity, role::Column::Id)).eq(role);
        statement.left_join(grant::Entity, held).left_join(role::Entity, of_it);
        columns.select(&mut statement);
    }
    statement
}

/// One person out of the rows that are theirs: one for each role.
fn gather(look: &Look, rows: &[QueryResult]) -> std::result::Result<Vec<Person>, sea_orm::DbErr> {
    let of_organization = look.columns.len();
    let of_role = of_organization + look.organization.as_ref().map_or(0, Columns::len);
    let mut people: Vec<Person> = Vec::new();
    let mut places: HashMap<Uuid, usize> = HashMap::with_capacity(rows.len());
    // Many hold the same few roles: each is read once.
    let mut known: HashMap<Uuid, Arc<role::Model>> = HashMap::new();
    for row in rows {
        let id: Uuid = row.try_get_by_index(0)?;
        let place = if let Some(place) = places.get(&id) {
            *place
        } else {
            let Some(user) = look.columns.read(row, 0)? else { continue };
            let organization = match &look.organization {
                Some(columns) => columns.read(row, of_organization)?.map(Arc::new),
                None => None,
            };
            places.insert(id, people.len());
            people.push(Person { row: user, organization, roles: Vec::new() });
            people.len() - 1
        };
        let Some(columns) = &look.roles else { continue };
        let Some(role_id) = row.try_get_by_index::<Option<Uuid>>(of_role)? else { continue };
        let role = match known.get(&role_id) {
            Some(role) => Arc::clone(role),
            None => match columns.read(row, of_role)?.map(Arc::new) {
                Some(role) => Arc::clone(known.entry(role_id).or_insert(role)),
                None => continue,
            },
        };
        let held = &mut people[place].roles;
        if held.iter().all(|other| other.id != role_id) {
            held.push(role);
        }
    }
    for person in &mut people {
        person.roles.sort_by(|one, other| one.code_key.cmp(&other.code_key));
    }
    Ok(people)
}
