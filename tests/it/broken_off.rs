//! Requests that are broken off at random points, as clients hang up, cancel and lose patience: nothing stays open, nothing
//! that was acknowledged is lost, and nobody has to wait afterwards. `make faults` breaks off 10,000 on each database.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use axum::http::header;
use denizen::{
    config::DatabaseUrl,
    http::server::{Bounds, Pace, serve},
};
use futures_util::{future::join_all, poll};
use sea_orm::{ConnectionTrait as _, DbBackend, Statement};
use serde_json::{Map, Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    task::yield_now,
    time::timeout,
};
use tokio_util::sync::CancellationToken;

use crate::support::{Backend, Client, PASSWORD, World};

/// How many requests are broken off on each database.
fn how_many() -> u64 {
    std::env::var("DENIZEN_TEST_BROKEN_OFF").ok().and_then(|many| many.parse().ok()).unwrap_or(300)
}

/// The same numbers each time: what fails can be looked into.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }

    fn one_of<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[usize::try_from(self.below(of.len() as u64)).unwrap()]
    }
}

/// What the schema says of its mutations and their inputs.
struct Schema {
    mutations: Vec<Value>,
    types: Map<String, Value>,
}

const INTROSPECTION: &str = "{ __schema {
    mutationType { fields { name args { name type { ...T } } type { name kind ofType { name } } } }
    types { name kind enumValues { name } inputFields { name type { ...T } } } } }
    fragment T on __Type { kind name ofType { kind name ofType { kind name ofType { kind name } } } }";

impl Schema {
    async fn of(world: &World) -> Self {
        let schema = world.anonymous().run(INTROSPECTION).await.ok("/__schema");
        let types = schema["types"].as_array().unwrap().iter();
        Self {
            mutations: schema["mutationType"]["fields"].as_array().unwrap().clone(),
            types: types.map(|one| (one["name"].as_str().unwrap().to_owned(), one.clone())).collect(),
        }
    }

    /// A mutation with an input that its types allow.
    fn call(&self, mutation: &Value, pool: &Pool, dice: &mut Dice) -> Value {
        let name = mutation["name"].as_str().unwrap();
        let argument = &mutation["args"][0];
        let document = if argument.is_null() {
            format!("mutation {{ {name} {{ errors {{ code }} }} }}")
        } else {
            let kind = argument["type"]["ofType"]["name"].as_str().or(argument["type"]["name"].as_str());
            let mark = if argument["type"]["kind"] == "NON_NULL" { "!" } else { "" };
            let kind = kind.unwrap();
            format!("mutation ($input: {kind}{mark}) {{ {name}(input: $input) {{ errors {{ code }} }} }}")
        };
        let input =
            if argument.is_null() { Value::Null } else { self.value(&argument["type"], "", pool, dice, 0) };
        json!({ "query": document, "variables": { "input": input } })
    }

    fn value(&self, kind: &Value, field: &str, pool: &Pool, dice: &mut Dice, depth: u32) -> Value {
        let name = kind["name"].as_str().unwrap_or_default();
        match kind["kind"].as_str().unwrap() {
            "NON_NULL" => self.value(&kind["ofType"], field, pool, dice, depth),
            "LIST" => {
                (0..=dice.below(2)).map(|_| self.value(&kind["ofType"], field, pool, dice, depth)).collect()
            }
            "ENUM" => dice.one_of(self.types[name]["enumValues"].as_array().unwrap())["name"].clone(),
            "INPUT_OBJECT" => {
                let fields = self.types[name]["inputFields"].as_array().unwrap();
                let mut object = Map::new();
                for field in fields {
                    let needed = field["type"]["kind"] == "NON_NULL";
                    if needed || (depth < 3 && dice.below(2) == 0) {
                        let name = field["name"].as_str().unwrap();
                        let value = self.value(&field["type"], name, pool, dice, depth + 1);
                        object.insert(name.to_owned(), value);
                    }
                }
                Value::Object(object)
            }
            _ => pool.scalar(name, field, dice),
        }
    }
}

/// What inputs are made of: things that exist, and things that do not.
struct Pool {
    ids: Vec<String>,
    words: Vec<String>,
    tokens: Vec<String>,
}

impl Pool {
    fn scalar(&self, kind: &str, field: &str, dice: &mut Dice) -> Value {
        match kind {
            "Boolean" => json!(dice.below(2) == 0),
            "Int" => json!(dice.below(100)),
            "Float" => json!(0.5),
            "ID" => json!(dice.one_of(&self.ids)),
            "DateTime" => json!("2027-01-01T00:00:00Z"),
            "JSON" => json!({}),
            "URL" => json!("https://example.org/picture"),
            "PhoneNumber" => json!(format!("+49151{:08}", dice.below(50))),
            "EmailAddress" => json!(format!("{}@example.org", dice.one_of(&self.words))),
            _ if field.to_lowercase().contains("password") => {
                json!(dice.one_of(&[PASSWORD, "lampe regen violine", "kurz"]))
            }
            _ if field.to_lowercase().contains("token") => json!(dice.one_of(&self.tokens)),
            _ if field == "code" => json!("123456"),
            _ => json!(dice.one_of(&self.words)),
        }
    }
}

