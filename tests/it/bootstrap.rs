//! The first start, the next one, and what refuses to start.

use clap::Args as _;
use denizen::config::Config;
use sea_orm::{EntityTrait as _, PaginatorTrait as _};

use crate::{
    schema_drift::assert_entities_match,
    support::{
        World,
        process::{self, Running},
    },
};

#[tokio::test]
async fn entities_and_migrations_agree() {
    for world in World::each().await {
        assert_entities_match(world.app.db.owner()).await;
        assert_eq!(migration::pending(world.app.db.owner()).await.expect("the migrations"), [""; 0]);
    }
}

#[tokio::test]
async fn another_start_changes_nothing() {
    for world in World::each().await {
        let rows = async || {
            let db = world.app.db.read();
            let roles = entity::role::Entity::find().all(db).await.expect("roles");
            let users = entity::user::Entity::find().count(db).await.expect("users");
            let keys = entity::signing_key::Entity::find().count(db).await.expect("keys");
            (roles, users, keys)
        };
        let before = rows().await;
        world.another_instance().await;
        assert_eq!(rows().await, before);
        assert_eq!((before.0.len(), before.1, before.2), (8, 1, 1));
    }
}

#[tokio::test]
async fn the_super_administrator_may_do_everything() {
    for world in World::each().await {
        let admin = world.superadmin().await;
        let me = admin
            .run("{ me { userName email emailVerified roles { code system permissions scopes } } }")
            .await
            .ok("/me");
        assert_eq!(me["email"], "root@denizen.test");
        assert_eq!(me["roles"][0]["code"], "SUPERADMIN");
        assert_eq!(
            me["roles"][0]["permissions"].as_array().map(Vec::len),
            Some(denizen::authz::Permission::ALL.len())
        );
    }
}

