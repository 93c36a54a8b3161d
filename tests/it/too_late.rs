//! What was proved with an old password opens nothing once there is a new one, however long proving took.

use std::{sync::Arc, time::Duration};

use denizen::{
    authz::{Actor, SignedIn},
    context::Ctx,
    domain::{
        credentials::proofs,
        sessions::{
            entering::{self, Entering, How},
            live,
        },
    },
    error::{Error, ErrorCode},
};
use entity::{session, user};
use sea_orm::{ColumnTrait as _, EntityTrait as _, QueryFilter as _};
use serde_json::json;

use crate::support::{PASSWORD, World, token_and_code};

const NEW: &str = "seven umbrellas in may";

async fn reset(world: &World, name: &str) {
    let ask =
        format!("mutation {{ forgotPassword(input: {{ identifier: \"{name}\" }}) {{ errors {{ code }} }} }}");
    assert_eq!(world.anonymous().run(&ask).await.faults("forgotPassword"), [""; 0]);
    let mails = world.mails_to(&format!("{name}@example.org")).await;
    let mail = mails.iter().find(|mail| mail.subject == "Set a new password").expect("a mail");
    let (token, _) = token_and_code(mail);
    let document =
        "mutation ($input: ResetPasswordInput!) { resetPassword(input: $input) { errors { code path } } }";
    let input = json!({ "input": { "token": token, "newPassword": NEW } });
    assert_eq!(world.anonymous().run_with(document, input).await.faults("resetPassword"), [""; 0]);
}

fn refused_with(error: &Error) -> Option<ErrorCode> {
    match error {
        Error::Faults(faults) => faults.first().map(|fault| fault.code),
        Error::Refused { code, .. } => Some(*code),
        _ => None,
    }
}

#[tokio::test]
async fn a_login_that_began_before_a_reset_opens_no_session_after_it() {
    for world in World::each().await {
        let ada = world.user("ada").await;
        let id = world.user_id(&ada).await;
        let ctx = world.system();
        let user = user::Entity::find_by_id(id).one(world.app.db.read()).await.unwrap().unwrap();
        let since = ctx.now();
        world.pass(Duration::from_millis(250));
        reset(&world, "ada").await;
        let application_id = world.app.default_application;
        let (device, how, device_token) = (None, How::Password, None);
        let entering = Entering { user, application_id, device, how, device_token, since };
        let refused = entering::enter(&ctx, entering).await.err().expect("it comes too late");
        assert_eq!(refused_with(&refused), Some(ErrorCode::WrongCredentials), "on {:?}", world.backend);
        let alive = session::Entity::find()
            .filter(session::Column::UserId.eq(id))
            .filter(session::Column::EndedAt.is_null());
        assert!(alive.all(world.app.db.read()).await.unwrap().is_empty());
        world.logged_in("ada", NEW).await;
    }
}

#[tokio::test]
async fn what_was_confirmed_with_the_old_password_is_not_done_after_a_reset() {
    for world in World::each().await {
        let ada = world.user("ada").await;
        let id = world.user_id(&ada).await;
        let session = session::Entity::find()
            .filter(session::Column::UserId.eq(id))
            .one(world.app.db.read())
            .await
            .unwrap()
            .unwrap();
        let signed_in: Arc<SignedIn> =
            live::find(&world.app, session.id, id).await.unwrap().expect("signed in");
        let ctx: Ctx = world.system().acting_as(Actor::User(signed_in));
        let confirmed = proofs::confirm(&ctx, Some(PASSWORD), None).await.expect("the right password");
        reset(&world, "ada").await;
        let txn = world.app.db.begin().await.unwrap();
        let refused = confirmed.spend(&txn, &ctx).await.expect_err("the session has ended");
        assert_eq!(refused_with(&refused), Some(ErrorCode::Unauthenticated), "on {:?}", world.backend);
    }
}
