//! Limits: what is counted, where, and when it is free again.

use std::{net::IpAddr, sync::Arc, time::Duration};

use denizen::{
    authz::Actor,
    context::{Ctx, RequestInfo},
    domain::limits::{
        rules::{self, Rule},
        service as limits,
    },
    error::Error,
};
use futures_util::future::join_all;
use serde_json::json;

use crate::{
    hashing::{COMMON, each, from, login, register},
    support::World,
};

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

#[tokio::test]
async fn all_networks_of_one_block_have_a_bound_together() {
    for world in each().await {
        let ctx = |number| {
            let ip = Some(IpAddr::from([0x2001, 0xdb8, 1, number, 0, 0, 0, 1]));
            Ctx::new(Arc::clone(&world.app), Actor::Anonymous, RequestInfo { ip, ..RequestInfo::default() })
        };
        for rule in [&rules::SOURCE, &rules::REGISTER_SOURCE] {
            for number in 0..10 {
                limits::several_for_source(&ctx(number), rule, 100).await.expect("what each has");
                let more = limits::for_source(&ctx(number), rule).await;
                assert!(
                    matches!(more, Err(Error::Refused { .. })),
                    "which takes nothing of what others have"
                );
            }
        }
        for number in [0xfffe, 0xffff] {
            let another = from(&world, &format!("2001:db8:1:{number:x}::1"));
            assert_eq!(login(&another, "admin", "a wrong guess").await.codes(), ["RATE_LIMITED"]);
            assert_eq!(register(&another, "eve@example.org", COMMON).await.codes(), ["RATE_LIMITED"]);
        }
        let told = world.events_of("session.refused").await;
        assert_eq!(told, [json!({ "limit": "source" })], "of one block it is told once");
        let stranger = from(&world, "2001:db8:2::1");
        assert_eq!(
            login(&stranger, "admin", "a wrong guess").await.faults("login"),
            ["WRONG_CREDENTIALS at []"]
        );
        let judged = register(&stranger, "eve@example.org", COMMON).await;
        assert_eq!(judged.faults("registerUser"), ["BREACHED_PASSWORD at [password]"]);
        world.pass(Duration::from_millis(600));
        let another = from(&world, "2001:db8:1:ffff::1");
        for _ in 0..3 {
            let right = login(&another, "admin", "seven lanterns on a bridge").await;
            assert!(right.ok("/login/tokens").is_object(), "one is free, and a right one is given back");
        }
    }
}
