//! `denizen keys`: the keys that sign access tokens.

use std::process::ExitCode;

use clap::Subcommand;
use denizen::{
    clock::rfc3339,
    config::Config,
    context::Ctx,
    domain::sessions::rotation::{self, Listed, Rotation},
};

use crate::{Outcome, open, say};

#[derive(Subcommand)]
pub enum KeysCommand {
    /// Make the next signing key: it is published at once, and signs from five minutes later
    Rotate(Box<Config>),
    /// List the keys that are published
    List(Box<Config>),
}

pub async fn run(command: KeysCommand) -> Outcome {
    match command {
        KeysCommand::Rotate(config) => rotate(*config).await,
        KeysCommand::List(config) => list(*config).await,
    }
}

async fn rotate(config: Config) -> Outcome {
    let app = open(config).await?;
    match rotation::rotate(&Ctx::system(&app)).await.map_err(|error| error.to_string())? {
        Rotation::Made { kid, active_from } => {
            say(&format!("The key {kid} is published, and signs from {} on.", rfc3339(active_from)))
        }
        Rotation::Waiting { kid, active_from } => say(&format!(
            "Nothing to do: the key {kid} is published already, and signs from {} on.",
            rfc3339(active_from)
        )),
    }
}

async fn list(config: Config) -> Outcome {
    let app = open(config).await?;
    let ctx = Ctx::system(&app);
    for Listed { kid, algorithm, active_from, retired_at, expires_at } in
        rotation::list(&ctx).await.map_err(|error| error.to_string())?
    {
        let state = match retired_at {
            _ if active_from > ctx.now() => "waits",
            Some(end) if end <= ctx.now() => "retired",
            _ => "signs",
        };
        let end = |end| Option::map_or(end, "-".to_owned(), rfc3339);
        let (from, until, forgotten) = (rfc3339(active_from), end(retired_at), end(expires_at));
        say(&format!(
            "{kid}  {algorithm}  {state}  from {from}  until {until}  published until {forgotten}"
        ))?;
    }
    Ok(ExitCode::SUCCESS)
}
