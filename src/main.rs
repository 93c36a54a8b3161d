//! The command line.

use std::{
    io::{self, Write as _, stdout},
    process::ExitCode,
    sync::Arc,
    time::Duration,
};

use clap::{Args, CommandFactory as _, FromArgMatches as _, Parser, Subcommand};
use denizen::{
    app::{App, Sources, Started},
    config::{self, Config, WrongUsage},
    context::Ctx,
    domain::{
        credentials::factors::service::passkeys_available,
        identity::service::{NewAdmin, create_super_admin, good_enough},
    },
    http::{self, server},
    schema::{
        self,
        sdl::{self, Security},
    },
    telemetry, worker,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    signal::unix::{Signal, SignalKind, signal},
};
use tokio_util::sync::CancellationToken;

mod commands;
mod doctor;
mod listener;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The identity subgraph: users, organisations, roles and models as one federated GraphQL API.
#[derive(Parser)]
#[command(version, about, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Start the service
    Serve(Config),
    /// Bring the schema of the database up to date, and stop
    Migrate(Config),
    /// Print the GraphQL schema
    Schema(SchemaArgs),
    /// Look after administrators
    #[command(subcommand)]
    Admin(AdminCommand),
    /// Bring users in from a file; a run that was interrupted is repeated
    Import(Box<commands::import::Import>),
    /// Write every user to a file that `import` reads
    Export(Box<commands::export::Export>),
    /// Look after the keys that sign access tokens
    #[command(subcommand)]
    Keys(commands::keys::KeysCommand),
    /// Say what is in order and what is not
    Doctor(Config),
    /// Ask a running service whether it is ready: for health checks of containers
    Health(Config),
}

#[derive(Args)]
struct SchemaArgs {
    /// The schema of the subgraph, for a router, instead of the plain API
    #[arg(long)]
    federation: bool,
    /// With `--federation`: without `@authenticated` and `@requiresScopes`, for gateways that do not know them
    #[arg(long, requires = "federation")]
    no_security: bool,
}

#[derive(Subcommand)]
enum AdminCommand {
    /// Make a super-administrator; the password comes from `DENIZEN_ADMIN_PASSWORD`
    Create(Box<AdminCreate>),
}

#[derive(Args)]
struct AdminCreate {
    /// The user name
    #[arg(long, default_value = "admin")]
    user_name: String,
    #[command(flatten)]
    config: Config,
}

type Outcome = Result<ExitCode, String>;

fn main() -> ExitCode {
    match start() {
        Ok(code) => code,
        Err(problem) => {
            let _ = writeln!(io::stderr(), "denizen: {problem}");
            ExitCode::FAILURE
        }
    }
}

fn start() -> Outcome {
    let command = config::with_file(Cli::command())?;
    let misspelt = config::misspelt_variables(&command);
    let matches = command.try_get_matches().map_err(|error| match config::wrong_usage(error) {
        WrongUsage::Setting(sentence) => sentence,
        WrongUsage::Parser(error) => error.exit(),
    })?;
    let cli = Cli::from_arg_matches(&matches).map_err(|error| error.to_string())?;
    let runtime = tokio::runtime::Runtime::new().map_err(|error| format!("no runtime: {error}"))?;
    runtime.block_on(async {
        match cli.command {
            Command::Serve(config) => serve(config, &misspelt).await,
            Command::Migrate(config) => {
                open(config).await?;
                say("The schema of the database is up to date.")
            }
            Command::Schema(args) => print_schema(&args),
            Command::Admin(AdminCommand::Create(create)) => create_admin(*create).await,
            Command::Import(import) => commands::import::run(*import).await,
            Command::Export(export) => commands::export::run(*export).await,
            Command::Keys(command) => commands::keys::run(command).await,
            Command::Doctor(config) => doctor::examine(config).await,
            Command::Health(config) => health(&config).await,
        }
    })
}

fn print_schema(args: &SchemaArgs) -> Outcome {
    let SchemaArgs { federation, no_security } = args;
    let schema = schema::build(schema::Suggestions::Given);
    let security = if *no_security { Security::Untold } else { Security::Told };
    let sdl = if *federation { sdl::subgraph(&schema, security) } else { sdl::plain(&schema) };
    write!(stdout(), "{sdl}").map_err(|error| error.to_string())?;
    Ok(ExitCode::SUCCESS)
}

fn say(text: &str) -> Outcome {
    writeln!(stdout(), "{text}").map_err(|error| error.to_string())?;
    Ok(ExitCode::SUCCESS)
}

fn refuse_unsafe(config: &Config) -> Result<(), String> {
    let found = config.unsafe_settings();
    if found.is_empty() {
        Ok(())
    } else {
        Err(format!("these settings are not safe for production:\n  {}", found.join("\n  ")))
    }
}

async fn open(config: Config) -> Result<Arc<App>, String> {
    telemetry::init(&config)?;
    refuse_unsafe(&config)?;
    App::open(config, Sources::default()).await.map_err(|error| error.to_string())
}

