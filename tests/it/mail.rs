//! Mail over real SMTP, and what becomes of it when the mail server misbehaves.

use std::time::Duration;

use denizen::{domain::events::jobs, worker};
use entity::{NotificationState, job, notification};
use sea_orm::EntityTrait as _;
use serde_json::json;

use crate::support::{
    ADMIN_PASSWORD, World,
    smtp::{Answers, Smtp},
};

async fn notifications(world: &World) -> Vec<notification::Model> {
    notification::Entity::find().all(world.app.db.read()).await.expect("notifications")
}

#[tokio::test]
async fn a_registration_sends_a_real_mail_and_wipes_what_it_carried() {
    for world in World::each().await {
        let smtp = Smtp::start().await;
        let world = World::with(
            world.backend,
            &["--smtp-url", &smtp.url(), "--mail-from", "Denizen <id@denizen.test>"],
        )
        .await;
        world.register("ada").await;
        let waiting = notifications(&world).await;
        let sealed = waiting[0].sealed.clone().expect("it is sealed").0;
        assert!(
            !String::from_utf8_lossy(&sealed).contains("ada@example.org"),
            "a dump of the database tells nothing"
        );
        worker::drain(&world.app).await.expect("the jobs");
        let mail = smtp.next().await;
        assert_eq!((mail.from.as_str(), mail.to.join(" ").as_str()), ("id@denizen.test", "ada@example.org"));
        let text = mail.text();
        let token =
            text.split("http://denizen.test/verify?token=").nth(1).expect("a link under the public URL");
        let token: String = token.chars().take_while(|c| !c.is_whitespace()).collect();
        assert_eq!(world.verify_by_token(&token).await.faults("verifyUser"), [""; 0]);
        let sent =
            notifications(&world).await.into_iter().find(|row| row.template == "verify_email").expect("it");
        assert_eq!((sent.state, sent.sealed), (NotificationState::Sent, None));
    }
}

#[tokio::test]
async fn a_mail_server_that_refuses_is_tried_again_later_with_the_same_id() {
    for world in World::each().await {
        let smtp = Smtp::start().await;
        let world = World::with(world.backend, &["--smtp-url", &smtp.url()]).await;
        smtp.answer(Answers::RefuseForNow);
        world.register("ada").await;
        assert_eq!(worker::drain(&world.app).await.expect("the jobs"), 1);
        assert_eq!(worker::drain(&world.app).await.expect("the jobs"), 0, "not at once");
        assert_eq!(jobs::counts(&world.app).await.expect("counts"), (1, 0));
        smtp.answer(Answers::Accept);
        world.pass(Duration::from_mins(1));
        assert_eq!(worker::drain(&world.app).await.expect("the jobs"), 1);
        let mail = smtp.next().await;
        let id = notifications(&world).await[0].id.to_string();
        assert!(mail.header("Message-ID").is_some_and(|header| header.contains(&id)), "{}", mail.data);
        assert_eq!(jobs::counts(&world.app).await.expect("counts"), (0, 0));
    }
}

#[tokio::test]
async fn a_mail_that_never_goes_is_kept_visibly() {
    for world in World::each().await {
        let smtp = Smtp::start().await;
        let world = World::with(world.backend, &["--smtp-url", &smtp.url()]).await;
        smtp.answer(Answers::RefuseForGood);
        world.register("ada").await;
        for _ in 0..14 {
            assert_eq!(worker::drain(&world.app).await.expect("the jobs"), 1);
            world.pass(Duration::from_hours(7));
        }
        assert_eq!(worker::drain(&world.app).await.expect("the jobs"), 0);
        assert_eq!(jobs::counts(&world.app).await.expect("counts"), (0, 1));
        assert_eq!(notifications(&world).await[0].state, NotificationState::Failed);
        let metrics = world.anonymous().get("/metrics").await.text;
        assert!(metrics.contains("denizen_jobs{state=\"dead\"} 1"), "{metrics}");
    }
}

#[tokio::test]
async fn a_mail_server_that_hangs_changes_no_answer() {
    for world in World::each().await {
        let smtp = Smtp::start().await;
        smtp.answer(Answers::Hang);
        let world = World::with(world.backend, &["--smtp-url", &smtp.url()]).await;
        let stop = tokio_util::sync::CancellationToken::new();
        let working = tokio::spawn(worker::run(world.app.clone(), stop.clone()));
        for name in ["ada", "bob", "carol"] {
            let answer =
                tokio::time::timeout(Duration::from_secs(5), world.register(name)).await.expect("an answer");
            assert_eq!(answer.faults("registerUser"), [""; 0]);
        }
        working.abort();
    }
}

