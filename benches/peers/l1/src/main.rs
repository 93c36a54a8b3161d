//! The practical limit: axum, four pipelined connections of tokio-postgres, one joined statement, structs of serde.
//! No GraphQL and no authorisation. It answers what Denizen answers, under `data`.

use std::{
    collections::HashMap,
    env,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use axum::{
    Json, Router,
    extract::{Query, State},
    routing::{get, post},
};
use serde::Serialize;
use tokio_postgres::{Client, NoTls, Row, Statement};
use uuid::Uuid;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const CONNECTIONS: usize = 4;

struct Connection {
    client: Client,
    one: Statement,
    page: Statement,
    many: Statement,
}

struct App {
    connections: Vec<Connection>,
    next: AtomicUsize,
}

impl App {
    fn connection(&self) -> &Connection {
        &self.connections[self.next.fetch_add(1, Ordering::Relaxed) % self.connections.len()]
    }
}

const ONE: &str = "SELECT u.id, u.user_name, u.name, u.email, u.status, o.id, o.code, o.name, r.code, r.permissions \
    FROM users u LEFT JOIN memberships m ON m.user_id = u.id AND m.is_primary LEFT JOIN organizations o ON o.id = m.organization_id \
    LEFT JOIN grants g ON g.user_id = u.id LEFT JOIN roles r ON r.id = g.role_id WHERE u.id = $1 ORDER BY r.code_key";
const PAGE: &str = "SELECT u.id, u.user_name, u.name, u.email, o.name, r.code \
    FROM (SELECT id, user_name, name, email, created_at FROM users ORDER BY created_at DESC, id DESC LIMIT 50) u \
    LEFT JOIN memberships m ON m.user_id = u.id AND m.is_primary LEFT JOIN organizations o ON o.id = m.organization_id \
    LEFT JOIN grants g ON g.user_id = u.id LEFT JOIN roles r ON r.id = g.role_id \
    ORDER BY u.created_at DESC, u.id DESC, r.code_key";
const MANY: &str = "SELECT u.id, u.user_name, u.name, u.email, o.name FROM users u \
    LEFT JOIN memberships m ON m.user_id = u.id AND m.is_primary LEFT JOIN organizations o ON o.id = m.organization_id \
    WHERE u.id = ANY($1)";

#[derive(Serialize)]
struct One {
    data: Person,
}

#[derive(Serialize)]
struct Person {
    user: Option<OneUser>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct OneUser {
    id: String,
    user_name: String,
    name: Option<String>,
    email: Option<String>,
    status: String,
    organization: Option<OneOrganization>,
    roles: Vec<OneRole>,
}

#[derive(Serialize)]
struct OneOrganization {
    id: String,
    code: String,
    name: Option<String>,
}

#[derive(Serialize)]
struct OneRole {
    code: String,
    permissions: serde_json::Value,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ListedUser {
    id: String,
    user_name: String,
    name: Option<String>,
    email: Option<String>,
    organization: Option<Name>,
    #[serde(skip_serializing_if = "Option::is_none")]
    roles: Option<Vec<Code>>,
}

#[derive(Serialize)]
struct Name {
    name: String,
}

#[derive(Serialize)]
struct Code {
    code: String,
}

async fn one(State(app): State<Arc<App>>, Query(query): Query<HashMap<String, String>>) -> Json<One> {
    let Some(id) = query.get("id").and_then(|id| decode(id)) else {
        return Json(One { data: Person { user: None } });
    };
    let connection = app.connection();
    let rows = connection.client.query(&connection.one, &[&id]).await.unwrap();
    let user = rows.first().map(|row| OneUser {
        id: encode("user", row.get(0)),
        user_name: row.get(1),
        name: row.get(2),
        email: row.get(3),
        status: row.get(4),
        organization: row.get::<_, Option<Uuid>>(5).map(|id| OneOrganization {
            id: encode("org", id),
            code: row.get(6),
            name: row.get(7),
        }),
        roles: rows.iter().filter_map(role).collect(),
    });
    Json(One { data: Person { user } })
}

fn role(row: &Row) -> Option<OneRole> {
    Some(OneRole { code: row.get::<_, Option<String>>(8)?, permissions: row.get(9) })
}

#[derive(Serialize)]
struct Edge {
    node: ListedUser,
}

#[derive(Serialize)]
struct Page {
    data: Users,
}

#[derive(Serialize)]
struct Users {
    users: Edges,
}

#[derive(Serialize)]
struct Edges {
    edges: Vec<Edge>,
}

async fn page(State(app): State<Arc<App>>) -> Json<Page> {
    let connection = app.connection();
    let rows = connection.client.query(&connection.page, &[]).await.unwrap();
    let mut edges: Vec<Edge> = Vec::with_capacity(50);
    let mut last = Uuid::nil();
    for row in &rows {
        let id: Uuid = row.get(0);
        if id != last {
            last = id;
            let mut node = listed(row);
            node.roles = Some(Vec::new());
            edges.push(Edge { node });
        }
        if let (Some(edge), Some(code)) = (edges.last_mut(), row.get::<_, Option<String>>(5)) {
            edge.node.roles.get_or_insert_default().push(Code { code });
        }
    }
    Json(Page { data: Users { users: Edges { edges } } })
}

fn listed(row: &Row) -> ListedUser {
    ListedUser {
        id: encode("user", row.get(0)),
        user_name: row.get(1),
        name: row.get(2),
        email: row.get(3),
        organization: row.get::<_, Option<String>>(4).map(|name| Name { name }),
        roles: None,
    }
}

#[derive(Serialize)]
struct Entities {
    data: Found,
}

#[derive(Serialize)]
struct Found {
    #[serde(rename = "_entities")]
    entities: Vec<Option<Arc<ListedUser>>>,
}

async fn many(State(app): State<Arc<App>>, Json(ids): Json<Vec<String>>) -> Json<Entities> {
    let ids: Vec<Uuid> = ids.iter().filter_map(|id| decode(id)).collect();
    let connection = app.connection();
    let rows = connection.client.query(&connection.many, &[&ids]).await.unwrap();
    let found: HashMap<Uuid, Arc<ListedUser>> =
        rows.iter().map(|row| (row.get(0), Arc::new(listed(row)))).collect();
    Json(Entities { data: Found { entities: ids.iter().map(|id| found.get(id).cloned()).collect() } })
}

const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

fn encode(prefix: &str, id: Uuid) -> String {
    let bits = id.as_u128();
    let mut text = format!("{prefix}_");
    text.extend((0..26).rev().map(|place| char::from(ALPHABET[((bits >> (5 * place)) & 31) as usize])));
    text
}

fn decode(text: &str) -> Option<Uuid> {
    let (_, suffix) = text.split_once('_')?;
    let mut bits: u128 = 0;
    for letter in suffix.bytes() {
        bits = (bits << 5) | ALPHABET.iter().position(|known| *known == letter)? as u128;
    }
    Some(Uuid::from_u128(bits))
}

/// How many bcrypt hashes of this cost all cores together compute in a second.
fn hash_for(cost: u32, time: Duration) -> f64 {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let begun = Instant::now();
    let hashing = (0..cores).map(|_| {
        thread::spawn(move || {
            let mut hashes = 0_u32;
            while begun.elapsed() < time {
                bcrypt::hash_with_salt("seven lanterns on a bridge", cost, [7; 16]).expect("a hash");
                hashes += 1;
            }
            f64::from(hashes) / begun.elapsed().as_secs_f64()
        })
    });
    hashing.collect::<Vec<_>>().into_iter().map(|thread| thread.join().expect("a rate")).sum()
}

#[tokio::main]
async fn main() {
    let mut words = env::args().skip(1);
    if words.next().as_deref() == Some("bcrypt") {
        let number = |word: Option<String>| word.and_then(|word| word.parse().ok()).expect("a number");
        let (cost, seconds): (u64, u64) = (number(words.next()), number(words.next()));
        println!("{}", hash_for(cost as u32, Duration::from_secs(seconds)));
        return;
    }
    let url = env::var("DATABASE_URL").expect("DATABASE_URL");
    let mut connections = Vec::new();
    for _ in 0..CONNECTIONS {
        let (client, driver) = tokio_postgres::connect(&url, NoTls).await.expect("a connection");
        tokio::spawn(driver);
        connections.push(Connection {
            one: client.prepare(ONE).await.expect("a statement"),
            page: client.prepare(PAGE).await.expect("a statement"),
            many: client.prepare(MANY).await.expect("a statement"),
            client,
        });
    }
    let app = Arc::new(App { connections, next: AtomicUsize::new(0) });
    let router =
        Router::new().route("/q1", get(one)).route("/q2", get(page)).route("/q3", post(many)).with_state(app);
    let listener = tokio::net::TcpListener::bind(env::var("LISTEN").expect("LISTEN")).await.expect("a port");
    axum::serve(listener, router).await.expect("serving");
}
