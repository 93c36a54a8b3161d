//! Events, the jobs and notifications that follow from them, and the installation's own row.

use sea_orm_migration::{
    prelude::*,
    schema::{blob, blob_null, integer, json_binary, json_binary_null, text, text_null, uuid, uuid_null},
};

use crate::schema::{id, index, moment, moment_null, one_of, owned_by, primary_key, reference};

pub async fn create(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    events(manager).await?;
    event_targets(manager).await?;
    jobs(manager).await?;
    notifications(manager).await?;
    installation(manager).await
}

async fn events(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let actors = ["USER", "API_KEY", "APPLICATION", "SYSTEM", "ANONYMOUS"];
    let table = Table::create()
        .table("events")
        .col(id())
        .col(text("type"))
        .col(one_of("events", "actor_kind", &actors))
        .col(uuid_null("actor_id"))
        .col(text_null("actor_name"))
        .col(uuid_null("organization_id"))
        .col(uuid_null("application_id"))
        .col(json_binary_null("data"))
        .col(text_null("ip"))
        .col(text_null("user_agent"))
        .col(text_null("request_id"))
        .col(moment("occurred_at"))
        .take();
    manager.create_table(table).await?;
    for columns in [
        ["occurred_at", "id"],
        ["type", "occurred_at"],
        ["actor_id", "occurred_at"],
        ["organization_id", "occurred_at"],
    ] {
        manager.create_index(index("events", &columns)).await?;
    }
    Ok(())
}

async fn event_targets(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let table = Table::create()
        .table("event_targets")
        .col(uuid("event_id"))
        .col(text("target_id"))
        .col(integer("position"))
        .primary_key(&mut primary_key(&["event_id", "target_id"]))
        .foreign_key(&mut owned_by("event_targets", "event_id", "events"))
        .take();
    manager.create_table(table).await?;
    manager.create_index(index("event_targets", &["target_id"])).await
}

async fn jobs(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let table = Table::create()
        .table("jobs")
        .col(id())
        .col(text("kind"))
        .col(json_binary("payload"))
        .col(one_of("jobs", "state", &["QUEUED", "DEAD"]))
        .col(moment("run_at"))
        .col(integer("attempts"))
        .col(integer("max_attempts"))
        .col(moment_null("locked_until"))
        .col(text_null("locked_by"))
        .col(text_null("last_error"))
        .col(moment("created_at"))
        .take();
    manager.create_table(table).await?;
    manager.create_index(index("jobs", &["state", "run_at"])).await
}

async fn notifications(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let states = ["PENDING", "SENT", "FAILED"];
    let table = Table::create()
        .table("notifications")
        .col(id())
        .col(uuid_null("user_id"))
        .col(uuid("application_id"))
        .col(one_of("notifications", "channel", &["EMAIL", "SMS"]))
        .col(text("template"))
        .col(text_null("locale"))
        .col(blob_null("sealed"))
        .col(one_of("notifications", "state", &states))
        .col(moment("created_at"))
        .col(moment_null("sent_at"))
        .foreign_key(reference("notifications", "user_id", "users").on_delete(ForeignKeyAction::SetNull))
        .foreign_key(&mut owned_by("notifications", "application_id", "applications"))
        .take();
    manager.create_table(table).await?;
    manager.create_index(index("notifications", &["user_id"])).await?;
    manager.create_index(index("notifications", &["state", "created_at"])).await
}

async fn installation(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let table = Table::create()
        .table("installation")
        .col(integer("id").primary_key())
        .col(moment("created_at"))
        .col(blob("secret_check"))
        .check(("ck__installation__id", Expr::col("id").eq(1)))
        .take();
    manager.create_table(table).await
}
