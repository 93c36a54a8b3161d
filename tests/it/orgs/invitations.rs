//! Invitations: for the proved address, once, in time, and nobody learns who has an account.

use std::time::Duration;

use axum::{
    body::Body,
    http::{Request, header},
};
use futures_util::future::join_all;
use serde_json::{Value, json};

use super::{NONE, org_id};
use crate::support::{Answer, Client, World};

pub async fn invite(client: &Client, organization: &str, invitees: Value) -> Answer {
    let document = "mutation ($org: ID!, $list: [InviteeInput!]!) {
        inviteMembers(input: { organizationId: $org, invitees: $list }) {
          invitations { id email status expiresAt roles { code } organization { code } invitedBy { userName } }
          errors { code message path } } }";
    client.run_with(document, json!({ "org": organization, "list": invitees })).await
}

/// `resend` or `revoke`.
pub async fn change(client: &Client, what: &str, id: &Value) -> Answer {
    let document = format!(
        "mutation ($id: ID!) {{ {what}Invitation(input: {{ invitationId: $id }}) {{
           invitation {{ id status expiresAt }} errors {{ code message path }} }} }}"
    );
    client.run_with(&document, json!({ "id": id })).await
}

pub async fn accept(client: &Client, token: &str) -> Answer {
    let document = "mutation ($token: String!) { acceptInvitation(input: { token: $token }) {
        membership { organization { code } roles { code } user { userName } } errors { code message path } } }";
    client.run_with(document, json!({ "token": token })).await
}

async fn decline(client: &Client, token: &str) -> Answer {
    let document = "mutation ($token: String!) { declineInvitation(input: { token: $token }) {
        invitation { status } errors { code message path } } }";
    client.run_with(document, json!({ "token": token })).await
}

impl World {
    /// The token of the newest invitation to the address.
    pub async fn invitation_of(&self, address: &str) -> String {
        let mails = self.mails_to(address).await;
        let mail =
            mails.iter().find(|mail| mail.subject.starts_with("You are invited")).expect("an invitation");
        let (_, rest) = mail.text.split_once("/invitation?token=").expect("a link in the mail");
        rest.split_whitespace().next().unwrap_or_default().to_owned()
    }
}

#[tokio::test]
async fn an_invitation_makes_the_proved_address_a_member_once() {
    for world in World::each().await {
        let acme = org_id(world.organization("acme").await);
        let anna = world.org_admin("anna", "acme").await;
        let list = json!([{ "email": "Ada@example.org", "roleCodes": ["TRANSLATOR", "ADMIN"] }]);
        let sent = invite(&anna, &acme, list).await.ok("/inviteMembers/invitations/0");
        assert_eq!((&sent["status"], &sent["email"]), (&json!("PENDING"), &json!("Ada@example.org")));
        assert_eq!(sent["expiresAt"], "2026-01-08T00:00:02.000Z");
        assert_eq!(sent["invitedBy"]["userName"], "anna");
        let token = world.invitation_of("Ada@example.org").await;
        let (ada, bob) = (world.user("ada").await, world.user("bob").await);
        assert_eq!(accept(&bob, &token).await.faults("acceptInvitation"), ["NOT_ALLOWED at [token]"]);
        assert_eq!(accept(&world.anonymous(), &token).await.codes(), ["FORBIDDEN"]);
        assert_eq!(accept(&ada, "nonsense\u{0}").await.faults("acceptInvitation"), ["WRONG_CODE at [token]"]);
        let waiting = "{ me { invitations { totalCount edges { node { organization { code } } } } } }";
        let mine = ada.run(waiting).await.ok("/me/invitations");
        assert_eq!(
            (&mine["totalCount"], &mine["edges"][0]["node"]["organization"]["code"]),
            (&json!(1), &json!("acme"))
        );
        assert_eq!(bob.run(waiting).await.ok("/me/invitations/totalCount"), 0);

        let answers = join_all((0..4).map(|_| accept(&ada, &token))).await;
        let joined: Vec<_> =
            answers.iter().filter(|answer| answer.faults("acceptInvitation").is_empty()).collect();
        assert_eq!(joined.len(), 1, "on {:?}", world.backend);
        assert_eq!(
            joined[0].data("/acceptInvitation/membership"),
            json!({ "organization": { "code": "acme" }, "roles": [{ "code": "ADMIN" }, { "code": "TRANSLATOR" }],
                    "user": { "userName": "ada" } })
        );
        assert_eq!(accept(&ada, &token).await.faults("acceptInvitation"), ["ALREADY_USED at [token]"]);
        assert_eq!(decline(&ada, &token).await.faults("declineInvitation"), ["ALREADY_USED at [token]"]);
        assert_eq!(ada.run(waiting).await.ok("/me/invitations/totalCount"), 0);
        assert_eq!(ada.run("{ users { totalCount } }").await.ok("/users/totalCount"), 2, "at once");
        for kind in ["invitation.sent", "invitation.accepted", "member.added"] {
            assert_eq!(world.count_events(kind).await, 1, "{kind}");
        }
        let sent = world.events_of("invitation.sent").await;
        assert_eq!(sent, [json!({ "roles": ["ADMIN", "TRANSLATOR"] })]);
    }
}

