//! The last owner stays, whichever way they would go.

use std::time::Duration;

use denizen::{
    domain::roles::service::{self, Wanted},
    error::{Error, Fault},
    ids::{self, Kind},
};
use futures_util::future::join_all;
use serde_json::json;
use uuid::Uuid;

use crate::{
    roles::{grant, member, revoke},
    support::{Answer, Client, World},
};

#[tokio::test]
async fn the_last_owner_stays() {
    for world in World::each().await {
        let root = world.superadmin().await;
        let anna = world.org_admin("anna", "acme").await;
        let acme = world.organization("acme").await;
        let anna_id = world.user_id(&anna).await;
        for client in [&root, &anna] {
            let refused = revoke(client, anna_id, &["MEMBER", "admin"], Some(acme)).await;
            assert_eq!(refused.faults("revokeRoles"), ["LAST_OWNER at [roleCodes.1]"]);
        }
        let root_id = world.user_id(&root).await;
        assert_eq!(
            revoke(&root, root_id, &["SUPERADMIN"], None).await.faults("revokeRoles"),
            ["LAST_OWNER at [roleCodes.0]"]
        );
        // With another one, she may go, and so may the first super-administrator.
        let (_, mia) = member(&world, "mia", acme).await;
        grant(&anna, mia, &["ADMIN"], Some(acme)).await.ok("/grantRoles/user");
        assert_eq!(revoke(&anna, anna_id, &["ADMIN"], Some(acme)).await.faults("revokeRoles"), [""; 0]);
        assert_eq!(
            revoke(&root, mia, &["ADMIN"], Some(acme)).await.faults("revokeRoles"),
            ["LAST_OWNER at [roleCodes.0]"]
        );
        grant(&root, anna_id, &["SUPERADMIN"], None).await.ok("/grantRoles/user");
        assert_eq!(revoke(&root, root_id, &["SUPERADMIN"], None).await.faults("revokeRoles"), [""; 0]);
        assert_eq!(root.run("{ users { totalCount } }").await.codes(), ["FORBIDDEN"]);
    }
}

#[tokio::test]
async fn the_last_owner_stays_even_in_a_race() {
    for world in World::each().await {
        let root = world.superadmin().await;
        let acme = world.organization("acme").await;
        let mut owners = Vec::new();
        for name in ["anna", "berta", "carla"] {
            let (_, id) = member(&world, name, acme).await;
            owners.push(id);
        }
        for round in 0..5 {
            for owner in &owners {
                grant(&root, *owner, &["ADMIN"], Some(acme)).await.ok("/grantRoles/user");
            }
            let answers =
                join_all(owners.iter().map(|owner| revoke(&root, *owner, &["ADMIN"], Some(acme)))).await;
            let refused: Vec<_> = answers.iter().flat_map(|answer| answer.faults("revokeRoles")).collect();
            assert_eq!(refused, ["LAST_OWNER at [roleCodes.0]"], "round {round}");
        }
        // The super-administrators, who revoke each other.
        grant(&root, owners[0], &["SUPERADMIN"], None).await.ok("/grantRoles/user");
        let root_id = world.user_id(&root).await;
        let both = [root_id, owners[0]];
        let answers = join_all(both.iter().map(|owner| revoke(&root, *owner, &["SUPERADMIN"], None))).await;
        let refused = answers.iter().filter(|answer| !answer.data("/revokeRoles/errors/0").is_null()).count();
        let forbidden = answers.iter().filter(|answer| !answer.codes().is_empty()).count();
        assert_eq!(refused + forbidden, 1, "one of the two stays");
    }
}

