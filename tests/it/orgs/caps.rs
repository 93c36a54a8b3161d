//! Nobody's mailbox is flooded: five mails on request in ten minutes, whoever asks.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::json;

use super::{
    NONE,
    invitations::{change, invite},
    org_id,
};
use crate::support::{Answer, World};

async fn register(world: &World, user_name: &str, email: &str) -> Answer {
    let document = "mutation ($name: String!, $email: EmailAddress!) { registerUser(input: {
        userName: $name, email: $email, password: \"tinte kanne wolke\"
    }) { delivery { destination expiresAt retryAfterSeconds } errors { code path } } }";
    world.anonymous().run_with(document, json!({ "name": user_name, "email": email })).await
}

#[tokio::test]
async fn registrations_send_one_address_five_mails_in_ten_minutes() {
    for world in World::each().await {
        world.user("ada").await;
        let known_before = world.mails_to("ada@example.org").await.len();
        world.pass(Duration::from_mins(11));
        let mut answers = Vec::new();
        for number in 0..4 {
            answers.push(register(&world, &format!("new{number}"), "new@example.org").await);
            answers.push(register(&world, &format!("known{number}"), "ada@example.org").await);
        }
        let more = (4..8).map(|number| {
            let world = &world;
            async move { register(world, &format!("new{number}"), "NEW@example.org").await }
        });
        answers.extend(join_all(more).await);
        for number in 4..8 {
            answers.push(register(&world, &format!("known{number}"), "ada@example.org").await);
        }
        for answer in &answers {
            assert_eq!(answer.faults("registerUser"), NONE);
            assert!(answer.ok("/registerUser/delivery/destination").is_string(), "{}", answer.text);
        }
        let sent = world.mails().await;
        let new = sent.iter().filter(|mail| mail.to.eq_ignore_ascii_case("new@example.org")).count();
        assert_eq!(new, 5, "on {:?}", world.backend);
        assert_eq!(world.mails_to("ada@example.org").await.len() - known_before, 5);
        // Asking for another mail counts with the others.
        let again =
            "mutation { resendVerification(input: { identifier: \"new@example.org\" }) { errors { code } } }";
        assert_eq!(world.anonymous().run(again).await.faults("resendVerification"), NONE);
        assert_eq!(world.mails().await.len(), sent.len());
        world.pass(Duration::from_mins(11));
        register(&world, "late", "new@example.org").await.ok("/registerUser");
        assert_eq!(world.mails().await.len(), sent.len() + 1);
    }
}

#[tokio::test]
async fn invitations_to_one_address_are_capped_and_each_organisation_has_a_share() {
    for world in World::each().await {
        let root = world.superadmin().await;
        let mut orgs = Vec::new();
        for number in 0..6 {
            orgs.push(org_id(world.organization(&format!("org{number}")).await));
        }
        let nil = || json!([{ "email": "nil@example.org" }]);
        let sent = async || world.mails_to("nil@example.org").await.len();
        let first = invite(&root, &orgs[0], nil()).await.ok("/inviteMembers/invitations/0/id");
        // Four are left, and four ask at once.
        for answer in join_all((0..4).map(|_| invite(&root, &orgs[0], nil()))).await {
            assert_eq!(answer.faults("inviteMembers"), NONE, "on {:?}", world.backend);
        }
        // What the organisation itself has sent, it is told.
        let others = json!([{ "email": "other@example.org" }, { "email": "Nil@example.org" }]);
        let document = "mutation ($org: ID!, $list: [InviteeInput!]!) {
            inviteMembers(input: { organizationId: $org, invitees: $list }) { errors { code path retryAfterSeconds } } }";
        let answer = root.run_with(document, json!({ "org": orgs[0], "list": others })).await;
        assert_eq!(answer.faults("inviteMembers"), ["TOO_MANY_ATTEMPTS at [invitees.1.email]"]);
        assert_eq!(answer.data("/inviteMembers/errors/0/retryAfterSeconds"), 600);
        assert_eq!(
            change(&root, "resend", &first).await.faults("resendInvitation"),
            ["TOO_MANY_ATTEMPTS at [invitationId]"]
        );
        assert_eq!((sent().await, world.mails_to("other@example.org").await.len()), (5, 0));
        // Of what others have sent nobody hears; and one that is new to the address gets its first mails through.
        for org in &orgs[1..4] {
            for _ in 0..5 {
                assert_eq!(invite(&root, org, nil()).await.faults("inviteMembers"), NONE);
            }
        }
        assert_eq!(sent().await, 20);
        for org in &orgs[4..6] {
            for _ in 0..2 {
                assert_eq!(invite(&root, org, nil()).await.faults("inviteMembers"), NONE);
            }
        }
        assert_eq!(sent().await, 24);
        world.pass(Duration::from_mins(11));
        let root = world.superadmin().await;
        assert_eq!(change(&root, "resend", &first).await.faults("resendInvitation"), NONE);
        assert_eq!(sent().await, 25);
    }
}
