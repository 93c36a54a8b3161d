//! How much is asked of the database by calls that name many things: as much as by one that names one.

use std::ops::Range;

use denizen::ids::{self, Kind};
use serde_json::{Value, json};

use crate::support::World;

/// One way of asking for many things at once, with `n` items of which no two calls share any.
struct Bulk {
    mutation: &'static str,
    document: &'static str,
    variables: fn(&People, Range<usize>) -> Value,
}

/// Who there is to do something to.
struct People {
    organization: String,
    users: Vec<String>,
}

impl People {
    fn each(&self, range: Range<usize>, item: impl Fn(usize, &str) -> Value) -> Value {
        range.map(|number| item(number, &self.users[number])).collect()
    }

    fn ids(&self, range: Range<usize>) -> Value {
        self.each(range, |_, id| json!(id))
    }
}

const BULK: &[Bulk] = &[
    Bulk {
        mutation: "registerUsers",
        document: "mutation ($list: [RegisterUserInput!]!) { registerUsers(input: { users: $list }) { errors { code path } } }",
        variables: |people, range| {
            let item = |number: usize, _: &str| {
                let invited = format!("r{number}@example.org");
                json!({ "userName": format!("new{number}"), "email": invited, "password": "tinte kanne wolke",
                        "orgCode": "open", "roleCodes": ["TRANSLATOR"] })
            };
            json!({ "list": people.each(range, item) })
        },
    },
    Bulk {
        mutation: "upsertOrganizations",
        document: "mutation ($list: [OrganizationInput!]!) { upsertOrganizations(input: { organizations: $list }) { errors { code path } } }",
        variables: |people, range| {
            let item = |number: usize, _: &str| json!({ "code": format!("new-{number}"), "active": true });
            json!({ "list": people.each(range, item) })
        },
    },
    Bulk {
        mutation: "upsertRoles",
        document: "mutation ($list: [RoleInput!]!) { upsertRoles(input: { roles: $list }) { errors { code path } } }",
        variables: |people, range| {
            let item = |number: usize, _: &str| json!({ "code": format!("NEW{number}") });
            json!({ "list": people.each(range, item) })
        },
    },
    Bulk {
        mutation: "upsertModels",
        document: "mutation ($list: [UpsertModelInput!]!) { upsertModels(input: { models: $list }) { errors { code path } } }",
        variables: |people, range| {
            let item = |number: usize, _: &str| json!({ "uuid": format!("m{number}"), "sourceLanguage": "de", "targetLanguage": "en" });
            json!({ "list": people.each(range, item) })
        },
    },
    Bulk {
        mutation: "inviteMembers",
        document: "mutation ($org: ID!, $list: [InviteeInput!]!) {
            inviteMembers(input: { organizationId: $org, invitees: $list }) { errors { code path } } }",
        variables: |people, range| {
            let item = |number: usize, _: &str| json!({ "email": format!("i{number}@example.org"), "roleCodes": ["TRANSLATOR"] });
            json!({ "org": people.organization, "list": people.each(range, item) })
        },
    },
    Bulk {
        mutation: "addMembers",
        document: "mutation ($org: ID!, $list: [MemberInput!]!) {
            addMembers(input: { organizationId: $org, members: $list }) { errors { code path } } }",
        variables: |people, range| {
            let item = |_: usize, id: &str| json!({ "userId": id, "roleCodes": ["TRANSLATOR", "ADMIN"] });
            json!({ "org": people.organization, "list": people.each(range, item) })
        },
    },
    Bulk {
        mutation: "deactivateUsers",
        document: "mutation ($ids: [ID!]!) { deactivateUsers(input: { userIds: $ids }) { errors { code path } } }",
        variables: |people, range| json!({ "ids": people.ids(range) }),
    },
    Bulk {
        mutation: "activateUsers",
        document: "mutation ($ids: [ID!]!) { activateUsers(input: { userIds: $ids }) { errors { code path } } }",
        variables: |people, range| json!({ "ids": people.ids(range) }),
    },
    Bulk {
        mutation: "removeMembers",
        document: "mutation ($org: ID!, $ids: [ID!]!) {
            removeMembers(input: { organizationId: $org, userIds: $ids }) { errors { code path } } }",
        variables: |people, range| json!({ "org": people.organization, "ids": people.ids(range) }),
    },
];

