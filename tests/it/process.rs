//! The real binary: what survives being killed, and how it stops.

use std::{fs, io::Write as _, net::TcpStream, time::Duration};

use serde_json::Value;

use crate::support::{
    postgres,
    process::{Running, run},
};

const SECRET: &str = "dGhpcyBpcyB0aGUgc2VjcmV0IG9mIHRoZSB0ZXN0cyAwMQ==";

fn register(name: &str) -> String {
    format!(
        "mutation {{ registerUser(input: {{ userName: \"{name}\", email: \"{name}@example.org\", \
         password: \"tinte kanne wolke\" }}) {{ delivery {{ channel }} errors {{ code }} }} }}"
    )
}

const LOGIN: &str = "mutation { login(input: { identifier: \"admin\", password: \"seven lanterns on a bridge\" }) { tokens { accessToken } } }";

/// Registers users from several threads until the service is killed under them; says which were acknowledged.
fn register_until_killed(service: &Running) -> Vec<String> {
    let (told, acknowledged) = std::sync::mpsc::channel();
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let told = told.clone();
            scope.spawn(move || {
                for number in 0..1_000 {
                    let name = format!("user-{thread}-{number}");
                    match service.graphql(&register(&name)) {
                        Some(answer) if answer["data"]["registerUser"]["delivery"].is_object() => {
                            let _ = told.send(name);
                        }
                        _ => return,
                    }
                }
            });
        }
        // In the middle of it, not after a time: the machine may be slow.
        let first: Vec<String> = acknowledged.iter().take(25).collect();
        let killed = std::process::Command::new("kill").args(["-9", &service.id().to_string()]).status();
        assert!(killed.is_ok_and(|status| status.success()));
        drop(told);
        first.into_iter().chain(acknowledged.iter()).collect()
    })
}

fn kill_loses_nothing(variables: &[(&str, &str)]) {
    let folder = tempfile::tempdir().expect("a folder");
    let acknowledged = register_until_killed(&Running::start(folder.path(), variables));
    let service = Running::start(folder.path(), variables);
    let token = service.graphql(LOGIN).expect("an answer")["data"]["login"]["tokens"]["accessToken"].clone();
    let token = token.as_str().expect("the administrator is still there");
    for name in &acknowledged {
        let query = serde_json::json!({ "query": format!("{{ user(by: {{ userName: \"{name}\" }}) {{ status email }} }}") }).to_string();
        let request = format!(
            "POST /graphql HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {token}\r\ncontent-type: application/json\r\n\
             content-length: {}\r\nconnection: close\r\n\r\n{query}",
            query.len()
        );
        let answer = service.exchange(request.as_bytes()).expect("an answer");
        assert!(answer.contains("\"UNVERIFIED\""), "{name} was acknowledged and is lost: {answer}");
    }
    drop(service);
    let url =
        variables.iter().find(|(name, _)| *name == "DENIZEN_DATABASE_URL").map(|(_, url)| (*url).to_owned());
    let url = url.unwrap_or_else(|| format!("sqlite://{}", folder.path().join("data/denizen.db").display()));
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    std::thread::scope(|scope| scope.spawn(|| runtime.block_on(nothing_is_left_half_done(&url))).join())
        .expect("the database is sound");
}

/// Each account has its password, its code and its mail; each mail that waits has its job: they were one transaction.
async fn nothing_is_left_half_done(url: &str) {
    use entity::{NotificationState, job, notification, one_time_code, password, user};
    use sea_orm::{ColumnTrait as _, EntityTrait as _, PaginatorTrait as _, QueryFilter as _};
    let db = sea_orm::Database::connect(url).await.expect("the database");
    let users = user::Entity::find().count(&db).await.expect("users");
    assert_eq!(password::Entity::find().count(&db).await.expect("passwords"), users);
    assert_eq!(
        one_time_code::Entity::find().count(&db).await.expect("codes"),
        users - 1,
        "all but the administrator's"
    );
    assert_eq!(notification::Entity::find().count(&db).await.expect("mails"), users - 1);
    let waiting = notification::Entity::find()
        .filter(notification::Column::State.eq(NotificationState::Pending))
        .all(&db)
        .await;
    let jobs: Vec<String> =
        job::Entity::find().all(&db).await.expect("jobs").iter().map(|job| job.payload.to_string()).collect();
    for mail in waiting.expect("mails") {
        assert!(jobs.iter().any(|job| job.contains(&mail.id.to_string())), "a mail without a job");
    }
}

