//! An invitation is worth what its sender may still give when it is accepted.

use denizen::ids::{self, Kind};
use serde_json::json;

use super::{
    NONE,
    invitations::{accept, change, invite},
    org_id, remove,
};
use crate::{
    roles::revoke,
    support::{Client, World},
};

/// Ways in which an administrator loses what they invited with.
#[derive(Clone, Copy, Debug)]
enum Loss {
    Removed,
    Demoted,
    Deactivated,
    Erased,
}

impl World {
    async fn lose(&self, root: &Client, anna: &Client, loss: Loss) {
        let acme = self.organization("acme").await;
        let anna = self.user_id(anna).await;
        let text = ids::encode(Kind::User, anna);
        let run = async |document: &str, field: &str| {
            assert_eq!(root.run_with(document, json!({ "id": text })).await.faults(field), NONE);
        };
        match loss {
            Loss::Removed => {
                assert_eq!(remove(root, &org_id(acme), &[text]).await.faults("removeMembers"), NONE);
            }
            Loss::Demoted => {
                assert_eq!(revoke(root, anna, &["ADMIN"], Some(acme)).await.faults("revokeRoles"), NONE);
            }
            Loss::Deactivated => {
                let document = "mutation ($id: ID!) { deactivateUsers(input: { userIds: [$id] }) { errors { code path } } }";
                run(document, "deactivateUsers").await;
            }
            Loss::Erased => {
                let document =
                    "mutation ($id: ID!) { deleteUser(input: { userId: $id }) { errors { code path } } }";
                run(document, "deleteUser").await;
            }
        }
    }
}

#[tokio::test]
async fn an_administrator_who_has_gone_does_not_come_back_by_an_invitation_of_their_own() {
    for world in World::each().await {
        let root = world.superadmin().await;
        let bert = world.org_admin("bert", "acme").await;
        let acme = org_id(world.organization("acme").await);
        for (number, loss) in
            [Loss::Removed, Loss::Demoted, Loss::Deactivated, Loss::Erased].into_iter().enumerate()
        {
            let anna = world.org_admin(&format!("anna{number}"), "acme").await;
            let (second, third) = (format!("second{number}"), format!("third{number}"));
            let list = json!([
                { "email": format!("{second}@example.org"), "roleCodes": ["ADMIN"] },
                { "email": format!("{third}@example.org") },
            ]);
            let sent = invite(&anna, &acme, list).await;
            let id = sent.ok("/inviteMembers/invitations/0/id");
            let elevated = world.invitation_of(&format!("{second}@example.org")).await;
            let plain = world.invitation_of(&format!("{third}@example.org")).await;
            let (second_client, third_client) = (world.user(&second).await, world.user(&third).await);
            world.lose(&root, &anna, loss).await;
            for (client, token) in [(&second_client, &elevated), (&third_client, &plain)] {
                let refused = accept(client, token).await.faults("acceptInvitation");
                assert_eq!(refused, ["EXPIRED at [token]"], "{loss:?}");
            }
            // Whoever may still give it sends it again, and then it is theirs.
            assert_eq!(change(&bert, "resend", &id).await.faults("resendInvitation"), NONE);
            let elevated = world.invitation_of(&format!("{second}@example.org")).await;
            assert_eq!(accept(&second_client, &elevated).await.faults("acceptInvitation"), NONE);
        }
    }
}

#[tokio::test]
async fn nor_does_one_who_had_registered_with_it_before() {
    for world in World::each().await {
        let root = world.superadmin().await;
        world.org_admin("bert", "acme").await;
        let anna = world.org_admin("anna", "acme").await;
        let acme = org_id(world.organization("acme").await);
        let list = json!([{ "email": "second@example.org", "roleCodes": ["ADMIN"] }, { "email": "third@example.org" }]);
        invite(&anna, &acme, list).await.ok("/inviteMembers/invitations/0");
        let register = async |name: &str| {
            let token = world.invitation_of(&format!("{name}@example.org")).await;
            let document =
                "mutation ($name: String!, $email: EmailAddress!, $token: String!) { registerUser(input: {
                userName: $name, email: $email, password: \"tinte kanne wolke\", invitationToken: $token
            }) { errors { code path } } }";
            let variables = json!({ "name": name, "email": format!("{name}@example.org"), "token": token });
            world.anonymous().run_with(document, variables).await.faults("registerUser")
        };
        assert_eq!(register("second").await, NONE);
        world.lose(&root, &anna, Loss::Removed).await;
        assert_eq!(register("third").await, ["EXPIRED at [invitationToken]"]);
        let (token, _) = world.verification_of("second@example.org").await;
        assert_eq!(world.verify_by_token(&token).await.faults("verifyUser"), NONE);
        let second = world.logged_in("second", "tinte kanne wolke").await;
        let me = second.run("{ me { organization { code } roles { code } } }").await.ok("/me");
        assert_eq!(
            me,
            json!({ "organization": null, "roles": [] }),
            "the account is there, the membership is not"
        );
    }
}
