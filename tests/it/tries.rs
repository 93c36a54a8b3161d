//! Which codes a guess is compared with, when it comes from where none was asked for.

use std::time::Duration;

use crate::{
    budgets::{ask, each, from, log_in, network},
    otp,
};

#[tokio::test]
async fn a_stranger_who_asks_later_hides_no_code_of_who_enters_it_elsewhere() {
    for world in each().await {
        world.user("ada").await;
        let (home, mobile) = (from(&world, "198.51.100.9"), from(&world, "192.0.2.9"));
        for strangers in 0..4 {
            ask(&home, "LOGIN", "ada").await;
            let code = otp::code_to(&world, "ada@example.org").await;
            for number in 0..strangers {
                world.pass(Duration::from_secs(1));
                ask(&network(&world, number), "LOGIN", "ada").await;
            }
            world.mails().await;
            // The newest three, and no more: many open codes are no easier to guess.
            let expected = if strangers < 3 { vec![] } else { vec!["WRONG_CODE at [code]"] };
            assert_eq!(log_in(&mobile, "ada", &code).await.faults("loginWithOtp"), expected, "{strangers}");
            // Where it was asked for, it works.
            let at_home = log_in(&home, "ada", &code).await.faults("loginWithOtp");
            assert_eq!(at_home.is_empty(), strangers == 3);
            world.pass(Duration::from_mins(11));
        }
    }
}

#[tokio::test]
async fn a_guess_at_three_codes_counts_with_each() {
    for world in each().await {
        world.user("ada").await;
        let mut codes = Vec::new();
        for number in 0..3 {
            world.pass(Duration::from_secs(1));
            ask(&network(&world, number), "LOGIN", "ada").await;
            codes.push(otp::code_to(&world, "ada@example.org").await);
        }
        let other = (0..10).map(|number| format!("{number:06}")).find(|code| !codes.contains(code));
        let other = other.expect("a wrong one");
        let guesser = from(&world, "198.51.100.9");
        for _ in 0..5 {
            assert_eq!(
                log_in(&guesser, "ada", &other).await.faults("loginWithOtp"),
                ["WRONG_CODE at [code]"]
            );
        }
        // Five of all others together, for each of them: who comes fresh from elsewhere guesses at none.
        for (number, code) in codes.iter().enumerate() {
            let fresh = from(&world, &format!("192.0.{number}.1"));
            assert_eq!(log_in(&fresh, "ada", code).await.faults("loginWithOtp"), ["WRONG_CODE at [code]"]);
        }
        // And those who asked have all of theirs.
        for _ in 0..4 {
            log_in(&network(&world, 1), "ada", &other).await;
        }
        assert_eq!(log_in(&network(&world, 1), "ada", &codes[1]).await.faults("loginWithOtp"), [""; 0]);
    }
}
