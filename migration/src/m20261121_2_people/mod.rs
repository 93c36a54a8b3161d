//! Invitations, what a registration waits to join, and the text search over people.

mod search;

use sea_orm_migration::{
    prelude::*,
    schema::{json_binary, text, uuid, uuid_null},
};

use crate::schema::{id, index, moment, one_of, owned_by, unique};

pub struct People;

/// By hand: the derive takes the name of the file, and this one is called `mod`.
impl MigrationName for People {
    fn name(&self) -> &'static str {
        "m20261121_2_people"
    }
}

#[expect(elided_lifetimes_in_paths, reason = "written out, it no longer matches the trait, which elides it")]
#[async_trait::async_trait]
impl MigrationTrait for People {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        invitations(manager).await?;
        pending_memberships(manager).await?;
        search::create(manager).await
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}

async fn invitations(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut token = ColumnDef::new("token_hash");
    manager
        .create_table(
            Table::create()
                .table("invitations")
                .col(id())
                .col(uuid("organization_id"))
                .col(text("email"))
                .col(text("email_key"))
                .col(json_binary("role_ids"))
                .col(token.blob().not_null())
                .col(one_of("invitations", "status", &["PENDING", "ACCEPTED", "DECLINED", "REVOKED"]))
                .col(uuid_null("invited_by"))
                .col(moment("created_at"))
                .col(moment("expires_at"))
                .foreign_key(&mut owned_by("invitations", "organization_id", "organizations"))
                .to_owned(),
        )
        .await?;
    manager.create_index(unique("invitations", &["token_hash"])).await?;
    manager.create_index(index("invitations", &["email_key"])).await?;
    manager.create_index(index("invitations", &["organization_id", "created_at"])).await?;
    // One open invitation for each address and organisation. Those that have run out are renewed, not doubled.
    let open = "CREATE UNIQUE INDEX \"uq__invitations__organization_id__email_key\" \
                ON \"invitations\" (\"organization_id\", \"email_key\") WHERE \"status\" = 'PENDING'";
    manager.get_connection().execute_unprepared(open).await?;
    Ok(())
}

/// What an account joins once its address is proved: by the code of an organisation, or by an invitation.
async fn pending_memberships(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    manager
        .create_table(
            Table::create()
                .table("pending_memberships")
                .col(uuid("user_id"))
                .col(uuid("organization_id"))
                .col(json_binary("role_ids"))
                .col(uuid_null("invitation_id"))
                .primary_key(&mut crate::schema::primary_key(&["user_id", "organization_id"]))
                .foreign_key(&mut owned_by("pending_memberships", "user_id", "users"))
                .foreign_key(&mut owned_by("pending_memberships", "organization_id", "organizations"))
                .foreign_key(&mut owned_by("pending_memberships", "invitation_id", "invitations"))
                .to_owned(),
        )
        .await?;
    Ok(())
}
