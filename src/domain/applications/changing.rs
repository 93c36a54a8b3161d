//! Registering and changing applications.

use entity::{IdentityBackend, application};
use sea_orm::{ActiveModelTrait, EntityTrait, IntoActiveModel, QuerySelect, Set};
use serde_json::{Value as Json, json};
use uuid::Uuid;

use super::{
    redirects,
    secrets::{self, SecretKind},
    service::no_such_application,
};
use crate::{
    authz::{Permission, Scope},
    change::Change,
    context::Ctx,
    db::Txn,
    domain::{
        events::log::{self, EventType, NewEvent},
        identity::names,
    },
    error::{Error, ErrorCode, Fault, Result},
    ids::Kind,
};

/// What is said of a foreign backend. Whatever it is, there is none yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backend {
    Nothing,
    Settings,
}

pub struct NewApplication {
    pub name: String,
    pub backend: IdentityBackend,
    pub settings: Backend,
    pub redirect_urls: Vec<String>,
}

/// A new application, and its secrets, which nobody sees again.
pub struct Registered {
    pub application: application::Model,
    pub client_secret: String,
    pub extension_key: String,
}

pub async fn register(ctx: &Ctx, new: NewApplication) -> Result<Registered> {
    ctx.actor.require(Permission::AppRegister, Scope::Platform)?;
    let NewApplication { name, backend, settings, redirect_urls } = new;
    let mut faults: Vec<_> = name_fault(&name).into_iter().collect();
    let name = spaced(&name);
    if backend == IdentityBackend::FusionAuth {
        faults.push(unsupported("backend"));
    } else {
        faults.extend(settings_fault(settings));
    }
    faults.extend(redirects::faults(&redirect_urls));
    refuse(faults)?;
    let (client_secret, extension_key) = (secrets::client_secret(ctx), secrets::extension_key(ctx)?);
    let now = ctx.now();
    let row = application::ActiveModel {
        id: Set(ctx.new_id()),
        name_key: Set(names::name_key(&name)),
        name: Set(name),
        active: Set(true),
        backend: Set(backend),
        backend_settings: Set(None),
        client_secret_hash: Set(Some(client_secret.kept)),
        extension_key: Set(Some(extension_key.kept)),
        redirect_urls: Set(json!(redirect_urls)),
        is_default: Set(false),
        created_at: Set(now),
        updated_at: Set(now),
    };
    let txn = ctx.app.db.begin().await?;
    let application = row.insert(&*txn).await.map_err(or_taken)?;
    let data = json!({ "name": application.name, "redirectUrls": application.redirect_urls });
    tell(&txn, ctx, EventType::ApplicationRegistered, application.id, data).await?;
    txn.commit().await?;
    let (client_secret, extension_key) = (client_secret.shown, extension_key.shown);
    Ok(Registered { application, client_secret, extension_key })
}

pub struct ApplicationChange {
    pub id: Option<Uuid>,
    pub name: Change<String>,
    pub active: Change<bool>,
    pub settings: Backend,
    pub redirect_urls: Change<Vec<String>>,
}

/// Changes what is mentioned. One that is switched off lets nobody in, and its sessions rest until it is on again.
pub async fn update(ctx: &Ctx, change: ApplicationChange) -> Result<application::Model> {
    ctx.actor.require(Permission::AppRegister, Scope::Platform)?;
    let ApplicationChange { id, name, active, settings, redirect_urls } = change;
    let txn = ctx.app.db.begin().await?;
    let before = held(&txn, id).await?;
    let mut faults = Vec::new();
    match &name {
        Change::Keep => {}
        Change::Clear => faults.extend(name_fault("")),
        Change::Set(name) => faults.extend(name_fault(name)),
    }
    match active {
        Change::Clear => faults.push(Fault::required("active", "An application is active, or it is not.")),
        Change::Set(false) if before.is_default => {
            let message = "This one is meant by whoever names none: it stays active.";
            faults.push(Fault::new(ErrorCode::NotAllowed, &["active"], message));
        }
        Change::Keep | Change::Set(_) => {}
    }
    faults.extend(settings_fault(settings));
    faults.extend(redirects::faults(redirect_urls.value().map(Vec::as_slice).unwrap_or_default()));
    refuse(faults)?;
    let mut after = before.clone();
    if let Change::Set(name) = name {
        let name = spaced(&name);
        (after.name_key, after.name) = (names::name_key(&name), name);
    }
    if let Change::Set(active) = active {
        after.active = active;
    }
    match redirect_urls {
        Change::Keep => {}
        Change::Clear => after.redirect_urls = json!([]),
        Change::Set(urls) => after.redirect_urls = json!(urls),
    }
    let changed = changed(&before, &after);
    if changed == json!({}) {
        return Ok(before);
    }
    after.updated_at = ctx.now();
    let after = after.into_active_model().reset_all().update(&*txn).await.map_err(or_taken)?;
    tell(&txn, ctx, EventType::ApplicationUpdated, after.id, changed).await?;
    if before.active != after.active {
        ctx.forget_everybody(&txn);
    }
    txn.commit().await?;
    Ok(after)
}

