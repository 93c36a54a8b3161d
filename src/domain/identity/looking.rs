//! People with what is looked at of them: their own columns, the organisation that they work for in the first place and
//! their roles, in one statement.

use std::sync::Arc;

use entity::{grant, membership, organization, role, user};
use sea_orm::{
    ColumnTrait, Condition, DbErr, IdenStatic as _, Statement, Value,
    sea_query::{Expr, ExprTrait as _, Query, SelectStatement},
};
use uuid::Uuid;

use crate::{
    columns::Columns,
    context::Ctx,
    db::{Pace, Row, Shape},
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

impl Look {
    /// Roles come by code, so the code has to come with them.
    fn sort_roles(&mut self) {
        if let Some(roles) = &mut self.roles {
            roles.add(role::Column::CodeKey);
        }
    }

    fn shape(&self, key: &'static str) -> Shape {
        let mut shape = Vec::with_capacity(32);
        shape.push(key);
        shape.extend(self.columns.names());
        shape.extend(self.organization.iter().flat_map(Columns::names));
        shape.extend(self.roles.iter().flat_map(Columns::names));
        shape
    }
}

/// Somebody, with as much beside them as was looked at.
pub struct Person {
    pub row: Arc<user::Model>,
    pub organization: Option<Arc<organization::Model>>,
    /// Distinct, by code.
    pub roles: Vec<Arc<role::Model>>,
}

/// These people, chosen out of `users` without a word on columns, in the order that `arrange` gives to them. What the
/// caller may not know of stands beside nobody.
pub async fn at(
    ctx: &Ctx,
    mut look: Look,
    chosen: SelectStatement,
    pace: Pace,
    arrange: impl Fn(&mut SelectStatement),
) -> Result<Vec<Person>> {
    look.sort_roles();
    let statement = ctx.app.db.statement(&statement(ctx, &look, chosen, arrange));
    gather(ctx, &look, statement, pace).await
}

/// As [`at`], for callers from whom nothing is hidden: then the statement hangs on nothing but what is looked at and the
/// key's name, and only the key's value differs from one time to the next.
pub async fn openly_at(
    ctx: &Ctx,
    mut look: Look,
    (name, value): (&'static str, &Value),
    chosen: impl FnOnce() -> SelectStatement,
) -> Result<Vec<Person>> {
    look.sort_roles();
    let build = || statement(ctx, &look, chosen(), |_| {});
    let statement = ctx.app.db.recalled(look.shape(name), value, build);
    gather(ctx, &look, statement, Pace::Quick).await
}

/// As [`openly_at`], for those with these ids: together with others who ask for the same at the same time.
pub async fn openly_of(
    ctx: &Ctx,
    mut look: Look,
    ids: &[Uuid],
    chosen: impl Fn(&[Uuid]) -> SelectStatement,
) -> Result<Vec<Person>> {
    look.sort_roles();
    let build = |ids: &[Uuid]| statement(ctx, &look, chosen(ids), |_| {});
    let mut gathered = Gathered::default();
    let each = |row: Row<'_>| gathered.add(&look, &row);
    ctx.app.db.each_row_of(ids, |name| look.shape(name), build, each).await?;
    Ok(gathered.sorted())
}

/// Whether nothing of what stands beside people is hidden from the caller.
pub fn is_open(ctx: &Ctx) -> bool {
    orgs::visible_memberships(ctx).is_empty() && roles::visible_grants(ctx).is_empty()
}

fn statement(
    ctx: &Ctx,
    look: &Look,
    mut chosen: SelectStatement,
    arrange: impl Fn(&mut SelectStatement),
) -> SelectStatement {
    arrange(&mut chosen);
    look.columns.select(&mut chosen);
    if look.organization.is_none() && look.roles.is_none() {
        return chosen;
    }
    let mut joined = beside(ctx, look, chosen);
    arrange(&mut joined);
    joined
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

/// What the statement finds: one person out of the rows that are theirs, one for each role.
async fn gather(ctx: &Ctx, look: &Look, statement: Statement, pace: Pace) -> Result<Vec<Person>> {
    let mut gathered = Gathered::default();
    ctx.app.db.each_row(statement, pace, |row| gathered.add(look, &row)).await?;
    Ok(gathered.sorted())
}

#[derive(Default)]
struct Gathered {
    people: Vec<Person>,
    /// Who they are, in the same order. They are few, and whose row it is was mostly the last: this is faster than a map.
    ids: Vec<Uuid>,
    /// Many hold the same few roles: each is read once.
    roles: Vec<Arc<role::Model>>,
}

impl Gathered {
    fn sorted(mut self) -> Vec<Person> {
        for person in &mut self.people {
            person.roles.sort_by(|one, other| one.code_key.cmp(&other.code_key));
        }
        self.people
    }

    fn add(&mut self, look: &Look, row: &Row<'_>) -> std::result::Result<(), DbErr> {
        let of_organization = look.columns.len();
        let of_role = of_organization + look.organization.as_ref().map_or(0, Columns::len);
        let Some(id) = row.get::<Uuid>(0)? else { return Ok(()) };
        // Without roles, there is one row for each.
        let known = look.roles.is_some().then(|| self.ids.iter().rposition(|known| *known == id)).flatten();
        let place = if let Some(place) = known {
            place
        } else {
            let Some(user) = look.columns.read(row, 0)?.map(Arc::new) else { return Ok(()) };
            let organization = match &look.organization {
                Some(columns) => columns.read(row, of_organization)?.map(Arc::new),
                None => None,
            };
            self.ids.push(id);
            self.people.push(Person { row: user, organization, roles: Vec::new() });
            self.people.len() - 1
        };
        let Some(columns) = &look.roles else { return Ok(()) };
        let Some(role_id) = row.get::<Uuid>(of_role)? else { return Ok(()) };
        let role = if let Some(role) = self.roles.iter().find(|role| role.id == role_id) {
            Arc::clone(role)
        } else {
            let Some(role) = columns.read(row, of_role)?.map(Arc::new) else { return Ok(()) };
            self.roles.push(Arc::clone(&role));
            role
        };
        let held = &mut self.people[place].roles;
        if held.iter().all(|other| other.id != role_id) {
            held.push(role);
        }
        Ok(())
    }
}
