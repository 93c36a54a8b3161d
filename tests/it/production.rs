//! What production refuses to start with, and how it is told that it is wanted all the same.

use std::path::Path;

use crate::support::process::{self, Running};

const SECRET: &str = "Zk38sQm2Vb9xLr0TfYp6WdJhNc4GaUeKiOoSy1BxA0M=";

/// Settings that are safe, with these in their place or beside them.
fn with<'a>(changes: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let mut all = vec![
        ("DENIZEN_MODE", "production"),
        ("DENIZEN_SECRET", SECRET),
        ("DENIZEN_PUBLIC_URL", "https://id.example.org"),
        ("DENIZEN_SMTP_URL", "smtps://127.0.0.1:1"),
        ("DENIZEN_DATABASE_URL", "sqlite://data/denizen.db"),
    ];
    all.retain(|(name, _)| changes.iter().all(|(other, _)| other != name));
    all.extend_from_slice(changes);
    all
}

fn migrate(folder: &Path, changes: &[(&str, &str)]) -> (bool, String) {
    let output = process::run(folder, &["migrate"], &with(changes));
    (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
}

/// A setting, the value that is refused, and the name that lets it through.
const RISKS: [(&str, &str, &str); 12] = [
    ("DENIZEN_RATE_LIMITS", "off", "rate-limits"),
    ("DENIZEN_ROUTER_SECRET", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "router-secret"),
    ("DENIZEN_ROUTER_SECRET", "development-only-router-secret-32", "router-secret"),
    ("DENIZEN_ROUTER_SECRET", "c6T1vWkQ8mJ2xZr7LbHn", "router-secret"),
    ("DENIZEN_TRUSTED_PROXIES", "0.0.0.0/0", "trusted-proxies"),
    ("DENIZEN_TRUSTED_PROXIES", "10.0.0.1,::/0", "trusted-proxies"),
    ("DENIZEN_TRUSTED_PROXIES", "0.0.0.0/1,128.0.0.0/1", "trusted-proxies"),
    ("DENIZEN_ACCESS_TOKEN_TTL", "3650d", "access-token-ttl"),
    ("DENIZEN_SMTP_URL", "smtp://ada:tinte@mail.example.org", "smtp-without-tls"),
    ("DENIZEN_SMTP_URL", "smtp://ada:tinte@mail.example.org?tls=opportunistic", "smtp-without-tls"),
    ("DENIZEN_LOG", "trace", "trace"),
    ("DENIZEN_LOG", "warn,denizen::http=trace", "trace"),
];

#[test]
fn each_risk_is_refused_by_its_name_and_let_through_by_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let (started, said) = migrate(folder.path(), &[]);
    assert!(started, "{said}");
    for (variable, value, name) in RISKS {
        let (started, said) = migrate(folder.path(), &[(variable, value)]);
        assert!(!started, "{variable}={value} was let through");
        assert!(
            said.contains(variable) && said.contains(&format!("add `{name}` to DENIZEN_UNSAFE")),
            "{said}"
        );
        let (started, said) = migrate(folder.path(), &[(variable, value), ("DENIZEN_UNSAFE", name)]);
        assert!(started, "{variable}={value} with {name}: {said}");
        let other = if name == "trace" { "rate-limits" } else { "trace" };
        assert!(
            !migrate(folder.path(), &[(variable, value), ("DENIZEN_UNSAFE", other)]).0,
            "{other} is not {name}"
        );
    }
}