#[tokio::test]
async fn other_rooms_replace_the_roles_of_many_users() {
    for world in World::each().await {
        let anna = world.org_admin("anna", "acme").await;
        let acme = world.organization("acme").await;
        let anna_id = world.user_id(&anna).await;
        let (_, mia) = member(&world, "mia", acme).await;
        let ctx = world.system();
        let wanted = |lists: &[(Uuid, &[&str])]| -> Vec<Wanted> {
            let lists = lists.iter().enumerate();
            let wanted = lists.map(|(index, (user_id, codes))| Wanted {
                user_id: *user_id,
                organization_id: Some(acme),
                role_codes: codes.iter().map(ToString::to_string).collect(),
                path: vec!["users".to_owned(), index.to_string(), "roleCodes".to_owned()],
            });
            wanted.collect()
        };
        let replace = |lists: Vec<Wanted>| {
            let (world, ctx) = (&world, &ctx);
            async move {
                let txn = world.app.db.begin().await.expect("a transaction");
                match service::replace(&txn, ctx, &lists).await {
                    Ok(changed) => txn.commit().await.map(|()| changed).map_err(|_| Vec::new()),
                    Err(Error::Faults(faults)) => {
                        let told =
                            |fault: &Fault| format!("{} at {}", fault.code.as_str(), fault.path.join("."));
                        Err(faults.iter().map(told).collect())
                    }
                    Err(other) => panic!("{other}"),
                }
            }
        };
        let same = wanted(&[(anna_id, &["admin"]), (mia, &["MEMBER", "SCHOLAR", "member"])]);
        assert_eq!(replace(same).await, Ok(vec![mia]));
        let wrong = wanted(&[(anna_id, &["NONE"]), (mia, &["MEMBER", "SUPERADMIN"])]);
        let faults = ["NOT_FOUND at users.0.roleCodes.0", "NOT_ALLOWED at users.1.roleCodes.1"];
        assert_eq!(replace(wrong).await, Err(faults.map(str::to_owned).to_vec()));
        let ownerless = wanted(&[(mia, &[]), (anna_id, &["MEMBER"])]);
        assert_eq!(replace(ownerless).await, Err(vec!["LAST_OWNER at users.1.roleCodes".to_owned()]));
        let handed_over = wanted(&[(mia, &["ADMIN"]), (anna_id, &["MEMBER"])]);
        assert_eq!(replace(handed_over).await, Ok(vec![mia, anna_id]));
        world.pass(Duration::from_secs(2));
        assert_eq!(
            anna.run("{ me { roles { code } } }").await.ok("/me/roles"),
            json!([{ "code": "MEMBER" }])
        );
        let nobody = wanted(&[(Uuid::nil(), &["MEMBER"])]);
        assert_eq!(replace(nobody).await, Err(vec!["NOT_FOUND at users".to_owned()]));
    }
}

/// All ways in which owners go, at the same moment: out of the organisation, of the role, of the account.
#[tokio::test]
async fn the_last_owner_stays_whichever_ways_the_others_go_at_once() {
    for world in World::each().await {
        let root = world.superadmin().await;
        let (acme, other) = (world.organization("acme").await, world.organization("other").await);
        for round in 0..4 {
            let (mut owners, mut texts) = (Vec::new(), Vec::new());
            for name in ["anna", "berta", "carla", "dora"] {
                let (_, id) = member(&world, &format!("{name}{round}"), acme).await;
                world.join_also(id, other).await;
                for organization in [acme, other] {
                    world.grant(id, "ADMIN", Some(organization)).await;
                }
                owners.push(id);
                texts.push(ids::encode(Kind::User, id));
            }
            // Whoever stayed in the last round goes quietly, so that in this one there are four.
            let before = owners_of(&world, acme).await;
            for stayed in before.iter().filter(|id| !owners.contains(id)) {
                let removed = remove(&root, acme, &[ids::encode(Kind::User, *stayed)]).await;
                assert_eq!(removed.faults("removeMembers"), [""; 0]);
            }
            let crossed = [texts[1].clone(), texts[0].clone()];
            let (removed, revoked, closed, deleted, left) = tokio::join!(
                remove(&root, acme, &texts[..1]),
                revoke(&root, owners[1], &["ADMIN"], Some(acme)),
                deactivate(&root, &texts[2..3]),
                delete(&root, &texts[3]),
                remove(&root, other, &crossed),
            );
            let answers = [
                removed.faults("removeMembers"),
                revoked.faults("revokeRoles"),
                closed.faults("deactivateUsers"),
                deleted.faults("deleteUser"),
            ];
            // Who would be the last in both organisations is refused for each of them.
            let refused: Vec<_> = answers.iter().filter(|faults| !faults.is_empty()).collect();
            assert_eq!(refused.len(), 1, "{round}: {answers:?}");
            assert!(refused[0].iter().all(|fault| fault.starts_with("LAST_OWNER")), "{round}: {answers:?}");
            assert_eq!(owners_of(&world, acme).await.len(), 1, "round {round}");
            assert!(left.faults("removeMembers").iter().all(|fault| fault.starts_with("LAST_OWNER")));
            assert!(!owners_of(&world, other).await.is_empty(), "round {round}");
        }
    }
}

