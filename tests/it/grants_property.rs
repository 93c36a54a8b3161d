//! Grants against a model: whatever people do to each other's roles, in whatever order, the service answers as a few
//! lines of plain rules do, and everybody may afterwards what those rules say.

use std::{collections::BTreeSet, time::Duration};

use denizen::authz::{BUILT_IN_ROLES, Permission, RoleScope};
use entity::membership;
use proptest::{
    prelude::*,
    test_runner::{Config, TestCaseError, TestRunner},
};
use sea_orm::{ActiveModelTrait as _, Set};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    roles,
    support::{Answer, Backend, Client, World},
};

/// Who there is, and of which of the two organisations they are members.
const PEOPLE: [(&str, &[usize]); 7] = [
    ("root", &[]),
    ("paula", &[]),
    ("anna", &[0]),
    ("otto", &[1]),
    ("mia", &[0]),
    ("bea", &[0, 1]),
    ("lena", &[]),
];
const ORGANIZATIONS: [&str; 2] = ["acme", "other"];
/// Roles that are made at run time, for the platform and for organisations.
const MADE: [(&str, &[Permission]); 3] = [
    ("READER", &[Permission::UserRead]),
    ("KEEPER", &[Permission::UserRead, Permission::RoleGrant]),
    ("EDITOR", &[Permission::UserRead, Permission::RoleUpsert]),
];
const ROLES: [&str; 7] = ["SUPERADMIN", "ADMIN", "REVIEWER", "MEMBER", "READER", "KEEPER", "EDITOR"];

/// An organisation, or the platform.
type Place = Option<usize>;

#[derive(Clone, Debug)]
enum Step {
    Grant { actor: usize, target: usize, role: usize, place: Place },
    Revoke { actor: usize, target: usize, role: usize, place: Place },
    Activate { actor: usize, role: usize, active: bool },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let whom = || {
        (
            0..PEOPLE.len(),
            0..PEOPLE.len(),
            0..ROLES.len(),
            prop_oneof![Just(None), (0..2usize).prop_map(Some)],
        )
    };
    let step = prop_oneof![
        4 => whom().prop_map(|(actor, target, role, place)| Step::Grant { actor, target, role, place }),
        3 => whom().prop_map(|(actor, target, role, place)| Step::Revoke { actor, target, role, place }),
        1 => (0..PEOPLE.len(), 4..ROLES.len(), any::<bool>())
            .prop_map(|(actor, role, active)| Step::Activate { actor, role, active }),
    ];
    proptest::collection::vec(step, 1..40)
}

/// The rules, in as few words as they can be said.
struct Model {
    grants: BTreeSet<(usize, &'static str, Place)>,
    resting: BTreeSet<&'static str>,
}

impl Model {
    fn new() -> Self {
        let grants =
            [(0, "SUPERADMIN", None), (1, "ADMIN", None), (2, "ADMIN", Some(0)), (3, "ADMIN", Some(1))];
        Self { grants: grants.into(), resting: BTreeSet::new() }
    }

    fn gives(role: &str) -> Vec<Permission> {
        let built_in = BUILT_IN_ROLES.iter().find(|built_in| built_in.code == role);
        let made = || MADE.iter().find(|(code, _)| *code == role).map(|(_, gives)| gives.to_vec());
        built_in.map_or_else(|| made().unwrap_or_default(), |built_in| built_in.permissions.iter().collect())
    }

    fn fits(role: &str, place: Place) -> bool {
        let scope = if place.is_none() { RoleScope::Platform } else { RoleScope::Organization };
        BUILT_IN_ROLES
            .iter()
            .find(|built_in| built_in.code == role)
            .is_none_or(|role| role.scopes.contains(&scope))
    }

    fn holds(&self, who: usize, permission: Permission, place: Place) -> bool {
        self.grants.iter().any(|(holder, role, granted)| {
            *holder == who
                && !self.resting.contains(role)
                && (granted.is_none() || *granted == place)
                && Self::gives(role).contains(&permission)
        })
    }

    fn holds_somewhere(&self, who: usize, permission: Permission) -> bool {
        [None, Some(0), Some(1)].into_iter().any(|place| self.holds(who, permission, place))
    }

    fn sees(&self, who: usize, whom: usize) -> bool {
        who == whom
            || self.holds(who, Permission::UserRead, None)
            || PEOPLE[whom].1.iter().any(|org| self.holds(who, Permission::UserRead, Some(*org)))
    }