#[tokio::test]
async fn inviting_again_renews_and_the_answer_does_not_tell_who_has_an_account() {
    for world in World::each().await {
        let acme = world.organization("acme").await;
        let anna = world.org_admin("anna", "acme").await;
        world.user("ada").await;
        world.member("mia", acme).await;
        let acme = org_id(acme);
        let ask = |name: &'static str| {
            let list = json!([{ "email": format!("{name}@example.org") }]);
            let (anna, acme) = (anna.clone(), acme.clone());
            async move { invite(&anna, &acme, list).await }
        };
        let (known, unknown, member) = (ask("ada").await, ask("nil").await, ask("mia").await);
        let shape = |answer: &Answer, name: &str| {
            let id = answer.ok("/inviteMembers/invitations/0/id");
            answer.text.replace(id.as_str().unwrap_or("?"), "ID").replace(name, "NAME")
        };
        assert_eq!(shape(&known, "ada"), shape(&unknown, "nil"));
        assert_eq!(shape(&known, "ada"), shape(&member, "mia"));
        let first = world.invitation_of("nil@example.org").await;
        world.pass(Duration::from_hours(8 * 24));
        let anna = world.logged_in("anna", crate::support::PASSWORD).await;
        let query = "query ($token: String!) { invitation(token: $token) { status email organization { code } roles { code } } }";
        let asked = world.anonymous().run_with(query, json!({ "token": first })).await.ok("/invitation");
        assert_eq!((&asked["status"], &asked["organization"]["code"]), (&json!("EXPIRED"), &json!("acme")));
        assert_eq!(
            decline(&world.anonymous(), &first).await.faults("declineInvitation"),
            ["EXPIRED at [token]"]
        );
        let list = json!([{ "email": "NIL@example.org", "roleCodes": ["SCHOLAR"] }]);
        let renewed = invite(&anna, &acme, list).await.ok("/inviteMembers/invitations/0");
        assert_eq!(renewed["id"], unknown.ok("/inviteMembers/invitations/0/id"));
        assert_eq!(
            (&renewed["status"], &renewed["roles"]),
            (&json!("PENDING"), &json!([{ "code": "SCHOLAR" }]))
        );
        let gone = world.anonymous().run_with(query, json!({ "token": first })).await;
        assert!(gone.ok("/invitation").is_null(), "the old link has ended");
        let second = world.invitation_of("nil@example.org").await;
        let again = change(&anna, "resend", &renewed["id"]).await;
        assert_eq!(again.ok("/resendInvitation/invitation/status"), "PENDING");
        let token = world.invitation_of("nil@example.org").await;
        assert_eq!(
            decline(&world.anonymous(), &second).await.faults("declineInvitation"),
            ["WRONG_CODE at [token]"]
        );
        assert_eq!(
            change(&anna, "revoke", &renewed["id"]).await.ok("/revokeInvitation/invitation/status"),
            "REVOKED"
        );
        assert_eq!(
            decline(&world.anonymous(), &token).await.faults("declineInvitation"),
            ["EXPIRED at [token]"]
        );
        for what in ["revoke", "resend"] {
            let answer = change(&anna, what, &renewed["id"]).await;
            assert_eq!(answer.faults(&format!("{what}Invitation")), ["ALREADY_USED at [invitationId]"]);
        }
    }
}