/// Who adds a member holds the organisation; who closes accounts holds the users, one of whom may own the organisation.
#[tokio::test]
async fn joining_and_going_wait_for_each_other_in_one_order() {
    for world in World::each().await {
        let root = world.superadmin().await;
        let acme = world.organization("acme").await;
        let (_, first) = member(&world, "anna", acme).await;
        world.grant(first, "ADMIN", Some(acme)).await;
        for round in 0..8 {
            let (_, owner) = member(&world, &format!("owner{round}"), acme).await;
            world.grant(owner, "ADMIN", Some(acme)).await;
            let user = world.user(&format!("user{round}")).await;
            let user = ids::encode(Kind::User, world.user_id(&user).await);
            let both = [user.clone(), ids::encode(Kind::User, owner)];
            let (added, closed) = tokio::join!(add(&root, acme, &user), deactivate(&root, &both));
            assert_eq!(closed.faults("deactivateUsers"), [""; 0], "round {round}");
            let added = added.faults("addMembers");
            assert!(added.is_empty() || added == ["INACTIVE at [members.0.userId]"], "{round}: {added:?}");
        }
    }
}

/// The same, without chance: who is about to join waits for the user, and leaves the organisation to whoever has the user.
#[tokio::test]
async fn who_joins_holds_nothing_while_waiting_for_a_user() {
    use sea_orm::ConnectionTrait as _;
    let world = World::on(crate::support::Backend::Postgres).await;
    let root = world.superadmin().await;
    world.org_admin("anna", "acme").await;
    let acme = world.organization("acme").await;
    let user = world.user("mia").await;
    let user = ids::encode(Kind::User, world.user_id(&user).await);
    let txn = world.app.db.begin().await.expect("a transaction");
    let locked = "SELECT id FROM users WHERE user_name = 'mia' FOR UPDATE";
    txn.execute_unprepared(locked).await.expect("the user");
    let going = async {
        let waiting = "SELECT count(*) AS n FROM pg_stat_activity \
                       WHERE datname = current_database() AND wait_event_type = 'Lock'";
        let waiting = sea_orm::Statement::from_string(sea_orm::DbBackend::Postgres, waiting);
        loop {
            let row =
                world.app.db.read().query_one_raw(waiting.clone()).await.expect("locks").expect("a row");
            if row.try_get::<i64>("", "n").expect("a number") > 0 {
                break;
            }
            tokio::task::yield_now().await;
        }
        let organization = "SELECT id FROM organizations WHERE code = 'acme' FOR NO KEY UPDATE NOWAIT";
        let free = txn.execute_unprepared(organization).await;
        txn.commit().await.expect("a commit");
        free
    };
    let (added, free) = tokio::join!(add(&root, acme, &user), going);
    assert!(free.is_ok(), "{free:?}");
    assert_eq!(added.faults("addMembers"), [""; 0]);
}

async fn owners_of(world: &World, organization: Uuid) -> Vec<Uuid> {
    use sea_orm::{ColumnTrait as _, EntityTrait as _, QueryFilter as _};
    let rows = entity::grant::Entity::find()
        .filter(entity::grant::Column::OrganizationId.eq(organization))
        .find_also_related(entity::user::Entity)
        .all(world.app.db.read())
        .await
        .expect("grants");
    let active = |user: &entity::user::Model| user.status == entity::UserStatus::Active;
    rows.into_iter().filter_map(|(_, user)| user.filter(active)).map(|user| user.id).collect()
}

async fn remove(client: &Client, organization: Uuid, users: &[String]) -> Answer {
    let document = "mutation ($org: ID!, $users: [ID!]!) {
        removeMembers(input: { organizationId: $org, userIds: $users }) { errors { code message path } } }";
    let org = ids::encode(Kind::Organization, organization);
    client.run_with(document, json!({ "org": org, "users": users })).await
}

async fn add(client: &Client, organization: Uuid, user: &str) -> Answer {
    let document = "mutation ($org: ID!, $user: ID!) {
        addMembers(input: { organizationId: $org, members: [{ userId: $user }] }) { errors { code message path } } }";
    let org = ids::encode(Kind::Organization, organization);
    client.run_with(document, json!({ "org": org, "user": user })).await
}

async fn deactivate(client: &Client, users: &[String]) -> Answer {
    let document = "mutation ($users: [ID!]!) {
        deactivateUsers(input: { userIds: $users }) { errors { code message path } } }";
    client.run_with(document, json!({ "users": users })).await
}

async fn delete(client: &Client, user: &str) -> Answer {
    let document =
        "mutation ($user: ID!) { deleteUser(input: { userId: $user }) { errors { code message path } } }";
    client.run_with(document, json!({ "user": user })).await
}