    /// Whether they may change this user's grants: the user is in their reach, and holds nothing that they lack.
    fn may_touch(&self, who: usize, whom: usize, place: Place) -> bool {
        if place.is_some() {
            // Within an organisation: who holds nothing there that they lack there.
            let here = |at: &Place| at.is_none() || *at == place;
            let mut held = self
                .grants
                .iter()
                .filter(|(holder, role, at)| *holder == whom && !self.resting.contains(role) && here(at));
            return held.all(|(_, role, _)| self.covers(who, role, place));
        }
        let orgs = PEOPLE[whom].1;
        let reached = self.holds(who, Permission::RoleGrant, None)
            || (!orgs.is_empty()
                && orgs.iter().all(|org| self.holds(who, Permission::RoleGrant, Some(*org))));
        let held =
            self.grants.iter().filter(|(holder, role, _)| *holder == whom && !self.resting.contains(role));
        reached && held.copied().all(|(_, role, place)| self.covers(who, role, place))
    }

    fn covers(&self, who: usize, role: &str, place: Place) -> bool {
        Self::gives(role).into_iter().all(|permission| self.holds(who, permission, place))
    }

    /// What is at fault whether one grants or revokes; `Err` when that is all that is said.
    fn at_fault(&self, actor: usize, target: usize, place: Place) -> Result<Vec<String>, Vec<String>> {
        if !self.holds_somewhere(actor, Permission::RoleGrant) {
            return Err(vec!["FORBIDDEN".to_owned()]);
        }
        let knows = |org| PEOPLE[actor].1.contains(&org) || self.holds(actor, Permission::OrgRead, Some(org));
        if place.is_some_and(|org| !knows(org)) {
            return Err(vec!["NOT_FOUND at [organizationId]".to_owned()]);
        }
        if !self.holds(actor, Permission::RoleGrant, place) {
            return Err(vec!["NOT_ALLOWED at [organizationId]".to_owned()]);
        }
        Ok(if !self.sees(actor, target) {
            vec!["NOT_FOUND at [userId]".to_owned()]
        } else if self.may_touch(actor, target, place) {
            Vec::new()
        } else {
            vec!["NOT_ALLOWED at [userId]".to_owned()]
        })
    }

    /// Does the step, and says what the service will answer.
    fn take(&mut self, step: &Step) -> Vec<String> {
        match *step {
            Step::Grant { actor, target, role, place } => {
                let role = ROLES[role];
                let mut faults = match self.at_fault(actor, target, place) {
                    Ok(faults) => faults,
                    Err(all) => return all,
                };
                if self.resting.contains(role) {
                    faults.push("INACTIVE at [roleCodes.0]".to_owned());
                } else if !Self::fits(role, place) || !self.covers(actor, role, place) {
                    faults.push("NOT_ALLOWED at [roleCodes.0]".to_owned());
                }
                if faults.is_empty() && place.is_some_and(|org| !PEOPLE[target].1.contains(&org)) {
                    faults.push("NOT_FOUND at [userId]".to_owned());
                }
                if faults.is_empty() {
                    self.grants.insert((target, role, place));
                }
                faults
            }
            Step::Revoke { actor, target, role, place } => {
                let role = ROLES[role];
                let mut faults = match self.at_fault(actor, target, place) {
                    Ok(faults) => faults,
                    Err(all) => return all,
                };
                if !self.covers(actor, role, place) {
                    faults.push("NOT_ALLOWED at [roleCodes.0]".to_owned());
                }
                let owner = if place.is_some() { "ADMIN" } else { "SUPERADMIN" };
                let owners: Vec<_> =
                    self.grants.iter().filter(|(_, held, at)| *held == owner && *at == place).collect();
                if faults.is_empty() && role == owner && owners == [&(target, owner, place)] {
                    faults.push("LAST_OWNER at [roleCodes.0]".to_owned());
                }
                if faults.is_empty() {
                    self.grants.remove(&(target, role, place));
                }
                faults
            }
            Step::Activate { actor, role, active } => {
                let role = ROLES[role];
                if !self.holds(actor, Permission::RoleUpsert, None) {
                    return vec!["FORBIDDEN".to_owned()];
                }
                if !self.covers(actor, role, None) {
                    return vec!["NOT_ALLOWED at [roles.0.code]".to_owned()];
                }
                if active {
                    self.resting.remove(role)
                } else {
                    self.resting.insert(role)
                };
                Vec::new()
            }
        }
    }

