//! A deactivated organisation gives its members nothing; what they held rests until it is active again.

use std::time::Duration;

use entity::organization;
use sea_orm::{ColumnTrait as _, EntityTrait as _, QueryFilter as _, sea_query::Expr};
use serde_json::json;
use uuid::Uuid;

use super::{NONE, upsert};
use crate::support::World;

/// Behind the service's back, as by another instance.
async fn set_active(world: &World, id: Uuid, active: bool) {
    let txn = world.app.db.begin().await.expect("a transaction");
    organization::Entity::update_many()
        .col_expr(organization::Column::Active, Expr::value(active))
        .filter(organization::Column::Id.eq(id))
        .exec(&*txn)
        .await
        .expect("an update");
    txn.commit().await.expect("a commit");
}

#[tokio::test]
async fn grants_and_memberships_in_a_deactivated_organisation_give_nothing() {
    for world in World::each().await {
        let anna = world.org_admin("anna", "acme").await;
        let acme = world.organization("acme").await;
        let mia = world.member("mia", acme).await;
        let fellows =
            "{ organization(by: { code: \"acme\" }) { members { totalCount } } users { totalCount } }";
        assert_eq!(anna.run(fellows).await.ok("/users/totalCount"), 2);
        assert_eq!(mia.run(fellows).await.data("/organization/members/totalCount"), 2);

        set_active(&world, acme, false).await;
        world.pass(Duration::from_secs(2));
        let refused = anna.run("{ users { totalCount } }").await;
        assert_eq!(refused.codes(), ["FORBIDDEN"], "on {:?}", world.backend);
        let user = anna.run("{ user(by: { userName: \"mia\" }) { id } }").await;
        assert!(user.ok("/user").is_null());
        for client in [&anna, &mia] {
            let seen = client
                .run("{ organization(by: { code: \"acme\" }) { active members { totalCount } } }")
                .await;
            assert_eq!(
                seen.data("/organization"),
                json!({ "active": false, "members": null }),
                "{}",
                seen.text
            );
        }
        // One's own membership is one's own to know of, and to end.
        let own =
            "{ me { organization { code } memberships { totalCount edges { node { roles { code } } } } } }";
        let own = mia.run(own).await.ok("/me");
        assert_eq!(
            (&own["organization"]["code"], &own["memberships"]["totalCount"]),
            (&json!("acme"), &json!(1))
        );
        let leaving = super::remove(&mia, &super::org_id(acme), &[world.id_of(&mia).await]).await;
        assert_eq!(leaving.faults("removeMembers"), NONE);

        let root = world.superadmin().await;
        let again = upsert(&root, json!([{ "code": "acme", "active": true }])).await;
        assert_eq!(again.faults("upsertOrganizations"), NONE);
        assert_eq!(anna.run(fellows).await.ok("/users/totalCount"), 1, "at once, on this instance");
    }
}

#[tokio::test]
async fn deactivating_is_felt_at_once_by_whoever_holds_something_there() {
    for world in World::each().await {
        let root = world.superadmin().await;
        let acme = world.organization("acme").await;
        let mia = world.member("mia", acme).await;
        let id = world.id_of(&mia).await;
        let document =
            "mutation ($id: ID!) { deactivateUsers(input: { userIds: [$id] }) { errors { code path } } }";
        assert_eq!(root.run_with(document, json!({ "id": id })).await.faults("deactivateUsers"), NONE);
        let closed = upsert(&root, json!([{ "code": "acme", "active": false }])).await;
        assert_eq!(closed.faults("upsertOrganizations"), NONE);
        let document =
            "mutation ($id: ID!) { activateUsers(input: { userIds: [$id] }) { errors { code path } } }";
        assert_eq!(root.run_with(document, json!({ "id": id })).await.faults("activateUsers"), NONE);
        let mia_id = denizen::ids::decode_as(denizen::ids::Kind::User, &id).expect("an id");
        world.grant(mia_id, "ADMIN", Some(acme)).await;
        let mia = world.logged_in("mia", crate::support::PASSWORD).await;
        assert_eq!(mia.run("{ users { totalCount } }").await.codes(), ["FORBIDDEN"]);
        upsert(&root, json!([{ "code": "acme", "active": true }])).await.ok("/upsertOrganizations");
        assert_eq!(mia.run("{ users { totalCount } }").await.ok("/users/totalCount"), 1);
    }
}
