//! What is referred to may be deleted at the same moment: that is the caller's to know, and nobody's failure.

use std::time::Duration;

use denizen::{
    domain::orgs::service::{self as orgs, Joiner},
    error::{Error, ErrorCode},
};
use entity::user;
use sea_orm::EntityTrait as _;

use crate::support::{Backend, PASSWORD, World};

#[tokio::test]
async fn joining_somebody_who_was_just_deleted_is_a_conflict() {
    for world in World::each().await {
        let acme = world.organization("acme").await;
        let ctx = world.system();
        let txn = world.app.db.begin().await.expect("a transaction");
        let nobody = Joiner { user_id: ctx.new_id(), roles: Vec::new() };
        let refused = orgs::join(&txn, &ctx, acme, &[nobody]).await;
        let Err(Error::Gone) = refused else { panic!("on {:?}: {refused:?}", world.backend) };
        let (done, faults) = denizen::graphql::errors::payload(refused).expect("a payload");
        assert!(done.is_none());
        let told: Vec<_> = faults.iter().map(|fault| (fault.code, fault.path.len())).collect();
        assert_eq!(told, [(denizen::graphql::errors::FaultCode::Conflict, 0)]);
        assert_eq!(ErrorCode::Conflict.as_str(), "CONFLICT");
    }
}

#[tokio::test]
async fn a_login_of_somebody_who_is_deleted_meanwhile_is_like_one_of_nobody() {
    for backend in [Backend::Sqlite, Backend::Postgres] {
        // Counting the attempt would wait for the deletion, on SQLite, before anything was read.
        let world = World::with(backend, &["--rate-limits", "off"]).await;
        let ada = world.user("ada").await;
        let id = world.user_id(&ada).await;
        let txn = world.app.db.begin().await.expect("a transaction");
        user::Entity::delete_by_id(id).exec(&*txn).await.expect("a deletion");
        let before = world.app.db.statements();
        let delete = async {
            // Who it is, the password and what they hold have been read: only the session is to be written.
            while world.app.db.statements() < before + 4 {
                tokio::task::yield_now().await;
            }
            txn.commit().await.expect("a commit");
        };
        let both = async { tokio::join!(world.login("ada", PASSWORD), delete) };
        let (answer, ()) = tokio::time::timeout(Duration::from_secs(20), both).await.expect("both end");
        assert_eq!(answer.faults("login"), ["WRONG_CREDENTIALS at []"], "on {:?}", world.backend);
    }
}