    /// What somebody may, as it shows in the answers to them.
    fn standing(&self, who: usize) -> Value {
        let roles: BTreeSet<_> =
            self.grants.iter().filter(|(holder, ..)| *holder == who).map(|(_, role, _)| *role).collect();
        let seen = (0..PEOPLE.len()).filter(|whom| self.sees(who, *whom)).count();
        json!({
            "roles": roles,
            "users": self.holds_somewhere(who, Permission::UserRead).then_some(seen),
            "events": self.holds_somewhere(who, Permission::EventRead),
        })
    }
}

/// The same people in a world.
struct Cast {
    world: World,
    people: Vec<(Client, Uuid)>,
    organizations: Vec<Uuid>,
}

impl Cast {
    async fn new(backend: Backend) -> Self {
        let world = World::on(backend).await;
        let mut organizations = Vec::new();
        for code in ORGANIZATIONS {
            organizations.push(world.organization(code).await);
        }
        let mut people = Vec::new();
        for (name, orgs) in PEOPLE {
            let client = if name == "root" { world.superadmin().await } else { world.user(name).await };
            let id = world.user_id(&client).await;
            for org in orgs {
                join(&world, id, organizations[*org]).await;
            }
            people.push((client, id));
        }
        world.grant(people[1].1, "ADMIN", None).await;
        world.grant(people[2].1, "ADMIN", Some(organizations[0])).await;
        world.grant(people[3].1, "ADMIN", Some(organizations[1])).await;
        let made: Vec<_> = MADE
            .iter()
            .map(|(code, gives)| {
                let codes: Vec<_> = gives.iter().map(|permission| permission.code()).collect();
                json!({ "code": code, "permissions": codes, "scopes": ["PLATFORM", "ORGANIZATION"] })
            })
            .collect();
        assert_eq!(
            roles::upsert(&people[0].0, json!({ "roles": made })).await.faults("upsertRoles"),
            [""; 0]
        );
        world.pass(Duration::from_secs(2));
        Self { world, people, organizations }
    }

    async fn take(&self, step: &Step) -> Vec<String> {
        let place = |place: Place| place.map(|org| self.organizations[org]);
        let (answer, mutation) = match *step {
            Step::Grant { actor, target, role, place: at } => {
                let target = self.people[target].1;
                (roles::grant(&self.people[actor].0, target, &[ROLES[role]], place(at)).await, "grantRoles")
            }
            Step::Revoke { actor, target, role, place: at } => {
                let target = self.people[target].1;
                (roles::revoke(&self.people[actor].0, target, &[ROLES[role]], place(at)).await, "revokeRoles")
            }
            Step::Activate { actor, role, active } => {
                let input = json!({ "roles": [{ "code": ROLES[role], "active": active }] });
                let answer = roles::upsert(&self.people[actor].0, input).await;
                // Who holds a role that rests feels it within two seconds.
                self.world.pass(Duration::from_secs(2));
                (answer, "upsertRoles")
            }
        };
        if answer.codes().is_empty() { answer.faults(mutation) } else { answer.codes() }
    }

    async fn standing(&self, who: usize) -> Value {
        let query = "{ me { roles { code } } users { totalCount } events(first: 1) { edges { cursor } } }";
        let answer: Answer = self.people[who].0.run(query).await;
        let codes = answer.data("/me/roles");
        let roles: BTreeSet<_> =
            codes.as_array().into_iter().flatten().filter_map(|role| role["code"].as_str()).collect();
        json!({
            "roles": roles,
            "users": answer.data("/users/totalCount"),
            "events": !answer.data("/events").is_null(),
        })
    }
}

async fn join(world: &World, user_id: Uuid, organization_id: Uuid) {
    let txn = world.app.db.begin().await.expect("a transaction");
    let row = membership::ActiveModel {
        id: Set(world.system().new_id()),
        organization_id: Set(organization_id),
        user_id: Set(user_id),
        is_primary: Set(false),
        joined_at: Set(world.system().now()),
    };
    row.insert(&*txn).await.expect("a membership");
    txn.commit().await.expect("a commit");
}

fn compare(backend: Backend, cases: u32) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let config = Config { cases, failure_persistence: None, max_shrink_iters: 100, ..Config::default() };
    let outcome = TestRunner::new(config).run(&steps(), |steps| {
        runtime.block_on(async {
            let (cast, mut model) = (Cast::new(backend).await, Model::new());
            for (number, step) in steps.iter().enumerate() {
                let expected = model.take(step);
                let answered = cast.take(step).await;
                prop_assert_eq!(answered, expected, "step {}: {:?}", number, step);
                for (who, (name, _)) in PEOPLE.iter().enumerate() {
                    let (found, expected) = (cast.standing(who).await, model.standing(who));
                    prop_assert_eq!(found, expected, "{} after step {}: {:?}", name, number, step);
                }
            }
            Ok::<(), TestCaseError>(())
        })
    });
    outcome.unwrap_or_else(|failure| panic!("{failure}"));
}

#[test]
fn grants_follow_the_rules_on_sqlite() {
    compare(Backend::Sqlite, 16);
}

#[test]
fn grants_follow_the_rules_on_postgres() {
    compare(Backend::Postgres, 3);
}