struct Cast {
    actors: Vec<Client>,
    pool: Pool,
}

/// New people every so often: they end each other's sessions and accounts.
async fn cast(world: &World, number: u64) -> Cast {
    let mut pool = Pool {
        ids: vec![world.user_id(&world.superadmin().await).await, world.organization("acme").await]
            .into_iter()
            .map(|id| denizen::ids::encode(denizen::ids::Kind::Organization, id))
            .collect(),
        words: ["somebody", "acme", "MEMBER", "REVIEWER", "hi", "en", "mr"].map(str::to_owned).to_vec(),
        tokens: vec!["nonsense".to_owned()],
    };
    let mut actors = vec![world.anonymous()];
    for (name, role) in [("root", Some("SUPERADMIN")), ("plain", None), ("other", None)] {
        let name = format!("{name}-{number}");
        let client = world.user(&name).await;
        let id = world.user_id(&client).await;
        if let Some(role) = role {
            world.grant(id, role, None).await;
        }
        let tokens = world.login(&name, PASSWORD).await.ok("/login/tokens");
        pool.tokens.push(tokens["refreshToken"].as_str().unwrap().to_owned());
        pool.ids.push(denizen::ids::encode(denizen::ids::Kind::User, id));
        pool.words.push(name);
        actors.push(client);
    }
    Cast { actors, pool }
}

/// Ways to be gone before the answer is there.
async fn break_off(client: &Client, body: &Value, address: SocketAddr, dice: &mut Dice) {
    match dice.below(3) {
        0 => {
            let mut request = Box::pin(client.post(body));
            for _ in 0..=dice.below(40) {
                if poll!(request.as_mut()).is_ready() {
                    return;
                }
                yield_now().await;
            }
        }
        1 => {
            let _ = timeout(Duration::from_micros(dice.below(8_000)), client.post(body)).await;
        }
        _ => hang_up(client, body, address, Duration::from_micros(dice.below(8_000))).await,
    }
}

/// Over a real connection.
async fn hang_up(client: &Client, body: &Value, address: SocketAddr, after: Duration) {
    let stream = begun(client, body, address).await;
    let _ = timeout(after, stream.readable()).await;
}

/// A request that was sent, and whose answer nobody has read.
async fn begun(client: &Client, body: &Value, address: SocketAddr) -> TcpStream {
    let body = body.to_string();
    let credential =
        client.token.as_ref().map(|token| format!("{}: Bearer {token}\r\n", header::AUTHORIZATION));
    let head = format!(
        "POST /graphql HTTP/1.1\r\nhost: localhost\r\n{}content-type: application/json\r\ncontent-length: {}\r\n\r\n",
        credential.unwrap_or_default(),
        body.len()
    );
    let mut stream = TcpStream::connect(address).await.expect("a connection");
    stream.write_all([head, body].concat().as_bytes()).await.expect("a request");
    stream
}

async fn rename(client: &Client, name: &str) {
    let document = "mutation ($name: String) { updateProfile(input: { name: $name }) { user { name } errors { code } } }";
    let answer = client.run_with(document, json!({ "name": name })).await;
    assert_eq!(answer.ok("/updateProfile/user/name"), name, "a write that nobody breaks off");
}

