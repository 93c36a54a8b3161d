//! How much is asked of the database: lists take a constant number of statements, however long they are.

use crate::support::World;

#[tokio::test]
async fn a_page_of_users_with_relations_takes_a_constant_number_of_statements() {
    for world in World::each().await {
        let admin = world.superadmin().await;
        let document = "{ users(first: 50) { totalCount edges { node { userName organization { name } roles { code } models { uuid } } } } }";
        admin.run(document).await.ok("/users");
        let (_, few) = world.statements(admin.run(document)).await;
        let org = world.organization("acme").await;
        for name in ["ada", "bob", "carol", "dave", "erin", "frank"] {
            let user = world.user_id(&world.user(name).await).await;
            world.join(user, org).await;
            world.grant(user, "MEMBER", Some(org)).await;
        }
        admin.run(document).await.ok("/users");
        let (answer, many) = world.statements(admin.run(document)).await;
        assert_eq!(answer.ok("/users/totalCount"), 7);
        assert_eq!(many, few, "on {:?}", world.backend);
        assert!(many <= 5, "a page, a count, the organisations, the roles, the models: {many}");
    }
}
