//! Connections to `PostgreSQL` that statements share: each is sent behind those that still wait for their answers, so that
//! neither side sleeps and wakes for every single one.
//!
//! What is slow holds up what was sent behind it. So only what an index answers at once goes here, and nothing depends
//! on it: whatever cannot be served here (no connection yet, a connection that died, too many who wait, TLS) the pool
//! serves. Here there are no transactions, and nothing is written.

use std::{
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::BytesMut;
use quick_cache::sync::Cache;
use sea_orm::{Statement, Value};
use tokio::time::timeout;
use tokio_postgres::{
    Client, Config, NoTls, Row,
    types::{IsNull, ToSql, Type, to_sql_checked},
};
use uuid::Uuid;

use super::{Heard, PATIENCE, STATEMENT_TIMEOUT, recall::Template};
use crate::config::PostgresUrl;

/// So many statements are remembered for each connection, by their text. There are few: the tiers of callers times what
/// front ends look at.
const PREPARED: usize = 200;
/// So many wait for the answers of one connection before the next one is better off with a connection of its own.
const LONGEST_QUEUE: usize = 128;
/// What they are called in PostgreSQL's lists, unless the address says otherwise.
const NAME: &str = "denizen shared";
/// Before a connection is tried again.
const PAUSE: Duration = Duration::from_secs(2);

#[derive(Clone)]
pub struct Shared(Arc<Road>);

struct Road {
    lanes: Vec<Lane>,
    closed: AtomicBool,
    heard: Arc<Heard>,
}

struct Lane {
    config: Config,
    link: RwLock<Option<Arc<Link>>>,
    opening: AtomicBool,
    waiting: AtomicUsize,
}

struct Link {
    client: Client,
    prepared: Cache<String, tokio_postgres::Statement>,
}

/// Whether there can be any, as far as the address tells.
pub fn possible(url: &PostgresUrl) -> bool {
    settings(url).is_ok()
}

impl Shared {
    /// Opens so many of them. The error says why there are none.
    pub async fn open(url: &PostgresUrl, connections: usize, heard: Arc<Heard>) -> Result<Self, String> {
        let config = settings(url)?;
        if connections == 0 {
            return Err("there are too few connections to set some of them apart".to_owned());
        }
        let lane = || Lane {
            config: config.clone(),
            link: RwLock::default(),
            opening: AtomicBool::new(false),
            waiting: AtomicUsize::new(0),
        };
        let lanes: Vec<_> = (0..connections).map(|_| lane()).collect();
        for lane in &lanes {
            lane.open().await?;
        }
        Ok(Self(Arc::new(Road { lanes, closed: AtomicBool::new(false), heard })))
    }

    /// The rows, or nothing if the pool is to be asked.
    pub async fn rows(&self, statement: &Statement) -> Option<Vec<Row>> {
        let (shared, statement) = (self.clone(), statement.clone());
        // In a task of its own: whoever asked may stop reading, and those behind would wait for them.
        let asked = tokio::spawn(async move {
            let values = statement.values.iter().flat_map(|values| &values.0).map(Parameter::Value);
            shared.ask(&statement.sql, &values.collect::<Vec<_>>()).await
        });
        asked.await.ok().flatten()
    }

    /// The rows of these ids, and of those of others who ask the same at the same time: the ids stand in the first column,
    /// and in the template's place. Nothing if the pool is to be asked.
    pub async fn found(&self, template: &Arc<Template>, ids: &[Uuid]) -> Option<Arc<Found>> {
        let (shared, asked) = (self.clone(), Arc::clone(template));
        let fetch = move |ids: Vec<Uuid>| {
            let (shared, template) = (shared.clone(), Arc::clone(&asked));
            async move {
                let values = template.statement.values.iter().flat_map(|values| &values.0).enumerate();
                let values = values.map(|(place, value)| match place {
                    place if place == template.place => Parameter::Ids(&ids),
                    _ => Parameter::Value(value),
                });
                let rows = shared.ask(&template.statement.sql, &values.collect::<Vec<_>>()).await?;
                Found::new(rows).map(Arc::new)
            }
        };
        template.together.ask(ids, self.0.lanes.len(), fetch).await
    }

    async fn ask(&self, sql: &str, values: &[Parameter<'_>]) -> Option<Vec<Row>> {
        let (place, link) = self.shortest()?;
        let lane = &self.0.lanes[place];
        let _place = Waiting::at(lane);
        match timeout(PATIENCE, link.rows(sql, values)).await {
            Ok(Ok(rows)) => rows.inspect(|_| self.0.heard.hear(sql)),
            // The pool finds out what is wrong, and says it in the words that everybody knows. It may be that the
            // statement was prepared before the schema changed.
            Ok(Err(error)) => {
                tracing::debug!(reason = reason(&error), "a shared connection did not answer");
                link.prepared.remove(sql);
                None
            }
            Err(_) => {
                lane.close(&link);
                None
            }
        }
    }

    /// The connection for which the fewest wait. Those that have died are opened again meanwhile.
    fn shortest(&self) -> Option<(usize, Arc<Link>)> {
        let mut shortest: Option<(usize, usize, Arc<Link>)> = None;
        for (place, lane) in self.0.lanes.iter().enumerate() {
            let Some(link) = lane.link() else {
                self.mend(place);
                continue;
            };
            let waiting = lane.waiting.load(Ordering::Relaxed);
            if waiting < shortest.as_ref().map_or(LONGEST_QUEUE, |(waiting, ..)| *waiting) {
                shortest = Some((waiting, place, link));
            }
        }
        shortest.map(|(_, place, link)| (place, link))
    }

    /// Opens the connection again, while nobody waits for it.
    fn mend(&self, place: usize) {
        let road = Arc::clone(&self.0);
        if road.closed.load(Ordering::Relaxed) || road.lanes[place].opening.swap(true, Ordering::Relaxed) {
            return;
        }
        tokio::spawn(async move {
            let lane = &road.lanes[place];
            if let Err(error) = lane.open().await {
                tracing::debug!(error, "a shared connection could not be opened");
                tokio::time::sleep(PAUSE).await;
            }
            lane.opening.store(false, Ordering::Relaxed);
        });
    }

    pub fn close(&self) {
        self.0.closed.store(true, Ordering::Relaxed);
        for lane in &self.0.lanes {
            lane.link().iter().for_each(|link| lane.close(link));
        }
    }
}

impl Lane {
    async fn open(&self) -> Result<(), String> {
        // The driver's own limit ends where the connection stands: who says nothing then would be waited for without end.
        let connected = timeout(PATIENCE, self.config.connect(NoTls)).await;
        let (client, connection) = connected
            .map_err(|_| "the database does not answer".to_owned())?
            .map_err(|error| reason(&error))?;
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(reason = reason(&error), "a shared connection ended");
            }
        });
        let link = Link { client, prepared: Cache::new(PREPARED) };
        *self.link.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(link));
        Ok(())
    }

    fn link(&self) -> Option<Arc<Link>> {
        let link = self.link.read().unwrap_or_else(PoisonError::into_inner);
        link.as_ref().filter(|link| !link.client.is_closed()).cloned()
    }

    /// Gives this connection up, unless another one has taken its place already.
    fn close(&self, given_up: &Arc<Link>) {
        let mut link = self.link.write().unwrap_or_else(PoisonError::into_inner);
        if link.as_ref().is_some_and(|link| Arc::ptr_eq(link, given_up)) {
            *link = None;
        }
    }
}