#[test]
fn a_database_over_a_network_is_refused_without_tls() {
    let folder = tempfile::tempdir().expect("a folder");
    let refused = |url: &str| {
        // It is not asked for a connection: the settings are judged before.
        let (_, said) =
            migrate(folder.path(), &[("DENIZEN_DATABASE_URL", url), ("DENIZEN_RATE_LIMITS", "off")]);
        assert!(said.contains("DENIZEN_RATE_LIMITS"), "{said}");
        said.contains("add `database-without-tls` to DENIZEN_UNSAFE")
    };
    assert!(refused("postgres://ada:tinte@db.example/people"));
    assert!(refused("postgres://ada:tinte@10.0.0.1/people?sslmode=prefer"));
    assert!(refused("postgres://db.example/people?user=ada&password=tinte"));
    assert!(refused("postgres://ada:tinte@localhost/people?host=db.example"));
    // The password may stand in a file that only the driver reads.
    assert!(refused("postgres://ada@db.example/people"));
    for safe in [
        "postgres://ada:tinte@db.example/people?sslmode=require",
        "postgres://ada:tinte@db.example/people?sslmode=verify-full",
        "postgres://ada:tinte@localhost/people",
        "postgres://ada:tinte@127.0.0.1:6432/people",
        "postgres://ada:tinte@db.example/people?host=/run/postgresql",
        "postgres://ada:tinte@/people?host=/run/postgresql",
        "postgres://ada@db.example/people?sslmode=require",
        "postgres://ada:tinte@db.example/people?sslmode=require&channel_binding=require&connect_timeout=10",
    ] {
        assert!(!refused(safe), "{safe}");
    }
}

#[test]
fn everything_that_is_wrong_is_said_at_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let (_, said) = migrate(
        folder.path(),
        &[
            ("DENIZEN_RATE_LIMITS", "off"),
            ("DENIZEN_TRUSTED_PROXIES", "::/0"),
            ("DENIZEN_ACCESS_TOKEN_TTL", "30d"),
            ("DENIZEN_BCRYPT_COST", "4"),
            ("DENIZEN_UNSAFE", "trace,access-token-ttl"),
        ],
    );
    insta::assert_snapshot!(said, @"
    denizen: these settings are not safe for production:
      DENIZEN_BCRYPT_COST must be 10 or more in production.
      DENIZEN_RATE_LIMITS is off: passwords and codes could be guessed without end. Where it is wanted all the same, add `rate-limits` to DENIZEN_UNSAFE.
      DENIZEN_TRUSTED_PROXIES believes everybody: name the networks of your own proxies. Where it is wanted all the same, add `trusted-proxies` to DENIZEN_UNSAFE.
    ");
    assert!(!folder.path().join("data").exists(), "and nothing was made");
}

#[test]
fn a_secret_that_was_typed_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    // 1 to 32; "this is the secret of the tests 01"; "bench secret bench secret bench ".
    for typed in [
        "AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA=",
        "dGhpcyBpcyB0aGUgc2VjcmV0IG9mIHRoZSB0ZXN0cyAwMQ==",
        "YmVuY2ggc2VjcmV0IGJlbmNoIHNlY3JldCBiZW5jaCA=",
    ] {
        let (started, said) = migrate(folder.path(), &[("DENIZEN_SECRET", typed)]);
        assert!(!started && said.contains("DENIZEN_SECRET is not random"), "{typed}: {said}");
        let (started, _) =
            migrate(folder.path(), &[("DENIZEN_SECRET", typed), ("DENIZEN_UNSAFE", "router-secret")]);
        assert!(!started, "there is no good reason to want it");
    }
}

