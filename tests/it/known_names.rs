//! Whether the time that an answer takes tells a known name from an unknown one.
//!
//! Measured, and so not part of every run: `cargo test --test it known_names -- --ignored --nocapture` on a machine that has
//! nothing else to do. Known and unknown names take turns, and medians are compared, so that what disturbs one disturbs both.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::{Backend, World};

const ROUNDS: usize = 300;
/// What is less than this is lost in any network, whatever part of the whole it is.
const NOISE: Duration = Duration::from_micros(200);

/// What anybody can ask of a name, as a mutation and the type of its input.
fn questions(name: &str) -> Vec<(&'static str, &'static str, Value)> {
    let address = format!("{name}@example.org");
    let new = "seven umbrellas in may";
    vec![
        ("login", "LoginInput", json!({ "identifier": name, "password": "a wrong guess" })),
        ("login", "LoginInput", json!({ "identifier": address, "password": "a wrong guess" })),
        ("forgotPassword", "ForgotPasswordInput", json!({ "identifier": name })),
        ("forgotPassword", "ForgotPasswordInput", json!({ "identifier": address })),
        ("requestOtp", "RequestOtpInput", json!({ "purpose": "LOGIN", "identifier": name })),
        ("requestOtp", "RequestOtpInput", json!({ "purpose": "PASSWORD_RESET", "identifier": address })),
        ("resendVerification", "ResendVerificationInput", json!({ "identifier": address })),
        ("loginWithOtp", "LoginWithOtpInput", json!({ "identifier": name, "code": "000000" })),
        (
            "resetPassword",
            "ResetPasswordInput",
            json!({ "identifier": name, "code": "000000", "newPassword": new }),
        ),
        ("startPasskeyLogin", "StartPasskeyLoginInput", json!({ "identifier": name })),
    ]
}

async fn took(world: &World, mutation: &str, kind: &str, input: &Value) -> Duration {
    let document =
        format!("mutation ($input: {kind}!) {{ {mutation}(input: $input) {{ errors {{ code }} }} }}");
    let client = world.anonymous();
    let begun = Instant::now();
    let answer = client.run_with(&document, json!({ "input": input })).await;
    let took = begun.elapsed();
    answer.ok(&format!("/{mutation}/errors"));
    took
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

async fn measure(backend: Backend) -> Vec<String> {
    let world = World::with(backend, &["--bcrypt-cost", "10"]).await;
    world.user("ada").await;
    let (known, unknown) = (questions("ada"), questions("eve"));
    let mut times = vec![(Vec::new(), Vec::new()); known.len()];
    for round in 0..ROUNDS {
        for (at, ((mutation, kind, of_known), (_, _, of_unknown))) in known.iter().zip(&unknown).enumerate() {
            // Who comes first is not always the same.
            if round % 2 == 0 {
                times[at].0.push(took(&world, mutation, kind, of_known).await);
                times[at].1.push(took(&world, mutation, kind, of_unknown).await);
            } else {
                times[at].1.push(took(&world, mutation, kind, of_unknown).await);
                times[at].0.push(took(&world, mutation, kind, of_known).await);
            }
            // All limits are free again, and what waits to be sent is sent.
            world.pass(Duration::from_mins(11));
            world.mails().await;
        }
    }
    let mut told = Vec::new();
    for ((mutation, _, input), (known, unknown)) in known.iter().zip(times) {
        let (known, unknown) = (median(known), median(unknown));
        let apart = known.abs_diff(unknown);
        let share = apart.as_secs_f64() / unknown.as_secs_f64() * 100.0;
        eprintln!(
            "{backend:?} {mutation} {}: {known:?} known, {unknown:?} unknown, {share:.1} %",
            input["identifier"]
        );
        if share >= 10.0 && apart > NOISE {
            told.push(format!("{mutation} {}: {share:.1} %", input["identifier"]));
        }
    }
    told
}

#[tokio::test]
#[ignore = "it measures: run it by hand, where nothing else runs"]
async fn known_and_unknown_names_take_the_same_time() {
    for backend in [Backend::Sqlite, Backend::Postgres] {
        assert_eq!(measure(backend).await, [""; 0], "on {backend:?}");
    }
}