impl Link {
    /// Nothing if there is a value that is not known here.
    async fn rows(
        &self,
        sql: &str,
        values: &[Parameter<'_>],
    ) -> Result<Option<Vec<Row>>, tokio_postgres::Error> {
        let statement = if let Some(prepared) = self.prepared.get(sql) {
            prepared
        } else {
            let Some(types) = values.iter().map(Parameter::kind).collect::<Option<Vec<_>>>() else {
                return Ok(None);
            };
            let prepared = self.client.prepare_typed(sql, &types).await?;
            self.prepared.insert(sql.to_owned(), prepared.clone());
            prepared
        };
        let values: Vec<_> = values.iter().map(|value| value as &(dyn ToSql + Sync)).collect();
        self.client.query(&statement, &values).await.map(Some)
    }
}

/// What happened, by its code: the server's words quote what it was given.
fn reason(error: &tokio_postgres::Error) -> String {
    match error.code() {
        Some(code) => format!("the database answered {}", code.code()),
        None if error.is_closed() => "the connection was closed".to_owned(),
        None => "the connection broke or could not be made".to_owned(),
    }
}

/// Where the pool finds its database, in the words of the other driver: reading the address anew, that one might find another.
/// Where the password stands in a file, there is none here, and if one is needed, there will be no shared connections.
fn settings(url: &PostgresUrl) -> Result<Config, String> {
    let found = url.options();
    if url.insists_on_tls() {
        return Err("the way to the database has to be encrypted, and theirs would not be".to_owned());
    }
    if !url.caches_statements() {
        return Err("statements are not to be prepared for longer than once".to_owned());
    }
    let mut config = Config::new();
    match found.get_socket() {
        Some(folder) => config.host_path(folder),
        None => config.host(found.get_host()),
    };
    config.port(found.get_port()).user(found.get_username());
    config.dbname(found.get_database().unwrap_or(found.get_username()));
    config.application_name(found.get_application_name().unwrap_or(NAME));
    if let Some(password) = url.password() {
        config.password(password.expose());
    }
    // An index answers whatever comes here: there is nothing to learn from the values, and planning takes longer than asking.
    let limits = format!(
        "-c statement_timeout={} -c plan_cache_mode=force_generic_plan",
        STATEMENT_TIMEOUT.as_millis()
    );
    let options = found.get_options().map_or_else(String::new, |given| format!("{given} "));
    config.options(options + &limits).connect_timeout(PATIENCE).tcp_user_timeout(PATIENCE);
    Ok(config)
}

/// Rows by the id in their first column.
pub struct Found {
    rows: Vec<Row>,
    /// Where those of an id stand: sorted by id.
    places: Vec<(Uuid, usize)>,
}

impl Found {
    fn new(rows: Vec<Row>) -> Option<Self> {
        let id = |(place, row): (usize, &Row)| Some((row.try_get(0).ok()?, place));
        let mut places = rows.iter().enumerate().map(id).collect::<Option<Vec<_>>>()?;
        places.sort_unstable();
        Some(Self { rows, places })
    }