async fn serve(config: Config, misspelt: &[String]) -> Outcome {
    telemetry::init(&config)?;
    refuse_unsafe(&config)?;
    for name in misspelt {
        tracing::warn!("{name} is not a setting of this version: `denizen serve --help` lists them");
    }
    let exemptions: Vec<_> = config.exemptions_in_force().iter().map(|it| it.name()).collect();
    if !exemptions.is_empty() {
        tracing::warn!("DENIZEN_UNSAFE allows what production refuses otherwise: {}", exemptions.join(", "));
    }
    let database = &config.database.database_url;
    if !database.passed_over().is_empty() {
        let parameters = database.passed_over().join(", ");
        tracing::warn!("DENIZEN_DATABASE_URL has parameters that make no difference here: {parameters}");
    }
    // Before anything is made: whoever cannot listen has no use for it, and would never show the password that is made up.
    let bound = listener::bind(config.server.listen)?;
    let Started { app, admin_password } =
        App::start(config, Sources::default()).await.map_err(|error| error.to_string())?;
    let listener = bound.listen()?;
    let stop = CancellationToken::new();
    // Before anybody is told that the service runs: from then on it may be told to stop.
    let signals = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()));
    tokio::spawn(stop_on_signal(signals, stop.clone()));
    greet(&app, admin_password.as_deref())?;
    if !passkeys_available(&app) {
        let url = app.public_url.as_str();
        tracing::warn!(url, "there are no passkeys: the public URL has an address, and they need a name");
    }
    let working = tokio::spawn(worker::run(Arc::clone(&app), stop.clone()));
    let connections = server::Bounds {
        all: app.config.server.max_connections,
        per_address: app.config.server.max_connections_per_address,
        proxies: app.config.server.trusted_proxies.iter().flatten().copied().collect(),
    };
    let pace = server::Pace { connections, ..server::Pace::default() };
    server::serve(listener, http::Front::new(Arc::clone(&app)), pace, stop.clone()).await;
    stop.cancel();
    // What the worker still has in hand comes back when its claim runs out.
    let given_up = working.abort_handle();
    if tokio::time::timeout(Duration::from_secs(1), working).await.is_err() {
        given_up.abort();
    }
    // A database that hangs must not hold the exit up.
    let _ = tokio::time::timeout(Duration::from_millis(500), app.db.close()).await;
    tracing::info!("stopped");
    Ok(ExitCode::SUCCESS)
}

/// Tells the console where things are. A made-up password is shown here, once, and in no log.
fn greet(app: &App, admin_password: Option<&str>) -> Result<(), String> {
    let (url, mode) = (app.public_url.as_str(), app.config.server.mode);
    tracing::info!(url, listen = %app.config.server.listen, ?mode, database = %app.config.database.database_url, "ready");
    if app.config.production() {
        return Ok(());
    }
    let mut places = vec![format!("GraphQL     {url}/graphql")];
    if app.config.playground() {
        places.push(format!("Playground  {url}/playground"));
    }
    if app.mailer.mailbox().is_some() {
        places.push(format!("Mails       {url}/dev/mailbox"));
    }
    let password = admin_password
        .map(|password| format!("\n  The super-administrator, shown this once:  admin  {password}\n"))
        .unwrap_or_default();
    writeln!(stdout(), "\n  Denizen is ready.\n\n    {}\n{password}", places.join("\n    "))
        .map_err(|error| error.to_string())
}

async fn stop_on_signal(signals: (io::Result<Signal>, io::Result<Signal>), stop: CancellationToken) {
    let (Ok(mut terminate), Ok(mut interrupt)) = signals else {
        tracing::error!("signals cannot be listened for");
        return;
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    tracing::info!("stopping: requests under way may finish");
    stop.cancel();
}

async fn create_admin(create: AdminCreate) -> Outcome {
    let AdminCreate { user_name, config } = create;
    let Some(password) = config.admin.admin_password.clone() else {
        return Err(
            "DENIZEN_ADMIN_PASSWORD is needed: the password of the new super-administrator.".to_owned()
        );
    };
    let email = config.admin.admin_email.clone();
    telemetry::init(&config)?;
    refuse_unsafe(&config)?;
    let app = App::prepare(config, Sources::default()).await.map_err(|error| error.to_string())?;
    let ctx = Ctx::system(&app);
    good_enough(&ctx, "password", password.expose(), &user_name).await.map_err(|error| error.to_string())?;
    let admin = NewAdmin { user_name, email, password: password.expose().to_owned() };
    let user = create_super_admin(&ctx, admin).await.map_err(|error| error.to_string())?;
    say(&format!("{} is a super-administrator now.", user.user_name))
}

async fn health(config: &Config) -> Outcome {
    let address = listener::reachable(config.server.listen);
    let ask = async {
        let mut stream = TcpStream::connect(address).await?;
        stream
            .write_all(b"GET /health/ready HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
            .await?;
        let mut answer = [0; 12];
        stream.read_exact(&mut answer).await?;
        Ok::<_, io::Error>(answer)
    };
    let answer =
        tokio::time::timeout(Duration::from_secs(3), ask).await.map_err(|_| "no answer in 3 seconds")?;
    let answer = answer.map_err(|error| format!("{address} (DENIZEN_LISTEN): {error}"))?;
    if answer.ends_with(b" 200") { say("ready") } else { Err("the service is not ready".to_owned()) }
}
