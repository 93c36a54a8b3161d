//! The people of the tests: strangers, users, administrators of an organisation, the super-administrator.

use entity::{event, event_target, grant, membership, organization, role};
use sea_orm::{
    ActiveModelTrait as _, ColumnTrait as _, EntityTrait as _, QueryFilter as _, QueryOrder as _, Set,
};
use serde_json::{Value, json};
use uuid::Uuid;

use denizen::{domain::notifications::channel::Delivered, ids};

use super::{Answer, Client, World, world};

pub const PASSWORD: &str = "tinte kanne wolke";

impl World {
    /// Registers `<name>@example.org` with the user name `<name>`.
    pub async fn register(&self, name: &str) -> Answer {
        let email = format!("{name}@example.org");
        let input = json!({ "userName": name, "email": email, "password": PASSWORD });
        self.anonymous()
            .run_with(
                "mutation ($input: RegisterUserInput!) { registerUser(input: $input) {
                   delivery { channel destination expiresAt retryAfterSeconds } registrationToken errors { code message path } } }",
                json!({ "input": input }),
            )
            .await
    }

    /// The newest verification mail to the address: its token and its code.
    pub async fn verification_of(&self, address: &str) -> (String, String) {
        let mails = self.mails_to(address).await;
        let mail = mails.iter().find(|mail| mail.subject == "Confirm your address");
        token_and_code(mail.unwrap_or_else(|| panic!("no verification mail to {address}")))
    }

    /// Somebody who has registered, verified and logged in.
    pub async fn user(&self, name: &str) -> Client {
        let registered = self.register(name).await;
        assert_eq!(registered.faults("registerUser"), [""; 0]);
        let (token, _) = self.verification_of(&format!("{name}@example.org")).await;
        assert_eq!(self.verify_by_token(&token).await.faults("verifyUser"), [""; 0]);
        self.logged_in(name, PASSWORD).await
    }

    /// By whoever registered: they know their password.
    pub async fn verify_by_token(&self, token: &str) -> Answer {
        self.verify(json!({ "token": token, "password": PASSWORD })).await
    }

    pub async fn verify_by_code(&self, user_name: &str, code: &str) -> Answer {
        self.verify(json!({ "userName": user_name, "code": code, "password": PASSWORD })).await
    }

    pub async fn verify(&self, input: Value) -> Answer {
        let document = "mutation ($input: VerifyUserInput!) { verifyUser(input: $input) {
            user { userName status email emailVerified } passwordToken errors { code message path } } }";
        self.anonymous().run_with(document, json!({ "input": input })).await
    }

    pub async fn login(&self, identifier: &str, password: &str) -> Answer {
        let document = "mutation ($identifier: String!, $password: String!) {
            login(input: { identifier: $identifier, password: $password, device: \"a test\" }) {
              user { id userName } session { id device current expiresAt }
              tokens { accessToken tokenType expiresAt refreshToken refreshExpiresAt }
              errors { code message path } } }";
        self.anonymous().run_with(document, json!({ "identifier": identifier, "password": password })).await
    }

    pub async fn logged_in(&self, identifier: &str, password: &str) -> Client {
        let answer = self.login(identifier, password).await;
        let token = answer.ok("/login/tokens/accessToken");
        self.anonymous().with_token(token.as_str().unwrap_or_else(|| panic!("no login: {}", answer.text)))
    }

    pub async fn superadmin(&self) -> Client {
        self.logged_in("admin", world::ADMIN_PASSWORD).await
    }

    /// Somebody with the role `ADMIN` in an organisation, which is made for them if there is none of that code.
    pub async fn org_admin(&self, name: &str, org_code: &str) -> Client {
        let client = self.user(name).await;
        let org = self.organization(org_code).await;
        let user = self.user_id(&client).await;
        self.join(user, org).await;
        self.grant(user, "ADMIN", Some(org)).await;
        // What the session knew of its grants is read anew.
        self.pass(std::time::Duration::from_secs(2));
        client
    }

    pub async fn user_id(&self, client: &Client) -> Uuid {
        let id = client.run("{ me { id } }").await.ok("/me/id");
        ids::decode_as(ids::Kind::User, id.as_str().unwrap_or_default()).expect("me has an id")
    }

    /// What the events of this type tell, in their order.
    pub async fn events_of(&self, kind: &str) -> Vec<Value> {
        let events =
            event::Entity::find().filter(event::Column::Kind.eq(kind)).order_by_asc(event::Column::Id);
        let events = events.all(self.app.db.read()).await.expect("events");
        events.into_iter().map(|event| event.data.unwrap_or_default()).collect()
    }

    /// How many events name this target.
    pub async fn targets(&self, id: &str) -> usize {
        let targets = event_target::Entity::find().filter(event_target::Column::TargetId.eq(id));
        targets.all(self.app.db.read()).await.expect("targets").len()
    }

    /// The organisation of this code: not listed, so that only its own may know of it.
    pub async fn organization(&self, code: &str) -> Uuid {
        let txn = self.app.db.begin().await.expect("a transaction");
        let found = organization::Entity::find()
            .filter(organization::Column::CodeKey.eq(code))
            .one(&*txn)
            .await
            .expect("organisations");
        if let Some(found) = found {
            return found.id;
        }
        let (id, now) = (self.system().new_id(), self.system().now());
        let row = organization::ActiveModel {
            id: Set(id),
            code: Set(code.to_owned()),
            code_key: Set(code.to_owned()),
            name: Set(Some(format!("The organisation {code}"))),
            description: Set(None),
            active: Set(true),
            listed: Set(false),
            self_registration: Set(false),
            created_at: Set(now),
            updated_at: Set(now),
        };
        row.insert(&*txn).await.expect("an organisation");
        txn.commit().await.expect("a commit");
        id
    }

    pub async fn join(&self, user_id: Uuid, organization_id: Uuid) {
        self.add_membership(user_id, organization_id, true).await;
    }

    /// A further organisation, beside the primary one.
    pub async fn join_also(&self, user_id: Uuid, organization_id: Uuid) {
        self.add_membership(user_id, organization_id, false).await;
    }

    async fn add_membership(&self, user_id: Uuid, organization_id: Uuid, is_primary: bool) {
        let txn = self.app.db.begin().await.expect("a transaction");
        let row = membership::ActiveModel {
            id: Set(self.system().new_id()),
            organization_id: Set(organization_id),
            user_id: Set(user_id),
            is_primary: Set(is_primary),
            joined_at: Set(self.system().now()),
        };
        row.insert(&*txn).await.expect("a membership");
        txn.commit().await.expect("a commit");
    }

    pub async fn grant(&self, user_id: Uuid, role_code: &str, organization_id: Option<Uuid>) {
        let txn = self.app.db.begin().await.expect("a transaction");
        let role =
            role::Entity::find().filter(role::Column::Code.eq(role_code)).one(&*txn).await.expect("roles");
        let row = grant::ActiveModel {
            id: Set(self.system().new_id()),
            user_id: Set(user_id),
            role_id: Set(role.expect("a built-in role").id),
            organization_id: Set(organization_id),
            granted_by: Set(None),
            created_at: Set(self.system().now()),
        };
        row.insert(&*txn).await.expect("a grant");
        txn.commit().await.expect("a commit");
    }
}

/// What stands behind `token=` in the mail, and its six digits.
pub fn token_and_code(mail: &Delivered) -> (String, String) {
    let (_, rest) = mail.text.split_once("token=").expect("a link in the mail");
    let token = rest.split_whitespace().next().unwrap_or_default().to_owned();
    let (_, rest) = mail.text.split_once("code: ").expect("a code in the mail");
    (token, rest.chars().take(6).collect())
}