/// A new secret in the place of one: the old one is good for nothing from then on.
pub async fn rotate_secret(
    ctx: &Ctx,
    id: Option<Uuid>,
    kind: SecretKind,
) -> Result<(application::Model, String)> {
    ctx.actor.require(Permission::AppRegister, Scope::Platform)?;
    let secret = match kind {
        SecretKind::Client => secrets::client_secret(ctx),
        SecretKind::ExtensionKey => secrets::extension_key(ctx)?,
    };
    let txn = ctx.app.db.begin().await?;
    let mut row = held(&txn, id).await?.into_active_model();
    match kind {
        SecretKind::Client => row.client_secret_hash = Set(Some(secret.kept)),
        SecretKind::ExtensionKey => row.extension_key = Set(Some(secret.kept)),
    }
    row.updated_at = Set(ctx.now());
    let row = row.update(&*txn).await?;
    let data = json!({ "rotated": [kind.as_str()] });
    tell(&txn, ctx, EventType::ApplicationUpdated, row.id, data).await?;
    txn.commit().await?;
    Ok((row, secret.shown))
}

/// The application, held until the end: two who change it come one after the other.
async fn held(txn: &Txn, id: Option<Uuid>) -> Result<application::Model> {
    let id = id.ok_or_else(no_such_application)?;
    let row = application::Entity::find_by_id(id).lock_exclusive().one(&**txn).await?;
    row.ok_or_else(|| no_such_application().into())
}

/// What is different, by field, and what it is now.
fn changed(before: &application::Model, after: &application::Model) -> Json {
    let fields = [
        ("name", before.name == after.name, json!(after.name)),
        ("active", before.active == after.active, json!(after.active)),
        ("redirectUrls", before.redirect_urls == after.redirect_urls, after.redirect_urls.clone()),
    ];
    fields
        .into_iter()
        .filter(|(_, same, _)| !same)
        .map(|(field, _, value)| (field.to_owned(), value))
        .collect()
}

async fn tell(txn: &Txn, ctx: &Ctx, kind: EventType, id: Uuid, data: Json) -> Result<()> {
    log::record(txn, ctx, NewEvent::of(kind).on(Kind::Application, id).with(data)).await
}

/// With one space between words: two would look like one.
fn spaced(name: &str) -> String {
    name.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn name_fault(name: &str) -> Option<Fault> {
    if name.trim().is_empty() {
        return Some(Fault::required("name", "A name is needed, to know the application by."));
    }
    if name.chars().any(names::is_invisible) {
        return Some(Fault::invalid("name", "It contains invisible characters."));
    }
    names::text_problem(name).map(|problem| Fault::invalid("name", problem))
}

fn settings_fault(settings: Backend) -> Option<Fault> {
    (settings == Backend::Settings).then(|| unsupported("fusionAuth"))
}

fn unsupported(field: &str) -> Fault {
    let message = "Identities are kept here, and nowhere else yet.";
    Fault::new(ErrorCode::Unsupported, &[field], message)
}

fn or_taken(error: sea_orm::DbErr) -> Error {
    let taken = Fault::new(ErrorCode::Taken, &["name"], "Another application has this name.");
    Error::from(error).on_conflict("applications.name_key", taken)
}

fn refuse(faults: Vec<Fault>) -> Result<()> {
    if faults.is_empty() { Ok(()) } else { Err(Error::Faults(faults)) }
}
