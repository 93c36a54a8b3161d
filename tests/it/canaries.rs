//! No setting that is a secret shows itself: not in an error, not in the log at any level, not in the help or an answer.
//!
//! The settings are those of the command line's own definition, so a new one is looked at without being named here. A
//! secret is a setting whose value the help hides.

use std::{fs, io::Read as _, path::Path, process::Output};

use clap::{Args as _, Command};
use denizen::config::Config;

use crate::support::{
    postgres,
    process::{self, Running},
};

/// In small letters, as hosts are written; with a sign that addresses encode.
const CANARY: &str = "hush9q!x";
const ENCODED: &str = "hush9q%21x";
const TRACE: &str = "hush9q";

struct Setting {
    flag: String,
    variable: String,
    key: String,
    secret: bool,
}

fn settings() -> Vec<Setting> {
    let command = Config::augment_args(Command::new("denizen"));
    let all = command.get_arguments().filter_map(|arg| {
        Some(Setting {
            flag: format!("--{}", arg.get_long()?),
            variable: arg.get_env()?.to_str()?.to_owned(),
            key: arg.get_id().to_string(),
            secret: arg.is_hide_env_values_set(),
        })
    });
    all.collect()
}

/// The canary as a password in addresses, whole and broken: no setting may repeat these.
fn in_addresses() -> Vec<String> {
    let mut all = Vec::new();
    for canary in [CANARY, ENCODED] {
        for scheme in ["postgres", "smtp", "smtps", "https", "mysql", "sqlite"] {
            all.push(format!("{scheme}://ada:{canary}@127.0.0.1:1/people"));
            all.push(format!("{scheme}://ada:{canary}@127.0.0.1:port/people"));
        }
        for broken in ["1/2", "1?2", "1#2", "1@2", "%zz"] {
            all.push(format!("postgres://ada:{broken}{canary}@127.0.0.1:1/people"));
            all.push(format!("smtp://ada:{broken}{canary}@127.0.0.1:1"));
        }
    }
    all
}

