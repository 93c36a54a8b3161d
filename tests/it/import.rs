//! Users that come from a file, and go into one: with the real binary.

use std::{
    fmt::Write as _,
    fs,
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Command, Output, Stdio},
};

use serde_json::{Value, json};

use crate::support::{
    PASSWORD, postgres,
    process::{Running, denizen, run},
};

const SECRET: &str = "dGhpcyBpcyB0aGUgc2VjcmV0IG9mIHRoZSB0ZXN0cyAwMQ==";
const CHEAP: (&str, &str) = ("DENIZEN_BCRYPT_COST", "4");

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn import(folder: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    run(folder, &[&["import"], arguments].concat(), variables)
}

/// What an export says, a value a line, without what the machine made up.
fn exported(folder: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> Vec<Value> {
    let output = run(folder, &[&["export"], arguments].concat(), variables);
    assert!(output.status.success(), "{}", said(&output));
    let lines = String::from_utf8(output.stdout).expect("text");
    let mut lines: Vec<Value> =
        lines.lines().map(|line| serde_json::from_str(line).expect("a line is JSON")).collect();
    lines.sort_by_key(|line| line["userName"].to_string());
    lines
}

fn hash() -> String {
    let hash = bcrypt::hash_with_result(PASSWORD, 4).expect("a hash");
    hash.format_for_version(bcrypt::Version::TwoB)
}

fn users(hash: &str) -> Vec<Value> {
    vec![
        json!({ "userName": "ada", "email": "ada@example.org", "phone": "+911234567890", "passwordHash": hash, "name": "Ada; \"Countess\"",
                "givenName": "Ada", "locale": "en", "createdAt": "2020-01-31T12:00:00.000Z" }),
        json!({ "userName": "bob", "email": "bob@example.org", "roleCodes": ["ADMIN"], "createdAt": "2021-01-31T12:00:00.000Z" }),
        json!({ "userName": "carol", "email": "carol@example.org", "status": "DEACTIVATED", "createdAt": "2022-01-31T12:00:00.000Z" }),
    ]
}

fn write(folder: &Path, name: &str, lines: &[Value]) {
    let lines: Vec<_> = lines.iter().map(Value::to_string).collect();
    fs::write(folder.join(name), lines.join("\n")).expect("a file");
}

fn goes_round(variables: &[(&str, &str)], others: &[(&str, &str)]) {
    let (here, there) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
    let hash = hash();
    write(here.path(), "users.ndjson", &users(&hash));
    let output = import(here.path(), &["users.ndjson"], variables);
    assert!(output.status.success(), "{}", said(&output));
    assert!(said(&output).contains("3 imported, 0 there already, 0 refused"), "{}", said(&output));
    assert_eq!(exported(here.path(), &["--with-password-hashes"], variables), users(&hash));
    let without = exported(here.path(), &[], variables);
    assert!(
        without.iter().all(|line| line.get("passwordHash").is_none()),
        "hashes stay unless they are asked for"
    );

    let csv = there.path().join("users.csv");
    let csv = csv.to_str().expect("a path");
    let output = run(here.path(), &["export", "--with-password-hashes", "--output", csv], variables);
    assert!(output.status.success(), "{}", said(&output));
    let mode = std::os::unix::fs::PermissionsExt::mode(&fs::metadata(csv).expect("a file").permissions());
    assert_eq!(mode & 0o777, 0o600, "nobody else reads it");
    let output = import(there.path(), &["users.csv"], others);
    assert!(output.status.success(), "{}", said(&output));
    assert_eq!(exported(there.path(), &["--with-password-hashes"], others), users(&hash));
    let again = import(there.path(), &["users.csv"], others);
    assert!(
        again.status.success() && said(&again).contains("0 imported, 3 there already"),
        "{}",
        said(&again)
    );
}

#[test]
fn what_is_exported_comes_in_again_on_sqlite() {
    goes_round(&[CHEAP], &[CHEAP]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_exported_comes_in_again_on_postgres() {
    let cluster = postgres::cluster();
    cluster.create_database("exported", None).await;
    cluster.create_database("imported", None).await;
    let (here, there) = (cluster.url("exported"), cluster.url("imported"));
    let of = |url: &'static str| [CHEAP, ("DENIZEN_SECRET", SECRET), ("DENIZEN_DATABASE_URL", url)];
    let (here, there): (&'static str, &'static str) = (here.leak(), there.leak());
    tokio::task::block_in_place(|| goes_round(&of(here), &of(there)));
}

#[test]
fn who_was_imported_logs_in_with_the_old_password_and_nobody_was_mailed() {
    let folder = tempfile::tempdir().expect("a folder");
    write(folder.path(), "users.ndjson", &users(&hash()));
    assert!(import(folder.path(), &["users.ndjson"], &[CHEAP]).status.success());
    let service = Running::start(folder.path(), &[]);
    let login = format!(
        "mutation {{ login(input: {{ identifier: \"ada\", password: \"{PASSWORD}\" }}) {{ tokens {{ accessToken }} }} }}"
    );
    let answer = service.graphql(&login).expect("an answer");
    assert!(answer["data"]["login"]["tokens"]["accessToken"].is_string(), "{answer}");
    let mailbox = b"GET /dev/mailbox HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    let mails = service.exchange(mailbox).expect("the mailbox");
    assert!(mails.ends_with("[]"), "{mails}");
}

#[test]
fn faulty_lines_are_reported_and_the_others_come_in() {
    let folder = tempfile::tempdir().expect("a folder");
    let of = |name: &str| json!({ "userName": name, "email": format!("{name}@example.org") }).to_string();
    let lines = [
        of("ada"),
        "{ \"userName\": \"secret-in-here".to_owned(),
        json!({ "userName": "x", "email": "nonsense", "passwordHash": "plain" }).to_string(),
        String::new(),
        json!({ "userName": "bob", "email": "bob@example.org", "roleCodes": ["NONE"] }).to_string(),
        json!({ "userName": "carol", "phoneNumber": "1" }).to_string(),
        "x".repeat(300_000),
        of("dave"),
    ];
    fs::write(folder.path().join("users.jsonl"), lines.join("\n")).expect("a file");
    let report = ["users.jsonl", "--report", "refused.ndjson"];
    let dry = import(folder.path(), &[&report[..], &["--dry-run"]].concat(), &[CHEAP]);
    assert!(said(&dry).contains("nothing was made: 2 imported"), "{}", said(&dry));
    assert_eq!(exported(folder.path(), &[], &[CHEAP]), [] as [Value; 0]);
    let output = import(folder.path(), &report, &[CHEAP]);
    assert_eq!(output.status.code(), Some(1), "lines were refused");
    assert!(said(&output).contains("2 imported, 0 there already, 5 refused"), "{}", said(&output));
    let report = fs::read_to_string(folder.path().join("refused.ndjson")).expect("a report");
    assert!(!report.contains("secret-in-here"), "what was not understood may be a password");
    let report: Vec<Value> =
        report.lines().map(|line| serde_json::from_str(line).expect("a line is JSON")).collect();
    let mut told: Vec<_> = report
        .iter()
        .map(|line| {
            format!("{} {} {}", line["line"], line["code"].as_str().unwrap_or_default(), line["path"])
        })
        .collect();
    told.sort();
    assert_eq!(
        told,
        [
            "2 INVALID []",
            "3 INVALID [\"email\"]",
            "3 INVALID [\"passwordHash\"]",
            "3 INVALID [\"userName\"]",
            "5 NOT_FOUND [\"roleCodes\",\"0\"]",
            "6 INVALID []",
            "7 INVALID []",
        ]
    );
    assert_eq!(exported(folder.path(), &[], &[CHEAP]).len(), 2);
}

#[test]
fn columns_are_named_and_a_record_that_does_not_end_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |text: &str| fs::write(folder.path().join("users.csv"), text).expect("a file");
    write("userName,adress\nada,a\n");
    let output = import(folder.path(), &["users.csv"], &[CHEAP]);
    assert!(
        !output.status.success() && said(&output).contains("there is no column \"adress\""),
        "{}",
        said(&output)
    );
    write(
        "email, userName ,roleCodes\nada@example.org,ada,\nbob@example.org,bob,A;B;C\nonly-one\ncarol@example.org,carol,\n",
    );
    let output = import(folder.path(), &["users.csv"], &[CHEAP]);
    assert!(said(&output).contains("2 imported, 0 there already, 2 refused"), "{}", said(&output));
    assert!(said(&output).contains("line 4: "), "{}", said(&output));
    let endless = format!("userName,email\nada,\"{}", "never closed\n".repeat(100_000));
    write(&endless);
    let output = import(folder.path(), &["users.csv"], &[CHEAP]);
    assert!(!output.status.success() && said(&output).contains("too long"), "{}", said(&output));
}

fn many(folder: &Path, count: usize) {
    let hash = format!("$2b$12${}", "a".repeat(53));
    let mut text = String::new();
    for number in 0..count {
        let line = json!({ "userName": format!("user-{number}"), "email": format!("user{number}@example.org"), "passwordHash": hash, "name": "Somebody" });
        let _ = writeln!(text, "{line}");
    }
    fs::write(folder.join("users.ndjson"), text).expect("a file");
}

#[test]
fn an_import_that_was_killed_is_repeated_until_it_is_through() {
    let folder = tempfile::tempdir().expect("a folder");
    many(folder.path(), 3_000);
    let mut child = denizen(folder.path(), &["import", "users.ndjson"], &[CHEAP])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the import");
    let mut lines = BufReader::new(child.stderr.take().expect("its console")).lines();
    let first = lines.find_map(|line| line.ok().filter(|line| line.contains(" imported")));
    let killed = Command::new("kill").args(["-9", &child.id().to_string()]).status();
    assert!(killed.is_ok_and(|status| status.success()) && first.is_some());
    assert!(!child.wait().expect("a status").success());
    let output = import(folder.path(), &["users.ndjson"], &[CHEAP]);
    assert!(output.status.success() && said(&output).contains(" 0 refused"), "{}", said(&output));
    assert!(!said(&output).contains("3000 imported"), "what was in stayed in: {}", said(&output));
    assert_eq!(exported(folder.path(), &[], &[CHEAP]).len(), 3_000);
}

/// In KiB: the most memory that the process has filled so far.
fn most_memory(id: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{id}/status")).expect("a live process");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a figure");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}

#[test]
fn a_longer_file_takes_no_more_memory() {
    let folder = tempfile::tempdir().expect("a folder");
    many(folder.path(), 8_500);
    let mut child = denizen(folder.path(), &["import", "users.ndjson"], &[CHEAP])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the import");
    let mut figures = Vec::new();
    for line in BufReader::new(child.stderr.take().expect("its console")).lines().map_while(Result::ok) {
        if line.starts_with("2000 imported") || line.starts_with("8000 imported") {
            figures.push(most_memory(child.id()));
        }
    }
    assert!(child.wait().expect("a status").success());
    let [early, late] = figures[..] else { panic!("two figures: {figures:?}") };
    assert!(late < early + 8 * 1024, "it grew from {early} to {late} KiB");
}
