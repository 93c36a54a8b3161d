//! What is over goes after a while, and what is not stays.

use std::time::Duration;

use denizen::housekeeping;
use entity::{one_time_code, session, user};
use sea_orm::{EntityTrait as _, PaginatorTrait as _, QueryOrder as _};

use crate::support::{PASSWORD, World};

async fn rows(world: &World) -> (u64, u64) {
    let db = world.app.db.read();
    let sessions = session::Entity::find().count(db).await.expect("sessions");
    (sessions, one_time_code::Entity::find().count(db).await.expect("codes"))
}

#[tokio::test]
async fn what_is_over_goes_after_a_month_and_not_before() {
    for world in World::each().await {
        let ada = world.user("ada").await;
        ada.run("mutation { logout { endedSessions } }").await;
        assert_eq!(rows(&world).await, (1, 1));
        world.pass(Duration::from_hours(24 * 29));
        housekeeping::tidy(&world.app).await.expect("tidied");
        assert_eq!(rows(&world).await, (1, 1), "whoever looks into something finds it");
        let again = world.logged_in("ada", PASSWORD).await;
        world.pass(Duration::from_hours(24 * 3));
        housekeeping::tidy(&world.app).await.expect("tidied");
        assert_eq!(rows(&world).await, (1, 0));
        drop(again);
    }
}

async fn accounts(world: &World) -> Vec<String> {
    let rows = user::Entity::find().order_by_asc(user::Column::UserName).all(world.app.db.read()).await;
    rows.expect("users").into_iter().map(|user| user.user_name).collect()
}

#[tokio::test]
async fn attempts_that_nobody_proves_go_a_month_after_their_last_link() {
    for world in World::each().await {
        world.user("ada").await;
        for name in ["bob", "carl"] {
            world.register(name).await;
        }
        world.mails().await;
        world.pass(Duration::from_hours(24 * 20));
        let again = "mutation { resendVerification(input: { identifier: \"carl\" }) { errors { code } } }";
        assert_eq!(world.anonymous().run(again).await.faults("resendVerification"), [""; 0]);
        world.mails().await;
        world.pass(Duration::from_hours(24 * 9));
        housekeeping::tidy(&world.app).await.expect("tidied");
        assert_eq!(accounts(&world).await, ["ada", "admin", "bob", "carl"]);
        world.pass(Duration::from_hours(24 * 3));
        housekeeping::tidy(&world.app).await.expect("tidied");
        assert_eq!(accounts(&world).await, ["ada", "admin", "carl"], "bob's link ran out a month ago");
        world.pass(Duration::from_hours(24 * 30));
        housekeeping::tidy(&world.app).await.expect("tidied");
        assert_eq!(accounts(&world).await, ["ada", "admin"]);
        assert_eq!(world.register("bob").await.faults("registerUser"), [""; 0], "the name is free");
    }
}