/// The canary as the whole value or where only a secret setting has it.
fn as_a_whole() -> Vec<String> {
    vec![
        CANARY.to_owned(),
        format!("{TRACE}Zk38sQm2Vb9xLr0TfYp6WdJhNc4GaUeKiOoSy1"),
        format!("postgres://127.0.0.1:1/people?user=ada&password={ENCODED}"),
        format!("postgres://127.0.0.1:1/people?pasword={ENCODED}"),
        format!("postgres://ada@127.0.0.1:1/people?sslmode={TRACE}"),
        format!("smtp://ada@127.0.0.1:1?tls={TRACE}"),
    ]
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn assert_silent(said: &str, what: &str) {
    assert!(!said.to_ascii_lowercase().contains(TRACE), "{what} tells a secret:\n{said}");
}

/// The setting that is judged last: when it is refused, every other one was read.
const LAST: &str = "DENIZEN_LOG_FORMAT";

/// What takes a text that looks like an address with a password in it.
const TAKERS: [&str; 6] = [
    "DENIZEN_ADMIN_EMAIL",
    "DENIZEN_ADMIN_PASSWORD",
    "DENIZEN_DATABASE_URL",
    "DENIZEN_LOG",
    "DENIZEN_ROUTER_SECRET",
    "DENIZEN_SMTP_URL",
];

/// Nothing here reaches a database: what is well-formed elsewhere is refused by the broken setting beside it.
fn parse(folder: &Path, command: &[&str], variables: &[(&str, &str)]) -> String {
    let mut all = vec![("DENIZEN_LOG", "trace"), (LAST, "never")];
    all.retain(|(name, _)| variables.iter().all(|(other, _)| other != name));
    all.extend_from_slice(variables);
    said(&process::run(folder, command, &all))
}

/// The same for settings in the file, which are judged after all variables.
fn parse_file(folder: &Path, text: &str) -> String {
    fs::write(folder.join("denizen.toml"), format!("log_format = \"never\"\n{text}")).expect("a file");
    let told = said(&process::run(folder, &["export"], &[("DENIZEN_LOG", "trace")]));
    fs::remove_file(folder.join("denizen.toml")).expect("no file");
    told
}

fn names(told: &str, variable: &str) -> bool {
    told.contains(&format!("({variable}) is wrong: "))
}

#[test]
fn no_setting_repeats_a_password_in_an_address() {
    let folder = tempfile::tempdir().expect("a folder");
    let settings = settings();
    assert!(settings.len() > 30, "the settings were not found");
    assert_eq!(
        settings.last().map(|last| last.variable.as_str()),
        Some(LAST),
        "what comes behind is not read"
    );
    for Setting { variable, .. } in &settings {
        for value in in_addresses().into_iter().step_by(5) {
            let told = parse(folder.path(), &["migrate"], &[(variable, &value)]);
            let taken = TAKERS.contains(&variable.as_str()) && names(&told, LAST);
            assert!(names(&told, variable) || taken, "{variable}={value} was not judged:\n{told}");
            assert_silent(&told, &format!("{variable}={value}"));
        }
    }
}

#[test]
fn no_secret_setting_repeats_its_value_wherever_it_stands() {
    let folder = tempfile::tempdir().expect("a folder");
    let secrets: Vec<_> = settings().into_iter().filter(|setting| setting.secret).collect();
    let keys: Vec<_> = secrets.iter().map(|setting| setting.key.as_str()).collect();
    for known in ["database_url", "secret", "router_secret", "smtp_url", "admin_password"] {
        assert!(keys.contains(&known), "{known} is a secret: its value is to be hidden in the help");
    }
    let commands = [&["serve"][..], &["doctor"], &["keys", "list"], &["admin", "create"], &["health"]];
    for Setting { flag, variable, key, .. } in &secrets {
        let values = as_a_whole().into_iter().chain(in_addresses().into_iter().step_by(5));
        for (number, value) in values.enumerate() {
            let mut flags = commands[number % commands.len()].to_vec();
            flags.extend([flag.as_str(), &value]);
            let judged = |told: &str, what: &str| {
                assert_silent(told, what);
                assert!(names(told, variable) || names(told, LAST), "{what} was not judged:\n{told}");
            };
            judged(&parse(folder.path(), &flags, &[]), &format!("{flags:?}"));
            judged(&parse(folder.path(), &["serve"], &[(variable, &value)]), variable);
            let text = format!("{key} = {value:?}\n");
            judged(&parse_file(folder.path(), &text), &text);
            for text in [format!("{key} = \"{value}\n"), format!("{key} = {value}\n")] {
                let told = parse_file(folder.path(), &text);
                assert_silent(&told, &text);
                assert!(told.contains("is not TOML"), "{told}");
            }
        }
    }
}

#[test]
fn a_secret_where_none_belongs_is_not_repeated() {
    let folder = tempfile::tempdir().expect("a folder");
    let address = format!("postgres://ada:{CANARY}@db.example/people");
    let misspelt = format!("--database-ulr={address}");
    for arguments in [
        &["serve", address.as_str()][..],
        &["serve", &misspelt],
        &["serve", "--database-ulr", &address],
        &["serve", "--router-secret", "two", CANARY],
        &[&address],
        &["keys", &address],
        &["import", "a.csv", &address],
        &["import", &misspelt],
        &["serve", "--mode", &address],
        &["schema", "--federation", &address],
    ] {
        let told = parse(folder.path(), arguments, &[]);
        assert!(!told.is_empty());
        assert_silent(&told, &format!("{arguments:?}"));
    }
    let variables = [("DENIZEN_PUBLIC_URL", &*format!("https://ada:{CANARY}@id.example.org"))];
    assert_silent(&parse(folder.path(), &["serve", "--help"], &variables), "the help");
}

/// The address of the tests' own PostgreSQL, as another user and of another database.
fn elsewhere(url: &str, user: &str, database: &str) -> String {
    let mut url = url::Url::parse(url).expect("an address");
    url.set_username(user).expect("a user");
    url.set_password(Some(CANARY)).expect("a password");
    url.set_path(database);
    url.into()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_refuses_is_named_without_its_password() {
    let folder = tempfile::tempdir().expect("a folder");
    let cluster = postgres::cluster();
    let there = cluster.url("refusing");
    let nowhere = process::free_port();
    let refused = |url: &str| {
        let (url, folder) = (url.to_owned(), folder.path().to_owned());
        tokio::task::block_in_place(move || {
            let variables = [("DENIZEN_DATABASE_URL", &*url), ("DENIZEN_LOG", "trace")];
            let output = process::run(&folder, &["migrate"], &variables);
            assert!(!output.status.success());
            assert_silent(&said(&output), &url);
            let last = String::from_utf8_lossy(&output.stderr).lines().last().unwrap_or_default().to_owned();
            assert!(last.contains("DENIZEN_DATABASE_URL"), "{last}");
            last
        })
    };
    let told = refused(&format!("postgres://ada:{ENCODED}@127.0.0.1:{nowhere}/people"));
    assert!(
        told.contains(&format!("127.0.0.1:{nowhere}/people")) && told.contains("nothing listens there"),
        "{told}"
    );
    let told = refused(&elsewhere(&there, "nobody", "people"));
    assert!(
        told.contains("does not let this user in") || told.contains("does not take this password"),
        "{told}"
    );
    let told = refused(&elsewhere(&there, "postgres", "nothing"));
    assert!(told.contains("there is no database of this name"), "{told}");
    let told = refused(&format!("postgres://postgres:{ENCODED}@localhost/nothing?host=/nowhere"));
    assert!(told.contains("there is no socket"), "{told}");
    let told = refused(&format!("postgres://ada:{ENCODED}@{}/people", refusing_database(0)));
    assert!(told.contains("does not take this password"), "{told}");
    // As Docker's proxy does while the database behind it is being made.
    let told = refused(&format!("postgres://ada:{ENCODED}@{}/people", refusing_database(2)));
    assert!(told.contains("does not take this password"), "it was not asked again: {told}");
}

/// Asks for the password in the open, refuses it, and repeats it. Closes so many connections before, without a word.
fn refusing_database(closed: usize) -> std::net::SocketAddr {
    use std::io::Write as _;
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    std::thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok).skip(closed) {
            let mut message = [0; 1024];
            // No TLS, then the password, then no.
            let _ = stream.read(&mut message);
            let _ = stream.write_all(b"N");
            let _ = stream.read(&mut message);
            let _ = stream.write_all(&[b'R', 0, 0, 0, 8, 0, 0, 0, 3]);
            let _ = stream.read(&mut message);
            let fields = format!("SFATAL\0VFATAL\0C28P01\0Mnot with {CANARY}\0\0");
            let length = u32::try_from(fields.len() + 4).expect("a short message").to_be_bytes();
            let _ = stream.write_all(&[b"E", &length[..], fields.as_bytes()].concat());
        }
    });
    address
}