#[tokio::test]
async fn bulk_operations_take_a_constant_number_of_statements() {
    for world in World::each().await {
        let root = world.superadmin().await;
        world.org_admin("anna", "acme").await;
        let acme = world.organization("acme").await;
        let mut users = Vec::new();
        for number in 0..21 {
            let id = world.user_id(&world.user(&format!("user{number}")).await).await;
            users.push(ids::encode(Kind::User, id));
        }
        let people = People { organization: ids::encode(Kind::Organization, acme), users };
        let open = "mutation { upsertOrganizations(input: { organizations: [{ code: \"open\", active: true,
            selfRegistration: true }] }) { errors { code } } }";
        assert_eq!(root.run(open).await.faults("upsertOrganizations"), [""; 0]);
        for bulk in BULK {
            let ask = |range| root.run_with(bulk.document, (bulk.variables)(&people, range));
            let (answer, one) = world.statements(ask(0..1)).await;
            assert_eq!(answer.faults(bulk.mutation), [""; 0], "{}", bulk.mutation);
            let (answer, twenty) = world.statements(ask(1..21)).await;
            assert_eq!(answer.faults(bulk.mutation), [""; 0], "{}", bulk.mutation);
            assert_eq!(twenty, one, "{} on {:?}", bulk.mutation, world.backend);
        }
        for mutation in ["grantRoles", "revokeRoles"] {
            let input = if mutation == "grantRoles" { "GrantRolesInput" } else { "RevokeRolesInput" };
            let document = format!(
                "mutation ($input: {input}!) {{ {mutation}(input: $input) {{ errors {{ code path }} }} }}"
            );
            let codes = |range: Range<usize>| range.map(|number| format!("NEW{number}")).collect::<Vec<_>>();
            let anna = world.logged_in("anna", crate::support::PASSWORD).await;
            let anna = ids::encode(Kind::User, world.user_id(&anna).await);
            let ask = |range| {
                let input = json!({ "userId": anna, "organizationId": people.organization, "roleCodes": codes(range) });
                root.run_with(&document, json!({ "input": input }))
            };
            let (answer, one) = world.statements(async { ask(0..1).await }).await;
            assert_eq!(answer.faults(mutation), [""; 0]);
            let (answer, twenty) = world.statements(async { ask(1..21).await }).await;
            assert_eq!((answer.faults(mutation), twenty), (vec![], one), "{mutation} on {:?}", world.backend);
        }
    }
}

#[tokio::test]
async fn a_thousand_entities_take_a_statement_for_each_of_their_types() {
    for world in World::each().await {
        let root = world.superadmin().await;
        let models = json!([{ "uuid": "m1", "sourceLanguage": "de", "targetLanguage": "en" }]);
        let document = "mutation ($list: [UpsertModelInput!]!) { upsertModels(input: { models: $list }) { models { id } } }";
        let made = root.run_with(document, json!({ "list": models })).await;
        let model = made.ok("/upsertModels/models/0/id");
        let document = "query ($r: [_Any!]!) { _entities(representations: $r) { __typename } }";
        let ask = |times: usize| {
            let each = [
                json!({ "__typename": "Role", "code": "translator" }),
                json!({ "__typename": "Role", "id": ids::encode(Kind::Role, uuid::Uuid::nil()) }),
                json!({ "__typename": "Model", "id": model }),
                json!({ "__typename": "User", "userName": "admin" }),
            ];
            let all: Vec<_> = each.iter().cycle().take(4 * times).cloned().collect();
            root.run_with(document, json!({ "r": all }))
        };
        ask(1).await.ok("/_entities");
        let (_, few) = world.statements(async { ask(1).await }).await;
        let (answer, many) = world.statements(async { ask(250).await }).await;
        assert_eq!(answer.ok("/_entities/998/__typename"), "Model");
        assert_eq!(answer.ok("/_entities/996/__typename"), "Role");
        assert_eq!(many, few, "on {:?}", world.backend);
        assert!(many <= 4, "roles by code, roles by id, models, users: {many}");
    }
}
