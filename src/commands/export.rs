//! `denizen export`: writes every user to a file that `denizen import` reads, page by page.

use std::{
    fs::OpenOptions,
    io::{BufWriter, Write, stderr, stdout},
    os::unix::fs::OpenOptionsExt as _,
    path::PathBuf,
    process::ExitCode,
};

use clap::Args;
use denizen::{
    app::{App, Sources},
    config::Config,
    context::Ctx,
    domain::identity::onboarding::export::{self, Hashes},
    telemetry,
};

use super::{
    lines::Format,
    record::{COLUMNS, Record},
};
use crate::Outcome;

#[derive(Args)]
pub struct Export {
    /// How to write
    #[arg(long)]
    format: Option<Format>,
    /// Where to write, for your eyes only; the console when it is left out
    #[arg(long)]
    output: Option<PathBuf>,
    /// Write the hashes of the passwords, too: whoever has the file can try to guess them
    #[arg(long)]
    with_password_hashes: bool,
    #[command(flatten)]
    config: Config,
}

pub async fn run(export: Export) -> Outcome {
    let Export { format, output, with_password_hashes, config } = export;
    let format = format.or_else(|| Format::of(output.as_deref()?)).unwrap_or(Format::Ndjson);
    let hashes = if with_password_hashes { Hashes::Included } else { Hashes::Left };
    telemetry::init(&config)?;
    crate::refuse_unsafe(&config)?;
    let app = App::open(config, Sources::default()).await.map_err(|error| error.to_string())?;
    let out: Box<dyn Write> = match &output {
        None => Box::new(stdout()),
        Some(path) => {
            let file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path);
            Box::new(file.map_err(|error| format!("{} cannot be written: {error}", path.display()))?)
        }
    };
    let mut out = Writer::new(out, format)?;
    let ctx = Ctx::system(&app);
    let (mut after, mut more) = (None, 0_u64);
    loop {
        let page = export::page(&ctx, after, hashes).await.map_err(|error| error.to_string())?;
        let Some(last) = page.last() else { break };
        after = Some(last.user.id);
        for exported in page {
            more += u64::from(exported.more);
            out.write(&Record::of(exported))?;
        }
    }
    out.flush()?;
    if more > 0 {
        let told = "belong to further organisations or hold roles elsewhere: a line has one place, and leaves that out.";
        writeln!(stderr(), "{more} users {told}").map_err(|error| error.to_string())?;
    }
    Ok(ExitCode::SUCCESS)
}

enum Writer {
    Ndjson(BufWriter<Box<dyn Write>>),
    Csv(Box<csv::Writer<Box<dyn Write>>>),
}

fn unwritable(error: impl std::fmt::Display) -> String {
    format!("the users cannot be written: {error}")
}

impl Writer {
    fn new(out: Box<dyn Write>, format: Format) -> Result<Self, String> {
        if format == Format::Ndjson {
            return Ok(Self::Ndjson(BufWriter::new(out)));
        }
        let mut writer = csv::Writer::from_writer(out);
        writer.write_record(COLUMNS).map_err(unwritable)?;
        Ok(Self::Csv(Box::new(writer)))
    }

    fn write(&mut self, record: &Record) -> Result<(), String> {
        match self {
            Self::Ndjson(out) => {
                serde_json::to_writer(&mut *out, record).map_err(unwritable)?;
                out.write_all(b"\n").map_err(unwritable)
            }
            Self::Csv(out) => {
                out.write_record(COLUMNS.iter().map(|column| record.get(column))).map_err(unwritable)
            }
        }
    }

    fn flush(&mut self) -> Result<(), String> {
        match self {
            Self::Ndjson(out) => out.flush().map_err(unwritable),
            Self::Csv(out) => out.flush().map_err(unwritable),
        }
    }
}