#[test]
fn kill_loses_nothing_acknowledged_on_sqlite() {
    kill_loses_nothing(&[("DENIZEN_ADMIN_PASSWORD", "seven lanterns on a bridge")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn kill_loses_nothing_acknowledged_on_postgres() {
    let cluster = postgres::cluster();
    cluster.create_database("killed", None).await;
    let url = cluster.url("killed");
    let variables = [
        ("DENIZEN_ADMIN_PASSWORD", "seven lanterns on a bridge"),
        ("DENIZEN_DATABASE_URL", &*url),
        ("DENIZEN_SECRET", SECRET),
    ];
    tokio::task::block_in_place(|| kill_loses_nothing(&variables));
}

#[test]
fn sigterm_lets_requests_finish_and_exits_soon() {
    let folder = tempfile::tempdir().expect("a folder");
    let service = Running::start(folder.path(), &[]);
    // A client that has begun a request and does not go on must not hold the exit up.
    let mut slow = TcpStream::connect(service.address).expect("a connection");
    slow.write_all(b"POST /graphql HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{")
        .expect("half a request");
    let (took, well) = service.terminate();
    assert!(well && took < Duration::from_secs(10), "{took:?}");
}

#[test]
fn the_made_up_password_is_shown_once_and_stands_in_no_log() {
    let folder = tempfile::tempdir().expect("a folder");
    let log = fs::File::create(folder.path().join("log")).expect("a file");
    let mut child =
        crate::support::process::denizen(folder.path(), &["serve"], &[("DENIZEN_LOG_FORMAT", "json")])
            .env("DENIZEN_LISTEN", format!("127.0.0.1:{}", crate::support::process::free_port()))
            .env("DENIZEN_BCRYPT_COST", "4")
            .stdout(std::process::Stdio::piped())
            .stderr(log)
            .spawn()
            .expect("the service");
    let mut shown = String::new();
    let mut lines =
        std::io::BufRead::lines(std::io::BufReader::new(child.stdout.take().expect("its console")));
    while let Some(Ok(line)) = lines.next() {
        if let Some((_, rest)) = line.split_once("shown this once:  admin  ") {
            shown = rest.trim().to_owned();
            break;
        }
    }
    child.kill().expect("a kill");
    child.wait().expect("a status");
    assert_eq!(shown.len(), 20, "{shown:?}");
    let log = fs::read_to_string(folder.path().join("log")).expect("the log");
    assert!(!log.contains(&shown));
    for line in log.lines() {
        assert!(
            serde_json::from_str::<Value>(line).is_ok_and(|line| line.is_object()),
            "one JSON object a line: {line}"
        );
    }
}

#[test]
fn the_command_line_says_what_it_can() {
    let folder = tempfile::tempdir().expect("a folder");
    let help = run(folder.path(), &["serve", "--help"], &[]);
    let help = String::from_utf8_lossy(&help.stdout).into_owned();
    for name in
        ["DENIZEN_MODE", "DENIZEN_LISTEN", "DENIZEN_DATABASE_URL", "DENIZEN_SECRET", "DENIZEN_SMTP_URL"]
    {
        assert!(help.contains(name), "{name} is missing in the help");
    }
    let schema = run(folder.path(), &["schema"], &[]);
    assert_eq!(String::from_utf8_lossy(&schema.stdout), include_str!("../../schema.graphql"));
}
