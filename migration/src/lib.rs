//! The schema's history: what was shipped is frozen, the next change is a new migration. Imports no entity, because
//! those follow the present. Refuses to go back: an older program works on a newer schema instead.

mod m20261121_10_applications;
mod m20261121_12_failures;
mod m20261121_13_code_failures;
mod m20261121_1_core;
mod m20261121_2_people;
mod m20261121_5_guessing;
mod m20261121_6_api_keys;
mod m20261121_8_factors;
mod m20261121_9_proved;
mod m20261127_14_beside;
mod m20261130_16_registration_tokens;
mod m20261130_17_proved_numbers;
mod m20261130_18_dispatches;
mod m20261130_19_code_askers;
mod m20261130_20_refresh;
mod m20261130_22_job_lanes;
mod schema;

use std::collections::HashSet;

use sea_orm_migration::{
    Migration,
    prelude::*,
    sea_orm::{
        DatabaseConnection, DatabaseTransaction, DbBackend, EntityTrait, IsolationLevel,
        SqliteTransactionMode, TransactionOptions, TransactionTrait,
    },
    seaql_migrations,
};

/// The lock that lets one instance at a time migrate: "denizen" in ASCII, so that it meets no other program's.
const LOCK: i64 = 0x0064_656e_697a_656e;

/// The list of migrations, oldest first.
pub struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m20261121_1_core::Core),
            Box::new(m20261121_2_people::People),
            Box::new(m20261121_5_guessing::Guessing),
            Box::new(m20261121_6_api_keys::ApiKeys),
            Box::new(m20261121_8_factors::Factors),
            Box::new(m20261121_9_proved::Proved),
            Box::new(m20261121_10_applications::Applications),
            Box::new(m20261121_12_failures::Failures),
            Box::new(m20261121_13_code_failures::CodeFailures),
            Box::new(m20261127_14_beside::Beside),
            Box::new(m20261130_16_registration_tokens::RegistrationTokens),
            Box::new(m20261130_17_proved_numbers::ProvedNumbers),
            Box::new(m20261130_18_dispatches::Dispatches),
            Box::new(m20261130_19_code_askers::CodeAskers),
            Box::new(m20261130_20_refresh::Refresh),
            Box::new(m20261130_22_job_lanes::JobLanes),
        ]
    }

    /// The stock version refuses a database that knows a migration this program does not. During a rolling update
    /// that is the normal case: the new instance has migrated, and one of the old version starts again.
    async fn get_pending_migrations<C>(db: &C) -> Result<Vec<Migration>, DbErr>
    where
        C: ConnectionTrait,
    {
        Ok(not_among(&Self::get_migration_models(db).await?))
    }
}

/// Brings the schema up to date; does nothing when it is. All of it happens or nothing, and one instance at a time:
/// the others wait, and then find nothing to do.
pub async fn run(db: &DatabaseConnection) -> Result<(), DbErr> {
    // An instance that has nothing to do needs neither the lock nor the right to create tables.
    if pending(db).await?.is_empty() {
        return Ok(());
    }
    let transaction = begin_alone(db).await?;
    // Each migration is a savepoint in this transaction.
    Migrator::up(&transaction, None).await?;
    transaction.commit().await
}

/// The names of the migrations that [`run`] would apply. Only reads, so an account without the right to create
/// tables may ask.
pub async fn pending(db: &DatabaseConnection) -> Result<Vec<String>, DbErr> {
    let history = Migrator::migration_table_name();
    let applied = if SchemaManager::new(db).has_table(history.to_string()).await? {
        seaql_migrations::Entity::find().all(db).await?
    } else {
        Vec::new()
    };
    Ok(not_among(&applied).iter().map(|migration| migration.name().to_owned()).collect())
}

fn not_among(applied: &[seaql_migrations::Model]) -> Vec<Migration> {
    let applied: HashSet<&str> = applied.iter().map(|row| row.version.as_str()).collect();
    Migrator::get_migration_files()
        .into_iter()
        .filter(|migration| !applied.contains(migration.name()))
        .collect()
}

/// A transaction that no second migrating instance can be in. The lock and the work share one connection of the pool:
/// a lock taken by a statement of its own would stay behind on whichever connection happened to run it.
#[expect(clippy::disallowed_methods, reason = "a start is not broken off: it ends, or the process does")]
async fn begin_alone(db: &DatabaseConnection) -> Result<DatabaseTransaction, DbErr> {
    if db.get_database_backend() == DbBackend::Sqlite {
        // The writer's lock is taken before the first look: a deferred transaction could look, and then wait for
        // another process to apply the very migration it is about to apply.
        return db
            .begin_with_options(TransactionOptions {
                sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
                ..TransactionOptions::default()
            })
            .await;
    }
    // Read committed, whatever the server's default: under a snapshot, taken before the wait, the one who waited
    // would not see what the other one did.
    let transaction = db.begin_with_config(Some(IsolationLevel::ReadCommitted), None).await?;
    // The limits that suit requests suit neither the wait nor a migration of a large table.
    let limits = ["statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout"];
    let lifted = limits.map(|limit| format!("SET LOCAL {limit} = 0")).join("; ");
    transaction.execute_unprepared(&lifted).await?;
    // Released with the transaction, however that ends.
    transaction.execute_unprepared(&format!("SELECT pg_advisory_xact_lock({LOCK})")).await?;
    Ok(transaction)
}
