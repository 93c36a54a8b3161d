//! Entities and migrations are written apart, so that history stays frozen. This holds them together: it compares the
//! columns, keys and closed sets that the entities describe with those of a migrated, live database. Indexes and
//! foreign keys it leaves to the tests that break them, for the entities do not describe these.

use std::collections::{BTreeMap, BTreeSet};

use sea_orm::{
    ActiveEnum, ColumnTrait, ColumnType, ConnectionTrait, DatabaseConnection, DbBackend, EntityTrait,
    IdenStatic, Iterable, PrimaryKeyToColumn, Statement, sea_query::StringLen,
};

/// What is where: "users.status" → "varchar(32)", "check `ck__users__status`" → "ACTIVE DEACTIVATED UNVERIFIED".
type Schema = BTreeMap<String, String>;

/// The history of the migrations, and the text index of SQLite: no entity stands for them.
const WITHOUT_ENTITY: [&str; 2] = ["seaql_migrations.", "users_text"];

/// Panics, and names every difference, unless the entities describe this database: no more and no less.
pub async fn assert_entities_match(db: &DatabaseConnection) {
    let backend = db.get_database_backend();
    let described = described_by_entities(backend);
    let found = found_in_database(db).await;
    let differences = differences(&described, &found);
    assert!(
        differences.is_empty(),
        "entities and migrations disagree on {backend:?}:\n  {}",
        differences.join("\n  ")
    );
}

fn differences(described: &Schema, found: &Schema) -> Vec<String> {
    let places: BTreeSet<&String> = described.keys().chain(found.keys()).collect();
    places
        .into_iter()
        .filter_map(|place| match (described.get(place), found.get(place)) {
            (Some(entity), Some(database)) if entity == database => None,
            (Some(entity), Some(database)) => {
                Some(format!("{place}: the entity says {entity}, the database {database}"))
            }
            (Some(entity), None) => {
                Some(format!("{place}: the entity says {entity}, the database has no such thing"))
            }
            (None, database) => Some(format!(
                "{place}: no entity describes it, the database says {}",
                database.map_or("nothing", String::as_str)
            )),
        })
        .collect()
}

// What the entities describe: a new table is one line here, and a closed set another.