    pub fn of(&self, id: Uuid) -> impl Iterator<Item = &Row> {
        let first = self.places.partition_point(|(other, _)| *other < id);
        let places = self.places[first..].iter().take_while(move |(other, _)| *other == id);
        places.map(|(_, place)| &self.rows[*place])
    }
}

/// A place in the queue, until it is dropped.
struct Waiting<'a>(&'a Lane);

impl<'a> Waiting<'a> {
    fn at(lane: &'a Lane) -> Self {
        lane.waiting.fetch_add(1, Ordering::Relaxed);
        Self(lane)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

#[derive(Debug)]
enum Parameter<'a> {
    Value(&'a Value),
    Ids(&'a [Uuid]),
}

impl Parameter<'_> {
    /// Its type: the same that the pool's driver gives to it, and for ids an array of what they are.
    const fn kind(&self) -> Option<Type> {
        Some(match self {
            Self::Ids(_) => Type::UUID_ARRAY,
            Self::Value(Value::Bool(_)) => Type::BOOL,
            Self::Value(Value::Int(_)) => Type::INT4,
            Self::Value(Value::BigInt(_) | Value::BigUnsigned(_)) => Type::INT8,
            Self::Value(Value::String(_)) => Type::TEXT,
            Self::Value(Value::Uuid(_)) => Type::UUID,
            Self::Value(_) => return None,
        })
    }
}

impl ToSql for Parameter<'_> {
    fn to_sql(
        &self,
        ty: &Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        let value = match self {
            // The driver would panic in the middle of the message.
            _ if self.kind().as_ref() != Some(ty) => return Err("prepared for values of another type".into()),
            Self::Ids(ids) => return ids.to_sql(ty, out),
            Self::Value(value) => value,
        };
        match value {
            Value::Bool(value) => value.to_sql(ty, out),
            Value::Int(value) => value.to_sql(ty, out),
            Value::BigInt(value) => value.to_sql(ty, out),
            Value::BigUnsigned(value) => value.map(i64::try_from).transpose()?.to_sql(ty, out),
            Value::String(value) => value.as_deref().to_sql(ty, out),
            Value::Uuid(value) => value.to_sql(ty, out),
            _ => Err("a value of this type is not known here".into()),
        }
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio_postgres::config::Host;

    fn settings(url: &str) -> Result<Config, String> {
        super::settings(&url.parse()?)
    }

    #[test]
    fn both_drivers_find_the_same_database() {
        let config =
            settings("postgres://ada:p%40ss%2Bw%25@db.example:6543/people?application_name=denizen").unwrap();
        assert_eq!(config.get_hosts(), [Host::Tcp("db.example".into())]);
        assert_eq!((config.get_ports(), config.get_dbname()), (&[6543][..], Some("people")));
        assert_eq!((config.get_user(), config.get_password()), (Some("ada"), Some(&b"p@ss+w%"[..])));
        let ours = "-c statement_timeout=15000 -c plan_cache_mode=force_generic_plan";
        assert_eq!(config.get_options(), Some(ours));
        let config =
            settings("postgres://ada@localhost/people?host=/run/postgresql&options=-c%20a.b=1").unwrap();
        assert_eq!(config.get_hosts(), [Host::Unix("/run/postgresql".into())], "and not the host beside it");
        for never in ["sslmode=require", "sslmode=verify-full", "statement-cache-capacity=0"] {
            assert!(settings(&format!("postgres://ada@db.example/people?{never}")).is_err(), "{never}");
        }
        assert_eq!(config.get_options(), Some(&*format!("-c a.b=1 {ours}")));
    }
}
