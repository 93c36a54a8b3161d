//! Passwords whose hashes another system made.

use entity::{Secret, password};
use sea_orm::{ActiveModelTrait as _, EntityTrait as _, Set};
use uuid::Uuid;

use crate::support::World;

const ARGON: &str = "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4";

async fn import(world: &World, user_id: Uuid, hash: &str) {
    let txn = world.app.db.begin().await.expect("a transaction");
    let row = password::ActiveModel {
        failures: Set(0),
        user_id: Set(user_id),
        hash: Set(Secret::from(hash.as_bytes().to_vec())),
        changed_at: Set(world.system().now()),
    };
    row.update(&*txn).await.expect("a hash");
    txn.commit().await.expect("a commit");
}

async fn stored(world: &World, user_id: Uuid) -> String {
    let row = password::Entity::find_by_id(user_id).one(world.app.db.read()).await.expect("passwords");
    String::from_utf8(row.expect("a password").hash.0).expect("text")
}

#[tokio::test]
async fn a_hash_of_another_system_opens_the_account_and_becomes_one_of_ours() {
    for world in World::each().await {
        let ada = world.user("ada").await;
        let id = world.user_id(&ada).await;
        for (password, hash) in
            [("password", ARGON), ("U*U", "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW")]
        {
            import(&world, id, hash).await;
            assert_eq!(world.login("ada", "not this").await.faults("login"), ["WRONG_CREDENTIALS at []"]);
            assert_eq!(stored(&world, id).await, hash, "a wrong password changes nothing");
            world.logged_in("ada", password).await;
            let renewed = stored(&world, id).await;
            assert!(renewed.starts_with("$2b$04$"), "{renewed}");
            world.logged_in("ada", password).await;
            assert_eq!(stored(&world, id).await, renewed, "once");
        }
    }
}

#[tokio::test]
async fn a_hash_that_is_not_understood_or_costs_too_much_opens_nothing() {
    for world in World::each().await {
        let ada = world.user("ada").await;
        let id = world.user_id(&ada).await;
        for hash in [
            "",
            "password",
            "$2x$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
            "$argon2id$v=19$m=4294967295,t=9,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
        ] {
            import(&world, id, hash).await;
            assert_eq!(world.login("ada", "password").await.faults("login"), ["WRONG_CREDENTIALS at []"]);
        }
    }
}