#[tokio::test]
async fn two_workers_do_each_job_once() {
    for world in World::each().await {
        for name in ["ada", "bob", "carol", "dave"] {
            world.register(name).await;
        }
        let done = futures_util::future::join_all((0..4).map(|_| worker::drain(&world.app))).await;
        assert_eq!(done.into_iter().map(|done| done.expect("the jobs")).sum::<usize>(), 4);
        assert_eq!(world.mails().await.len(), 4);
    }
}

#[tokio::test]
async fn a_job_whose_worker_died_is_done_by_another() {
    for world in World::each().await {
        world.register("ada").await;
        let claimed =
            jobs::claim(&world.app, "a worker that dies", &[(jobs::Lane::Mail, 10)]).await.expect("a claim");
        assert_eq!(claimed.len(), 1);
        assert_eq!(worker::drain(&world.app).await.expect("the jobs"), 0, "it is claimed");
        world.pass(Duration::from_mins(2));
        assert_eq!(worker::drain(&world.app).await.expect("the jobs"), 1, "the claim has run out");
    }
}

/// The one job that is left, and why it failed.
async fn failed(world: &World) -> (job::JobState, Option<String>) {
    let row = job::Entity::find().one(world.app.db.read()).await.expect("jobs").expect("a job");
    (row.state, row.last_error)
}

#[tokio::test]
async fn an_address_that_the_mail_server_cannot_be_told_is_given_up_at_once() {
    for world in World::each().await {
        let smtp = Smtp::start().await;
        let world = World::with(world.backend, &["--smtp-url", &smtp.url()]).await;
        smtp.answer(Answers::AcceptAscii);
        let register = "mutation ($email: EmailAddress!) { registerUser(input: { email: $email, password: \"tinte kanne wolke\" }) {
            errors { code } } }";
        let anonymous = world.anonymous();
        anonymous.run_with(register, json!({ "email": "zoë@example.org" })).await.ok("/registerUser");
        assert_eq!(worker::drain(&world.app).await.expect("the jobs"), 1);
        assert_eq!(jobs::counts(&world.app).await.expect("counts"), (0, 1), "on {:?}", world.backend);
        let (state, reason) = failed(&world).await;
        assert_eq!(state, job::JobState::Dead);
        assert!(reason.as_ref().is_some_and(|reason| reason.contains("SMTPUTF8")), "{reason:?}");
        assert_eq!(notifications(&world).await[0].state, NotificationState::Failed);
        anonymous.run_with(register, json!({ "email": "zoe@example.org" })).await.ok("/registerUser");
        worker::drain(&world.app).await.expect("the jobs");
        assert_eq!(smtp.next().await.to, ["zoe@example.org"], "others are mailed to");
        let smtp = Smtp::start().await;
        let world = World::with(world.backend, &["--smtp-url", &smtp.url()]).await;
        let anonymous = world.anonymous();
        anonymous.run_with(register, json!({ "email": "zoë@example.org" })).await.ok("/registerUser");
        worker::drain(&world.app).await.expect("the jobs");
        assert_eq!(smtp.next().await.to, ["zoë@example.org"], "where the server offers it");
    }
}

#[tokio::test]
async fn a_mail_server_that_hangs_holds_up_no_text_message_and_no_other_job() {
    for world in World::each().await {
        let smtp = Smtp::start().await;
        smtp.answer(Answers::Hang);
        let world = World::with(world.backend, &["--smtp-url", &smtp.url()]).await;
        let root = world.superadmin().await;
        for number in 0..40 {
            assert_eq!(world.register(&format!("name{number}")).await.faults("registerUser"), [""; 0]);
        }
        let stop = tokio_util::sync::CancellationToken::new();
        let working = tokio::spawn(worker::run(world.app.clone(), stop.clone()));
        // All the mails that go at once are under way.
        let under_way = async {
            while smtp.connections() < 6 {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), under_way).await.expect("mails under way");
        let change = "mutation ($phone: PhoneNumber!, $password: String!) {
            changePhone(input: { newPhone: $phone, password: $password }) { errors { code path } } }";
        let input = json!({ "phone": "+491701234567", "password": ADMIN_PASSWORD });
        assert_eq!(root.run_with(change, input).await.faults("changePhone"), [""; 0]);
        let login = "mutation { requestOtp(input: { purpose: LOGIN, identifier: \"admin\" }) { errors { code path } } }";
        assert_eq!(world.anonymous().run(login).await.faults("requestOtp"), [""; 0]);
        let texts = world.app.texter.mailbox().expect("text messages of development").clone();
        let done = async {
            while texts.all().is_empty() || world.events_of("otp.sent").await.is_empty() {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), done).await.expect("a text message, and a code made");
        assert!(smtp.connections() < 16, "so many mails were under way: {}", smtp.connections());
        working.abort();
    }
}