#[test]
fn a_name_that_allows_nothing_is_refused_with_those_that_do() {
    let folder = tempfile::tempdir().expect("a folder");
    let (started, said) = migrate(folder.path(), &[("DENIZEN_UNSAFE", "rate-limits,everything")]);
    assert!(!started);
    insta::assert_snapshot!(said, @r#"denizen: the setting --unsafe (DENIZEN_UNSAFE) is wrong: "everything" is not known: there is rate-limits, router-secret, trusted-proxies, access-token-ttl, smtp-without-tls, database-without-tls, trace"#);
    let (started, said) =
        migrate(folder.path(), &[("DENIZEN_PUBLIC_URL", "https://ada:tinte@id.example.org")]);
    assert!(!started && said.contains("DENIZEN_PUBLIC_URL") && !said.contains("tinte"), "{said}");
}

#[test]
fn lists_are_read_as_people_and_compose_files_write_them() {
    let folder = tempfile::tempdir().expect("a folder");
    let risks = ("DENIZEN_RATE_LIMITS", "off");
    for names in ["trace, rate-limits", " rate-limits ", "trace,rate-limits,"] {
        let (started, said) = migrate(folder.path(), &[risks, ("DENIZEN_UNSAFE", names)]);
        assert!(started, "{names:?}: {said}");
    }
    for variable in ["DENIZEN_UNSAFE", "DENIZEN_TRUSTED_PROXIES", "DENIZEN_ALLOWED_ORIGINS"] {
        for nothing in ["", " "] {
            let (started, said) = migrate(folder.path(), &[(variable, nothing)]);
            assert!(started, "{variable}={nothing:?}: {said}");
        }
    }
    let (started, said) = migrate(folder.path(), &[("DENIZEN_NOTICES", "welcome, new-device")]);
    assert!(started, "{said}");
    assert!(!migrate(folder.path(), &[("DENIZEN_NOTICES", "")]).0, "no notice at all is called `none`");
    let (started, _) = migrate(folder.path(), &[risks, ("DENIZEN_UNSAFE", "")]);
    assert!(!started, "nothing allows nothing");
    let (started, said) = migrate(folder.path(), &[("DENIZEN_TRUSTED_PROXIES", "10.0.0.1, ::/0")]);
    assert!(!started && said.contains("add `trusted-proxies`"), "{said}");
    std::fs::write(
        folder.path().join("denizen.toml"),
        "unsafe = []\ntrusted_proxies = [\"10.0.0.0/8\", \"::1\"]\n",
    )
    .expect("a file");
    let (started, said) = migrate(folder.path(), &[]);
    assert!(started, "{said}");
}

#[test]
fn a_start_says_which_exemptions_are_in_force() {
    let folder = tempfile::tempdir().expect("a folder");
    let variables = with(&[
        ("DENIZEN_RATE_LIMITS", "off"),
        ("DENIZEN_UNSAFE", "trace,rate-limits"),
        ("DENIZEN_ADMIN_PASSWORD", "seven lanterns on a bridge"),
        ("DENIZEN_LOG_FORMAT", "text"),
    ]);
    let (service, log) = Running::with_cost(folder.path(), &variables, "10");
    assert!(service.terminate().1);
    let log = log.join().expect("the log");
    assert!(
        log.contains("WARN denizen: DENIZEN_UNSAFE allows what production refuses otherwise: rate-limits\n"),
        "{log}"
    );
}

#[test]
fn what_is_wrong_with_an_address_or_a_file_is_said_with_what_would_do() {
    let folder = tempfile::tempdir().expect("a folder");
    let said = |variable: &str, value: &str| {
        let variables = [("DENIZEN_LISTEN", "127.0.0.1:0"), (variable, value)];
        let output = process::run(folder.path(), &["serve"], &variables);
        assert!(!output.status.success());
        let said = String::from_utf8_lossy(&output.stderr).lines().last().unwrap_or_default().to_owned();
        assert!(said.contains(variable), "{said}");
        said
    };
    assert!(said("DENIZEN_LISTEN", "localhost:8080").contains("0.0.0.0:8080"));
    assert!(said("DENIZEN_MAIL_FROM", "Example").contains("id@example.org"));
    assert!(said("DENIZEN_SMTP_URL", "mail.example.org").contains("smtps://"));
    assert!(said("DENIZEN_TRUSTED_DOCUMENTS", "nothing.json").contains("nothing.json"));
    assert!(said("DENIZEN_MAX_CONNECTIONS", "0").contains("from 1 to"));
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address").to_string();
    let empty = tempfile::tempdir().expect("a folder");
    let output = process::run(empty.path(), &["serve"], &[("DENIZEN_LISTEN", &address)]);
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(told.contains("another program listens there"), "{told}");
    assert!(!empty.path().join("data").exists(), "nothing was made, so no password was lost");
}
