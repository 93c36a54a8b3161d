//! The last owner stays, whichever way they would go.

use std::time::Duration;

use denizen::{
    domain::roles::service::{self, Wanted},
    error::{Error, Fault},
};
use futures_util::future::join_all;
use serde_json::json;
use uuid::Uuid;

use crate::{
    roles::{grant, member, revoke},
    support::World,
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