/// What a service with every secret set says of itself, and to whom it says it, at the level `trace`.
fn nothing_is_told(database: &str, smtp: &str) {
    let folder = tempfile::tempdir().expect("a folder");
    let secret = "aHVzaDlxIFprMzhzUW0yVmI5eExyMFRmWXA2V2RKaE5jNEdhVWU=";
    let router = format!("{TRACE}-c6T1vWkQ8mJ2xZr7LbHn4PyDgUe0sAfK");
    let variables = [
        ("DENIZEN_LOG", "trace"),
        ("DENIZEN_DATABASE_URL", database),
        ("DENIZEN_SECRET", secret),
        ("DENIZEN_SMTP_URL", smtp),
        ("DENIZEN_ROUTER_SECRET", &router),
        ("DENIZEN_ADMIN_PASSWORD", "hush9q lanterns on a bridge"),
    ];
    let (service, log) = Running::logged(folder.path(), &variables);
    let login = |password: &str| {
        format!(
            "mutation {{ login(input: {{ identifier: \"admin\", password: \"{password}\" }}) {{ tokens {{ accessToken refreshToken }} errors {{ code }} }} }}"
        )
    };
    let answer = service.graphql(&login("hush9q lanterns on a bridge")).expect("an answer");
    let token = answer["data"]["login"]["tokens"]["accessToken"].as_str().expect("a token").to_owned();
    let mut answers = vec![service.graphql(&login("hush9q wrong")).expect("an answer").to_string()];
    let register = "mutation { registerUser(input: { userName: \"ada\", email: \"ada@example.org\", password: \"hush9q tinte kanne wolke\" }) { errors { code message } } }";
    answers.push(service.graphql(register).expect("an answer").to_string());
    for request in [
        "GET /health/live",
        "GET /health/ready",
        "GET /metrics",
        "GET /playground",
        "GET /nothing",
        "GET /.well-known/openid-configuration",
        "GET /.well-known/jwks.json",
        "POST /graphql",
        "GET /verify?token=x",
    ] {
        let text = format!(
            "{request} HTTP/1.1\r\nhost: localhost\r\nx-router-secret: {router}\r\nauthorization: Bearer {token}\r\n\
             connection: close\r\n\r\n"
        );
        answers.push(service.exchange(text.as_bytes()).expect("an answer"));
    }
    for answer in &answers {
        assert_silent(answer, "an answer");
    }
    assert!(service.terminate().1);
    let log = log.join().expect("the log");
    assert!(log.contains("answered"), "{log}");
    assert_silent(&log, "the log");
    let signature = token.rsplit('.').next().expect("a signature");
    assert!(!log.contains(signature) && !log.contains(secret), "a token or the secret stands in the log");
    assert!(!log.contains("$2b$"), "a hash stands in the log");
    let checked = process::run(folder.path(), &["doctor"], &variables);
    assert_silent(&said(&checked), "the doctor");
    assert!(said(&checked).contains("FAIL  mail"), "{}", said(&checked));
}