#[test]
fn production_refuses_unsafe_settings_in_clear_sentences() {
    let folder = tempfile::tempdir().expect("a folder");
    let refused = |variables: &[(&str, &str)]| {
        let output = process::run(folder.path(), &["serve"], variables);
        assert!(!output.status.success());
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    insta::assert_snapshot!(refused(&[("DENIZEN_MODE", "production"), ("DENIZEN_ADMIN_PASSWORD", "Admin123!"), ("DENIZEN_BCRYPT_COST", "6")]), @"
    denizen: these settings are not safe for production:
      DENIZEN_SECRET is required in production: 32 random bytes or more in base64, as from `openssl rand -base64 32`.
      DENIZEN_PUBLIC_URL must be an https:// address in production.
      DENIZEN_ADMIN_PASSWORD is a default password: choose another.
      DENIZEN_BCRYPT_COST must be 10 or more in production.
      DENIZEN_SMTP_URL is required in production: without mail nobody can verify an address.
    ");
    let weak = [
        ("DENIZEN_MODE", "production"),
        ("DENIZEN_SECRET", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="),
        ("DENIZEN_PUBLIC_URL", "http://id.example.org"),
        ("DENIZEN_SMTP_URL", "smtps://localhost"),
    ];
    insta::assert_snapshot!(refused(&weak), @"
    denizen: these settings are not safe for production:
      DENIZEN_SECRET is not random: take the output of `openssl rand -base64 32`.
      DENIZEN_PUBLIC_URL must be an https:// address in production.
    ");
    assert!(!folder.path().join("data").exists(), "and nothing was made");
}

#[test]
fn a_wrong_setting_is_one_clear_sentence_wherever_it_stands() {
    let folder = tempfile::tempdir().expect("a folder");
    let said = |arguments: &[&str], variables: &[(&str, &str)]| {
        let output = process::run(folder.path(), arguments, variables);
        assert!(!output.status.success());
        String::from_utf8_lossy(&output.stderr).lines().next().unwrap_or_default().to_owned()
    };
    let flag = said(&["serve", "--access-token-ttl", "soon"], &[]);
    assert_eq!(said(&["serve"], &[("DENIZEN_ACCESS_TOKEN_TTL", "soon")]), flag);
    insta::assert_snapshot!(flag, @r#"denizen: the setting --access-token-ttl (DENIZEN_ACCESS_TOKEN_TTL) is wrong: "soon" is not a time such as 90s, 15m, 24h or 14d"#);
    std::fs::write(folder.path().join("denizen.toml"), "access_token_ttl = \"soon\"\n").expect("a file");
    assert_eq!(said(&["serve"], &[]), flag);
    std::fs::write(folder.path().join("denizen.toml"), "acess_token_ttl = \"5m\"\n").expect("a file");
    insta::assert_snapshot!(said(&["serve"], &[]), @r#"denizen: denizen.toml: there is no setting "acess_token_ttl"; `denizen serve --help` lists them"#);
    let secret = said(&["serve"], &[("DENIZEN_SECRET", "c2hvcnQ="), ("DENIZEN_CONFIG", "/dev/null")]);
    insta::assert_snapshot!(secret, @"denizen: the setting --secret (DENIZEN_SECRET) is wrong: it has 5 bytes, 32 or more are needed");
}

#[test]
fn neither_the_help_nor_an_error_shows_a_secret() {
    let folder = tempfile::tempdir().expect("a folder");
    let file =
        "secret = \"hush-in-file\"\nsmtp_url = \"smtp://u:hush@localhost\"\nadmin_password = \"hush-hush\"\n";
    std::fs::write(folder.path().join("denizen.toml"), file).expect("a file");
    let variables = [
        ("DENIZEN_DATABASE_URL", "mysql://u:hush@h/db"),
        ("DENIZEN_ROUTER_SECRET", "hush-router"),
        ("DENIZEN_SECRET", "hush-not-base64!"),
    ];
    for arguments in
        [&["serve", "--help"][..], &["serve"], &["doctor"], &["migrate", "--secret", "hush-flag"]]
    {
        let output = process::run(folder.path(), arguments, &variables);
        let said =
            format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(!said.contains("hush"), "{arguments:?} says {said}");
    }
}

#[test]
fn the_file_the_variable_and_the_flag_set_the_same_thing() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(
        folder.path().join("denizen.toml"),
        "database_url = \"sqlite://from-file.db\"\nbcrypt_cost = 4\n",
    )
    .expect("a file");
    let exists = |name: &str| folder.path().join(name).exists();
    assert!(process::run(folder.path(), &["migrate"], &[]).status.success());
    assert!(exists("from-file.db"));
    let variable = [("DENIZEN_DATABASE_URL", "sqlite://from-variable.db")];
    assert!(process::run(folder.path(), &["migrate"], &variable).status.success());
    assert!(exists("from-variable.db"));
    let flag = ["migrate", "--database-url", "sqlite://from-flag.db"];
    assert!(process::run(folder.path(), &flag, &variable).status.success());
    assert!(exists("from-flag.db"));
}

#[test]
fn a_changed_secret_is_noticed_at_the_start() {
    let folder = tempfile::tempdir().expect("a folder");
    let secret = |byte: u8| {
        base64::Engine::encode(
            &base64::engine::general_purpose::STANDARD,
            (byte..byte + 32).collect::<Vec<_>>(),
        )
    };
    let (first, second) = (secret(1), secret(100));
    assert!(process::run(folder.path(), &["migrate"], &[("DENIZEN_SECRET", &first)]).status.success());
    let changed = process::run(folder.path(), &["migrate"], &[("DENIZEN_SECRET", &second)]);
    let said = String::from_utf8_lossy(&changed.stderr).into_owned();
    assert!(said.contains("DENIZEN_SECRET is not the one that this database was made with"), "{said}");
}

#[test]
fn the_doctor_and_the_command_line_help_an_operator() {
    let folder = tempfile::tempdir().expect("a folder");
    let said = |arguments: &[&str], variables: &[(&str, &str)]| {
        let output = process::run(folder.path(), arguments, variables);
        (output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned())
    };
    insta::assert_snapshot!(said(&["doctor"], &[]).1, @"
    ok    settings
    ok    database and secret
    FAIL  super-administrator: there is none: `denizen admin create` makes one.
    ok    mail
    ok    jobs
    ");
    assert!(!said(&["admin", "create"], &[]).0, "a password is needed");
    assert!(!said(&["admin", "create"], &[("DENIZEN_ADMIN_PASSWORD", "password")]).0, "and a good one");
    let password = [("DENIZEN_ADMIN_PASSWORD", "seven lanterns on a bridge"), ("DENIZEN_BCRYPT_COST", "4")];
    assert_eq!(
        said(&["admin", "create", "--user-name", "grace"], &password).1,
        "grace is a super-administrator now.\n"
    );
    assert!(said(&["doctor"], &[]).0);
    let service = Running::start(folder.path(), &[]);
    let login = "mutation { login(input: { identifier: \"grace\", password: \"seven lanterns on a bridge\" }) { user { userName } } }";
    assert_eq!(service.graphql(login).expect("an answer")["data"]["login"]["user"]["userName"], "grace");
    let listen = service.address.to_string();
    assert_eq!(said(&["health"], &[("DENIZEN_LISTEN", &listen)]), (true, "ready\n".to_owned()));
    drop(service);
    assert!(!said(&["health"], &[("DENIZEN_LISTEN", &listen)]).0);
}

#[tokio::test]
async fn many_instances_start_on_one_empty_database() {
    let cluster = crate::support::postgres::cluster();
    cluster.create_database("together", None).await;
    let url = cluster.url("together");
    let folder = tempfile::tempdir().expect("a folder");
    let secret =
        base64::Engine::encode(&base64::engine::general_purpose::STANDARD, (1..40).collect::<Vec<u8>>());
    let start = || {
        let (url, secret, folder) = (url.clone(), secret.clone(), folder.path().to_owned());
        let password = "seven lanterns on a bridge";
        std::thread::spawn(move || {
            let variables = [
                ("DENIZEN_DATABASE_URL", url.as_str()),
                ("DENIZEN_SECRET", secret.as_str()),
                ("DENIZEN_ADMIN_PASSWORD", password),
            ];
            Running::start(&folder, &variables)
        })
    };
    let started: Vec<_> = (0..3).map(|_| start()).collect();
    let running: Vec<_> = started.into_iter().map(|instance| instance.join().expect("an instance")).collect();
    let login = "mutation { login(input: { identifier: \"admin\", password: \"seven lanterns on a bridge\" }) { tokens { accessToken } } }";
    for instance in &running {
        let answer = instance.graphql(login).expect("an answer");
        assert!(answer["data"]["login"]["tokens"]["accessToken"].is_string(), "{answer}");
    }
    let keys: std::collections::BTreeSet<_> = running
        .iter()
        .map(|instance| {
            instance.exchange(
                b"GET /.well-known/jwks.json HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n",
            )
        })
        .map(|answer| answer.expect("keys").split_once("\r\n\r\n").expect("a body").1.to_owned())
        .collect();
    assert_eq!(keys.len(), 1, "one key, published by all: {keys:?}");
    drop(running);
}

#[test]
fn the_example_of_a_file_holds_every_setting_and_no_other() {
    let folder = tempfile::tempdir().expect("a folder");
    let example = include_str!("../../denizen.example.toml").replace("\n# ", "\n");
    let settings: Vec<_> = example.lines().filter(|line| line.contains(" = ")).collect();
    let known = Config::augment_args(clap::Command::new("denizen"));
    for setting in known.get_arguments().filter(|arg| arg.get_env().is_some()) {
        let key = setting.get_id().as_str();
        assert!(
            settings.iter().any(|line| line.split(" = ").next() == Some(key)),
            "{key} is not in the example"
        );
    }
    // The secrets are shown as a sign that stands for them.
    let settings: Vec<_> = settings.into_iter().filter(|line| !line.contains("\"…\"")).collect();
    std::fs::write(folder.path().join("denizen.toml"), settings.join("\n")).expect("a file");
    let output = process::run(folder.path(), &["serve"], &[]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        said.contains("DENIZEN_SECRET is required"),
        "it is understood, and then refused for want of a secret: {said}"
    );
}