#[tokio::test]
async fn faults_of_inviting_come_at_once_and_tenants_stay_apart() {
    for world in World::each().await {
        let (acme, other) = (world.organization("acme").await, world.organization("other").await);
        let anna = world.org_admin("anna", "acme").await;
        let mia = world.member("mia", acme).await;
        let oscar = world.org_admin("oscar", "other").await;
        world.pass(Duration::from_secs(2));
        let list = json!([
            { "email": "nonsense" },
            { "email": "ada@example.org", "roleCodes": ["SUPERADMIN", "NOTHING"] },
            { "email": "ADA@example.org" },
        ]);
        let faults = [
            "INVALID at [invitees.0.email]",
            "NOT_ALLOWED at [invitees.1.roleCodes.0]",
            "NOT_FOUND at [invitees.1.roleCodes.1]",
            "TAKEN at [invitees.2.email]",
        ];
        assert_eq!(invite(&anna, &org_id(acme), list).await.faults("inviteMembers"), faults);
        let many: Vec<_> = (0..101).map(|n| json!({ "email": format!("a{n}@example.org") })).collect();
        assert_eq!(
            invite(&anna, &org_id(acme), json!(many)).await.faults("inviteMembers"),
            ["TOO_MANY_ITEMS at [invitees]"]
        );
        let one = json!([{ "email": "ada@example.org" }]);
        assert_eq!(
            invite(&anna, &org_id(other), one.clone()).await.faults("inviteMembers"),
            ["NOT_FOUND at [organizationId]"]
        );
        assert_eq!(invite(&mia, &org_id(acme), one.clone()).await.codes(), ["FORBIDDEN"]);

        let id = invite(&anna, &org_id(acme), one).await.ok("/inviteMembers/invitations/0/id");
        for what in ["resend", "revoke"] {
            let answer = change(&oscar, what, &id).await;
            assert_eq!(answer.faults(&format!("{what}Invitation")), ["NOT_FOUND at [invitationId]"]);
            assert_eq!(change(&mia, what, &id).await.codes(), ["FORBIDDEN"]);
        }
        let node = "query ($id: ID!, $org: ID!) { node(id: $id) { id } organization(by: { id: $org }) {
            invitations { totalCount edges { node { email } } } } }";
        let variables = json!({ "id": id, "org": org_id(acme) });
        let seen = anna.run_with(node, variables.clone()).await.ok("");
        assert_eq!(
            (&seen["node"]["id"], &seen["organization"]["invitations"]["totalCount"]),
            (&id, &json!(1))
        );
        assert!(oscar.run_with(node, variables.clone()).await.data("/node").is_null());
        let refused = mia.run_with(node, variables.clone()).await;
        assert_eq!((refused.codes(), refused.data("/node")), (vec!["FORBIDDEN".to_owned()], Value::Null));
        let ada = world.user("ada").await;
        assert_eq!(ada.run_with(node, variables).await.data("/node/id"), id, "it is to her address");
    }
}

#[tokio::test]
async fn the_page_of_an_invitation_uses_nothing_up_and_its_button_declines() {
    for world in World::each().await {
        let acme = org_id(world.organization("acme").await);
        let anna = world.org_admin("anna", "acme").await;
        invite(&anna, &acme, json!([{ "email": "ada@example.org" }])).await.ok("");
        let token = world.invitation_of("ada@example.org").await;
        for _ in 0..2 {
            let page = world.anonymous().get(&format!("/invitation?token={token}")).await;
            assert!(page.status == 200 && page.text.contains("The organisation acme"), "{}", page.text);
            assert!(page.text.contains("Decline") && !page.text.contains("<script"));
        }
        let stranger = world.anonymous().get("/invitation?token=%22%3E%3Cscript%3E").await;
        assert!(stranger.status == 200 && !stranger.text.contains("<script"), "{}", stranger.text);
        let press = || {
            let form = Request::post("/invitation")
                .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
            let request = form.body(Body::from(format!("token={token}"))).expect("a request");
            let client = world.anonymous();
            async move { client.send(request).await.status }
        };
        assert_eq!((press().await, press().await), (200.try_into().unwrap(), 422.try_into().unwrap()));
        let ada = world.user("ada").await;
        assert_eq!(accept(&ada, &token).await.faults("acceptInvitation"), ["ALREADY_USED at [token]"]);
        assert_eq!(world.count_events("invitation.declined").await, 1);
    }
}

#[tokio::test]
async fn a_hundred_invitations_cost_as_many_statements_as_one() {
    for world in World::each().await {
        let acme = org_id(world.organization("acme").await);
        let anna = world.org_admin("anna", "acme").await;
        let some = |from: usize, count: usize| {
            json!(
                (from..from + count)
                    .map(|n| json!({ "email": format!("a{n}@example.org") }))
                    .collect::<Vec<_>>()
            )
        };
        invite(&anna, &acme, some(0, 1)).await.ok("");
        let (_, one) = world.statements(invite(&anna, &acme, some(1, 1))).await;
        let (answer, hundred) = world.statements(invite(&anna, &acme, some(2, 100))).await;
        assert_eq!(answer.faults("inviteMembers"), NONE);
        assert_eq!(one, hundred, "on {:?}", world.backend);
    }
}