/// A mail server that refuses every password, and repeats what it was given.
fn refusing_mail_server() -> String {
    use std::io::{BufRead as _, BufReader, Write as _};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            std::thread::spawn(move || {
                let mut out = stream.try_clone().expect("a stream");
                let _ = out.write_all(b"220 refusing\r\n");
                for line in BufReader::new(stream).lines().map_while(Result::ok) {
                    let answer = match line.split(' ').next() {
                        Some("EHLO") => "250-refusing\r\n250 AUTH PLAIN\r\n".to_owned(),
                        Some("AUTH") => "535 no entry for ada with hush9q!x\r\n".to_owned(),
                        _ => "221 bye\r\n".to_owned(),
                    };
                    let _ = out.write_all(answer.as_bytes());
                }
            });
        }
    });
    format!("smtp://ada:{ENCODED}@{address}")
}

#[test]
fn a_service_on_sqlite_tells_no_secret_at_the_level_trace() {
    nothing_is_told("sqlite://data/denizen.db", &refusing_mail_server());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_on_postgres_tells_no_secret_at_the_level_trace() {
    let cluster = postgres::cluster();
    cluster.create_database("silent", None).await;
    let mut url = url::Url::parse(&cluster.url("silent")).expect("an address");
    // What the server trusts, it trusts with any password.
    if url.password().is_none() {
        url.set_password(Some(CANARY)).expect("a password");
    }
    tokio::task::block_in_place(|| nothing_is_told(url.as_str(), &refusing_mail_server()));
}