/// Waits for what goes on after its client has gone.
async fn nothing_is_open(world: &World) {
    match &world.app.config.database.database_url {
        DatabaseUrl::Sqlite(path) => {
            let file = rusqlite::Connection::open(path).expect("the file");
            file.busy_timeout(Duration::from_secs(5)).expect("patience");
            file.execute_batch("BEGIN IMMEDIATE; ROLLBACK").expect("nobody holds the lock");
            let sound: String =
                file.query_row("PRAGMA integrity_check", [], |row| row.get(0)).expect("a word");
            assert_eq!(sound, "ok");
        }
        DatabaseUrl::Postgres(_) => {
            let open = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()
                AND pid <> pg_backend_pid() AND state LIKE 'idle in transaction%'";
            let mut left = 0;
            for _ in 0..2_000 {
                let statement = Statement::from_string(DbBackend::Postgres, open);
                let row = world.app.db.read().query_one_raw(statement).await.expect("an answer");
                left = row.and_then(|row| row.try_get_by_index::<i64>(0).ok()).expect("a number");
                if left == 0 {
                    return;
                }
                yield_now().await;
            }
            panic!("{left} transactions stay open");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_is_broken_off_leaves_nothing_open_and_loses_nothing() {
    for backend in [Backend::Sqlite, Backend::Postgres] {
        let world = World::with(backend, &["--rate-limits", "off"]).await;
        let schema = Schema::of(&world).await;
        let keeper = world.user("keeper").await;
        rename(&keeper, "first").await;
        let statements = world.statements(rename(&keeper, "before")).await.1;
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let stop = CancellationToken::new();
        let server = tokio::spawn(serve(listener, world.front.clone(), Pace::default(), stop.clone()));
        let mut dice = Dice(0x2545_f491_4f6c_dd1d);
        let mut people = cast(&world, 0).await;
        for number in 0..how_many() {
            if number % 100 == 99 {
                people = cast(&world, number).await;
            }
            // Every mutation in turn, by somebody, with something.
            let mutation = &schema.mutations[usize::try_from(number).unwrap() % schema.mutations.len()];
            let body = schema.call(mutation, &people.pool, &mut dice);
            let client = dice.one_of(&people.actors).clone();
            break_off(&client, &body, address, &mut dice).await;
            if number % 10 == 0 {
                rename(&keeper, &format!("keeper {number}")).await;
            }
        }
        stop.cancel();
        server.await.expect("the server stops");
        nothing_is_open(&world).await;
        // More at once than there are connections: each gets its turn.
        join_all((0..16).map(|number| {
            let keeper = keeper.clone();
            async move { rename(&keeper, &format!("after {number}")).await }
        }))
        .await;
        let afterwards = world.statements(rename(&keeper, "last")).await.1;
        assert!(afterwards <= statements, "{afterwards} statements in place of {statements}");
        let other = world.another_instance().await.with_token(keeper.token.as_deref().unwrap());
        assert_eq!(other.run("{ me { name } }").await.ok("/me/name"), "last");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transaction_whose_beginning_is_broken_off_does_not_stay_open() {
    for world in World::each().await {
        for polls in 0..200 {
            let app = Arc::clone(&world.app);
            let mut begun = Box::pin(app.db.begin());
            for _ in 0..=polls % 20 {
                if poll!(begun.as_mut()).is_ready() {
                    break;
                }
                yield_now().await;
            }
        }
        nothing_is_open(&world).await;
        let ada = world.user("ada").await;
        rename(&ada, "Ada").await;
        let other = world.another_instance().await.with_token(ada.token.as_deref().unwrap());
        assert_eq!(other.run("{ me { name } }").await.ok("/me/name"), "Ada");
    }
}

#[tokio::test]
async fn a_mutation_goes_on_when_its_client_has_gone() {
    for world in World::each().await {
        let ada = world.user("ada").await;
        let document = "mutation { updateProfile(input: { name: \"Gone\" }) { errors { code } } }";
        let changes = Arc::new(AtomicBool::new(false));
        let heard = Arc::clone(&changes);
        world.app.db.listen(move |sql| {
            heard.fetch_or(sql.starts_with("UPDATE"), Ordering::Relaxed);
        });
        {
            let mut request = Box::pin(ada.run(document));
            while !changes.load(Ordering::Relaxed) && poll!(request.as_mut()).is_pending() {
                yield_now().await;
            }
        }
        let mut name = Value::Null;
        for _ in 0..2_000 {
            name = ada.run("{ me { name } }").await.ok("/me/name");
            if name == "Gone" {
                break;
            }
        }
        assert_eq!(name, "Gone");
    }
}

/// The status that a newcomer from the same address gets.
async fn newcomer(address: SocketAddr) -> String {
    let mut stream = TcpStream::connect(address).await.expect("a connection");
    let head = "GET /graphql?query=%7B__typename%7D HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    stream.write_all(head.as_bytes()).await.expect("a request");
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer).await;
    answer.chars().skip("HTTP/1.1 ".len()).take(3).collect()
}

async fn until_turned_away(address: SocketAddr) {
    let turned_away = async { while newcomer(address).await != "429" {} };
    timeout(Duration::from_secs(4), turned_away).await.expect("all places of the address are taken");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mutations_whose_clients_have_gone_keep_their_places_and_end_at_a_stop() {
    for world in World::each().await {
        let ada = world.user("ada").await;
        rename(&ada, "first").await;
        // Whoever changes a person waits for this one.
        let held = world.app.db.begin().await.expect("a transaction");
        held.execute_unprepared("UPDATE users SET name = 'held'").await.expect("a change");
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let stop = CancellationToken::new();
        let bounds = Bounds { all: 100, per_address: 4, proxies: Vec::new() };
        let pace = Pace { connections: bounds, shutdown: Duration::from_millis(100), ..Pace::default() };
        let server = tokio::spawn(serve(listener, world.front.clone(), pace, stop.clone()));
        let body =
            json!({ "query": "mutation { updateProfile(input: { name: \"late\" }) { errors { code } } }" });
        let mut clients = Vec::new();
        for _ in 0..4 {
            clients.push(begun(&ada, &body, address).await);
        }
        until_turned_away(address).await;
        drop(clients);
        // Long enough for the server to notice that they have gone.
        for _ in 0..20 {
            assert_eq!(newcomer(address).await, "429", "their mutations go on, and keep the places");
        }
        stop.cancel();
        timeout(Duration::from_secs(4), server)
            .await
            .expect("a stop does not wait for them")
            .expect("it ends");
        drop(held);
        nothing_is_open(&world).await;
        assert_eq!(ada.run("{ me { name } }").await.ok("/me/name"), "first", "what was cut is rolled back");
    }
}
