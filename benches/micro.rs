//! What every request passes through, apart from all else: the scan of its document, its ids, its token.
//!
//!     cargo bench --bench micro

#![expect(clippy::expect_used, reason = "what cannot begin ends here")]

use std::{fs, hint::black_box, path::Path, sync::Arc, time::Duration};

use clap::{Args as _, FromArgMatches as _};
use criterion::{Criterion, criterion_group, criterion_main};
use denizen::{
    app::{App, Sources, Started},
    authz::SignedIn,
    clock::SystemClock,
    config::Config,
    context::Ctx,
    crypto::{self, SystemRandomness},
    domain::{
        api_keys::secret,
        sessions::{live, tokens},
    },
    graphql::{limits::Limits, scan},
    ids::{self, Kind},
};

fn scans(criterion: &mut Criterion) {
    let limits = Limits::default();
    let introspection = include_str!("../src/graphql/limits/introspection.graphql");
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("playground/operations");
    let login = fs::read_to_string(folder.join("04-login.graphql")).expect("an operation");
    for (name, document) in [("login", login.as_str()), ("introspection", introspection)] {
        assert_eq!(scan::scan(document, &limits), Ok(()));
        criterion.bench_function(&format!("scan {name}"), |bench| {
            bench.iter(|| scan::scan(black_box(document), &limits));
        });
    }
    // What the scan is there for: thirty fragments that each spread the next one twice.
    let doubling = |n| format!("fragment f{n} on Q {{ ...f{0} ...f{0} }} ", n + 1);
    let doubling = (0..30).map(doubling).collect::<Vec<_>>().concat();
    let hostile = format!("{{ ...f0 }} {doubling} fragment f30 on Q {{ a }}");
    assert!(scan::scan(&hostile, &limits).is_err());
    criterion.bench_function("scan a hostile document", |bench| {
        bench.iter(|| scan::scan(black_box(&hostile), &limits));
    });
}

fn names(criterion: &mut Criterion) {
    let id = uuid::Uuid::from_u128(0x0198_a1b2_c3d4_7e5f_8a9b_0c1d_2e3f_4a5b);
    let text = ids::encode(Kind::User, id);
    criterion.bench_function("write an id", |bench| bench.iter(|| ids::encode(Kind::User, black_box(id))));
    criterion
        .bench_function("read an id", |bench| bench.iter(|| ids::decode_as(Kind::User, black_box(&text))));
    let random = SystemRandomness::default();
    let token = crypto::new_token(&random);
    criterion.bench_function("make a refresh token", |bench| bench.iter(|| crypto::new_token(&random)));
    criterion
        .bench_function("hash a refresh token", |bench| bench.iter(|| crypto::token_hash(black_box(&token))));
    let key = secret::generate(&random);
    criterion.bench_function("check an API key", |bench| bench.iter(|| secret::is_whole(black_box(&key))));
}

fn access_tokens(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let folder = tempfile::tempdir().expect("a folder");
    let (ctx, signed_in) = runtime.block_on(house(folder.path()));
    criterion.bench_function("sign an access token", |bench| bench.iter(|| tokens::issue(&ctx, &signed_in)));
    let (token, _) = tokens::issue(&ctx, &signed_in).expect("a token");
    criterion.bench_function("verify a token that was seen before", |bench| {
        bench.iter(|| runtime.block_on(tokens::verify(&ctx.app, black_box(&token))));
    });
    criterion.bench_function("verify a token for the first time, having signed it", |bench| {
        let fresh = || tokens::issue(&ctx, &signed_in).expect("a token").0;
        bench.iter(|| runtime.block_on(tokens::verify(&ctx.app, &fresh())));
    });
}

/// A service without a door, and somebody who has signed in there.
async fn house(folder: &Path) -> (Ctx, SignedIn) {
    let database = format!("sqlite://{}", folder.join("bench.db").display());
    let secret = "dGhpcyBpcyB0aGUgc2VjcmV0IG9mIHRoZSBiZW5jaCAwMQ==";
    let flags =
        ["denizen", "--database-url", &database, "--secret", secret, "--public-url", "http://denizen.test"];
    let command = Config::augment_args(clap::Command::new("denizen"));
    let matches = command.try_get_matches_from(flags).expect("settings");
    let config = Config::from_arg_matches(&matches).expect("settings");
    let sources = Sources { clock: Arc::new(SystemClock), random: Arc::new(SystemRandomness::default()) };
    let Started { app, .. } = App::start(config, sources).await.expect("a service");
    let ctx = Ctx::system(&app);
    let user_id = ctx.new_id();
    let signed_in = SignedIn {
        user_id,
        user_name: "ada".to_owned(),
        session_id: ctx.new_id(),
        application_id: app.default_application,
        authenticated_at: ctx.now(),
        grants: live::grants_of(&app, user_id).await.expect("grants"),
    };
    (ctx, signed_in)
}

fn settings() -> Criterion {
    Criterion::default().warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(2))
}

criterion_group! { name = benches; config = settings(); targets = scans, names, access_tokens }
criterion_main!(benches);