fn described_by_entities(backend: DbBackend) -> Schema {
    [
        columns_of::<entity::api_key::Entity>(backend),
        columns_of::<entity::application::Entity>(backend),
        columns_of::<entity::attempt::Entity>(backend),
        columns_of::<entity::challenge::Entity>(backend),
        columns_of::<entity::device_token::Entity>(backend),
        columns_of::<entity::dispatch::Entity>(backend),
        columns_of::<entity::event::Entity>(backend),
        columns_of::<entity::extension_user::Entity>(backend),
        columns_of::<entity::id_token::Entity>(backend),
        columns_of::<entity::event_target::Entity>(backend),
        columns_of::<entity::failure::Entity>(backend),
        columns_of::<entity::grant::Entity>(backend),
        columns_of::<entity::installation::Entity>(backend),
        columns_of::<entity::invitation::Entity>(backend),
        columns_of::<entity::job::Entity>(backend),
        columns_of::<entity::membership::Entity>(backend),
        columns_of::<entity::model::Entity>(backend),
        columns_of::<entity::notification::Entity>(backend),
        columns_of::<entity::one_time_code::Entity>(backend),
        columns_of::<entity::organization::Entity>(backend),
        columns_of::<entity::passkey::Entity>(backend),
        columns_of::<entity::password::Entity>(backend),
        columns_of::<entity::pending_membership::Entity>(backend),
        columns_of::<entity::proof::Entity>(backend),
        columns_of::<entity::recovery_code::Entity>(backend),
        columns_of::<entity::refresh_token::Entity>(backend),
        columns_of::<entity::registration::Entity>(backend),
        columns_of::<entity::registration_token::Entity>(backend),
        columns_of::<entity::role::Entity>(backend),
        columns_of::<entity::session::Entity>(backend),
        columns_of::<entity::signing_key::Entity>(backend),
        columns_of::<entity::totp_secret::Entity>(backend),
        columns_of::<entity::user::Entity>(backend),
        columns_of::<entity::user_model::Entity>(backend),
        closed_set::<entity::ActorKind>("events", "actor_kind"),
        closed_set::<entity::Channel>("notifications", "channel"),
        closed_set::<entity::Channel>("one_time_codes", "channel"),
        closed_set::<entity::CodePurpose>("failures", "purpose"),
        closed_set::<entity::CodePurpose>("one_time_codes", "purpose"),
        closed_set::<entity::ChallengeKind>("challenges", "kind"),
        closed_set::<entity::IdentityBackend>("applications", "backend"),
        closed_set::<entity::InvitationStatus>("invitations", "status"),
        closed_set::<entity::JobState>("jobs", "state"),
        closed_set::<entity::NotificationState>("notifications", "state"),
        closed_set::<entity::UserStatus>("users", "status"),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn columns_of<E: EntityTrait>(backend: DbBackend) -> Schema {
    let keys: Vec<&str> = E::PrimaryKey::iter().map(|key| key.into_column().as_str()).collect();
    E::Column::iter()
        .map(|column| {
            let name = column.as_str();
            let definition = column.def();
            let mut shape = type_name(backend, definition.get_column_type());
            if definition.is_null() {
                shape.push_str(", nullable");
            }
            if keys.contains(&name) {
                shape.push_str(", key");
            }
            (format!("{}.{name}", E::default().table_name()), shape)
        })
        .collect()
}

/// The name under which the catalogue lists a column that was created with this type.
fn type_name(backend: DbBackend, column_type: &ColumnType) -> String {
    let (postgres, sqlite) = match column_type {
        ColumnType::BigInteger => ("bigint", "integer"),
        ColumnType::Blob => ("bytea", "blob"),
        ColumnType::Boolean => ("boolean", "boolean"),
        ColumnType::Integer => ("integer", "integer"),
        ColumnType::JsonBinary => ("jsonb", "jsonb_text"),
        ColumnType::String(StringLen::N(32)) => ("character varying(32)", "varchar(32)"),
        ColumnType::Text => ("text", "text"),
        ColumnType::Uuid => ("uuid", "uuid_text"),
        // A `String` or `Json` field without its `column_type` ends here too.
        other => return format!("{other:?}, which no table of ours uses"),
    };
    match backend {
        DbBackend::Postgres => postgres.to_owned(),
        _ => sqlite.to_owned(),
    }
}

fn closed_set<A: ActiveEnum<Value = String>>(table: &str, column: &str) -> Schema {
    let words = A::values();
    Schema::from([check(&format!("ck__{table}__{column}"), words.iter().map(String::as_str))])
}

fn check<'a>(name: &str, words: impl Iterator<Item = &'a str>) -> (String, String) {
    let words: BTreeSet<&str> = words.collect();
    (format!("check {name}"), Vec::from_iter(words).join(" "))
}

// What the database has: the queries already speak as the entities do.

const SQLITE_COLUMNS: &str = r#"
    SELECT t.name || '.' || c.name,
           lower(c.type) || iif(c."notnull", '', ', nullable') || iif(c.pk, ', key', '')
    FROM sqlite_schema t JOIN pragma_table_info(t.name) c
    WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite~_%' ESCAPE '~'"#;

const POSTGRES_COLUMNS: &str = "
    SELECT t.relname || '.' || a.attname,
           format_type(a.atttypid, a.atttypmod)
               || CASE WHEN a.attnotnull THEN '' ELSE ', nullable' END
               || CASE WHEN a.attnum = ANY (k.indkey) THEN ', key' ELSE '' END
    FROM pg_class t
    JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped
    LEFT JOIN pg_index k ON k.indrelid = t.oid AND k.indisprimary
    WHERE t.relkind IN ('r', 'p') AND t.relnamespace = current_schema()::regnamespace";

/// One whole table a row: its checks are parts of its text.
const SQLITE_CHECKS: &str = "SELECT name, sql FROM sqlite_schema WHERE type = 'table'";

const POSTGRES_CHECKS: &str = r#"
    SELECT conname::text, 'CONSTRAINT "' || conname || '" ' || pg_get_constraintdef(oid)
    FROM pg_constraint
    WHERE contype = 'c' AND connamespace = current_schema()::regnamespace"#;

async fn found_in_database(db: &DatabaseConnection) -> Schema {
    let (columns, checks) = match db.get_database_backend() {
        DbBackend::Postgres => (POSTGRES_COLUMNS, POSTGRES_CHECKS),
        _ => (SQLITE_COLUMNS, SQLITE_CHECKS),
    };
    let mut schema: Schema = pairs(db, columns)
        .await
        .into_iter()
        .filter(|(place, _)| !WITHOUT_ENTITY.iter().any(|start| place.starts_with(start)))
        .collect();
    for (_, definition) in pairs(db, checks).await {
        schema.extend(checks_in(&definition));
    }
    schema
}

async fn pairs(db: &DatabaseConnection, sql: &str) -> Vec<(String, String)> {
    let statement = Statement::from_string(db.get_database_backend(), sql);
    let rows = db.query_all_raw(statement).await.expect("a catalogue");
    rows.iter().map(|row| row.try_get_many_by_index().expect("two texts")).collect()
}

/// As far as the parenthesis that closes the first one: columns that were added later stand behind it.
fn in_parentheses(text: &str) -> &str {
    let mut depth = 0_i32;
    for (at, sign) in text.char_indices() {
        depth += match sign {
            '(' => 1,
            ')' => -1,
            _ => continue,
        };
        if depth == 0 {
            return &text[..at];
        }
    }
    text
}

/// The closed sets in a definition: each named constraint with the words it quotes. One that quotes none is a rule of
/// another kind.
fn checks_in(definition: &str) -> Schema {
    definition
        .split("CONSTRAINT \"")
        .skip(1)
        .filter_map(|constraint| {
            let (name, rule) = constraint.split_once('"')?;
            let rule = in_parentheses(rule);
            let words = rule.split('\'').skip(1).step_by(2);
            rule.contains('\'').then(|| check(name, words))
        })
        .collect()
}
