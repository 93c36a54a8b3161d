//! Limits: what is counted, where, and when it is free again.

use std::time::Duration;

use denizen::domain::limits::{rules::Rule, service as limits};
use futures_util::future::join_all;

use crate::support::World;

const RULE: Rule = Rule { name: "test", burst: 5, every: Duration::from_mins(2) };

#[tokio::test]
async fn of_forty_attempts_at_once_five_go_on() {
    for world in World::each().await {
        let ctx = world.system();
        let answers = join_all((0..40).map(|_| limits::take(&ctx, &RULE, "ada"))).await;
        let taken = answers.iter().filter(|answer| matches!(answer, Ok(Ok(())))).count();
        assert_eq!(taken, 5);
        assert!(limits::take(&ctx, &RULE, "bob").await.unwrap().is_ok(), "somebody else is not affected");
    }
}

#[tokio::test]
async fn attempts_come_back_one_by_one_and_never_more_than_the_burst() {
    for world in World::each().await {
        let ctx = world.system();
        for _ in 0..5 {
            assert!(limits::take(&ctx, &RULE, "ada").await.unwrap().is_ok());
        }
        let wait = limits::take(&ctx, &RULE, "ada").await.unwrap().unwrap_err();
        assert_eq!(wait, Duration::from_mins(2));
        world.pass(wait);
        assert!(limits::take(&ctx, &RULE, "ada").await.unwrap().is_ok());
        assert!(limits::take(&ctx, &RULE, "ada").await.unwrap().is_err());
        world.pass(Duration::from_hours(24));
        let answers = join_all((0..9).map(|_| limits::take(&ctx, &RULE, "ada"))).await;
        assert_eq!(answers.iter().filter(|answer| matches!(answer, Ok(Ok(())))).count(), 5);
    }
}

#[tokio::test]
async fn what_was_right_is_given_back() {
    for world in World::each().await {
        let ctx = world.system();
        for _ in 0..50 {
            assert!(limits::take(&ctx, &RULE, "ada").await.unwrap().is_ok());
            limits::give_back(&ctx, &RULE, "ada").await.unwrap();
        }
    }
}

#[tokio::test]
async fn what_has_no_effect_any_more_is_forgotten() {
    for world in World::each().await {
        let ctx = world.system();
        for _ in 0..5 {
            assert!(limits::take(&ctx, &RULE, "ada").await.unwrap().is_ok());
        }
        limits::sweep(&ctx.app).await.unwrap();
        assert!(limits::take(&ctx, &RULE, "ada").await.unwrap().is_err(), "what counts stays");
        world.pass(Duration::from_mins(11));
        limits::sweep(&ctx.app).await.unwrap();
        assert!(limits::take(&ctx, &RULE, "ada").await.unwrap().is_ok());
    }
}
