//! `denizen import`: brings users in from a file, through the same function as `onboardUsers`.
//!
//! A chunk of a hundred is one transaction. What is at fault in it is left out, and the rest is tried again; what is there
//! already is passed over, so that a run that was killed is repeated until it is through.

use std::{
    fs::File,
    io::{BufWriter, IsTerminal as _, Write as _, stderr, stdout},
    path::PathBuf,
    process::ExitCode,
};

use clap::Args;
use denizen::{
    app::{App, Sources},
    bulk::{AT_ONCE, Run},
    config::Config,
    context::Ctx,
    domain::identity::onboarding::service::{self, Mails, NewUser},
    error::{Error, Fault},
    telemetry,
};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;

use super::lines::{Format, Line, Lines};
use crate::Outcome;

#[derive(Args)]
pub struct Import {
    /// One user a line, as JSON objects (`.ndjson`) or as CSV with a header (`.csv`): see docs/import.md
    file: PathBuf,
    /// How the file is written, where its name does not say so
    #[arg(long)]
    format: Option<Format>,
    /// Only say what would be wrong, and make nothing
    #[arg(long)]
    dry_run: bool,
    /// Write every refused line, with what is wrong with it, to this file, one JSON object a line
    #[arg(long)]
    report: Option<PathBuf>,
    /// Mail a link to set a password to everybody who comes without one
    #[arg(long)]
    send_mails: bool,
    #[command(flatten)]
    config: Config,
}

/// How many refused lines the console shows.
const SHOWN: u64 = 20;

pub async fn run(import: Import) -> Outcome {
    let Import { file, format, dry_run, report, send_mails, config } = import;
    let format = format.or_else(|| Format::of(&file));
    let format = format.ok_or("say with --format how the file is written: ndjson or csv")?;
    telemetry::init(&config)?;
    crate::refuse_unsafe(&config)?;
    let mut lines = Lines::open(&file, format)?;
    let mut tally = Tally::new(&file, report)?;
    let app = App::prepare(config, Sources::default()).await.map_err(|error| error.to_string())?;
    let mails = if send_mails { Mails::Send } else { Mails::Withhold };
    let way = Way { ctx: Ctx::system(&app), run: Run::unless_dry(Some(dry_run)), mails };
    loop {
        let mut chunk = Vec::with_capacity(AT_ONCE);
        while chunk.len() < AT_ONCE
            && let Some(line) = lines.next()?
        {
            match line {
                Line { number, user: Ok(user) } => chunk.push((number, user)),
                Line { number, user: Err(fault) } => tally.refuse(number, &fault)?,
            }
        }
        let last = chunk.len() < AT_ONCE;
        way.bring_in(chunk, &mut tally).await?;
        tally.advance(lines.position())?;
        if last {
            return tally.end(way.run);
        }
    }
}

struct Way {
    ctx: Ctx,
    run: Run,
    mails: Mails,
}

impl Way {
    /// Brings in what of the chunk is without fault.
    async fn bring_in(&self, chunk: Vec<(u64, NewUser)>, tally: &mut Tally) -> Result<(), String> {
        let (numbers, users): (Vec<u64>, Vec<NewUser>) = chunk.into_iter().unzip();
        let there = service::there_already(&self.ctx, &users).await.map_err(|error| error.to_string())?;
        let mut left: Vec<_> = numbers.into_iter().zip(users).zip(there).collect();
        tally.skipped += left.iter().filter(|(_, there)| *there).count() as u64;
        left.retain(|(_, there)| !there);
        let mut left: Vec<_> = left.into_iter().map(|(line, _)| line).collect();
        while !left.is_empty() {
            let users = left.iter().map(|(_, user)| user.clone()).collect();
            match service::onboard(&self.ctx, self.run, self.mails, users).await {
                Ok(_) => {
                    tally.imported += left.len() as u64;
                    return Ok(());
                }
                Err(Error::Faults(faults)) => left = tally.sort_out(left, faults)?,
                Err(error) => return Err(format!("{error} (repeat the import: what is in stays in)")),
            }
        }
        Ok(())
    }
}

/// What became of the lines, and how that is told.
struct Tally {
    imported: u64,
    skipped: u64,
    refused: u64,
    report: Option<BufWriter<File>>,
    bar: Option<ProgressBar>,
    told_at: u64,
}

impl Tally {
    fn new(file: &std::path::Path, report: Option<PathBuf>) -> Result<Self, String> {
        let problem =
            |path: &PathBuf, error: std::io::Error| format!("{} cannot be written: {error}", path.display());
        let report = report.map(|path| File::create(&path).map_err(|error| problem(&path, error)));
        let length = std::fs::metadata(file).map(|data| data.len()).unwrap_or_default();
        let style = ProgressStyle::with_template("{bar:40} {percent}% {msg} (still {eta})").ok();
        let bar =
            style.filter(|_| stderr().is_terminal()).map(|style| ProgressBar::new(length).with_style(style));
        Ok(Self {
            imported: 0,
            skipped: 0,
            refused: 0,
            report: report.transpose()?.map(BufWriter::new),
            bar,
            told_at: 0,
        })
    }

    fn said(&self) -> String {
        let Self { imported, skipped, refused, .. } = self;
        format!("{imported} imported, {skipped} there already, {refused} refused")
    }

    fn tell(&self, text: &str) {
        match &self.bar {
            Some(bar) => bar.println(text),
            // A console that is gone is no reason to stop.
            None => drop(writeln!(stderr(), "{text}")),
        }
    }

    fn advance(&mut self, position: u64) -> Result<(), String> {
        const EACH: u64 = 1_000;
        if let Some(bar) = &self.bar {
            bar.set_position(position);
            bar.set_message(self.said());
        }
        let done = (self.imported + self.skipped + self.refused) / EACH;
        if self.bar.is_none() && done > self.told_at {
            self.told_at = done;
            self.tell(&self.said());
        }
        self.report.as_mut().map_or(Ok(()), |report| report.flush().map_err(|error| error.to_string()))
    }

    /// The line is not brought in.
    fn refuse(&mut self, number: u64, fault: &Fault) -> Result<(), String> {
        self.refused += 1;
        self.note(number, fault)
    }

    fn note(&mut self, number: u64, fault: &Fault) -> Result<(), String> {
        let (code, message, place) = (fault.code.as_str(), &fault.message, fault.path.join("."));
        if let Some(report) = &mut self.report {
            let line = json!({ "line": number, "path": fault.path, "code": code, "message": message });
            writeln!(report, "{line}").map_err(|error| format!("the report cannot be written: {error}"))?;
        }
        if self.refused <= SHOWN {
            self.tell(&format!("line {number}: {place}: {message} ({code})"));
        } else if self.refused == SHOWN + 1 && self.report.is_none() {
            self.tell("More lines were refused: --report writes all of them to a file.");
        }
        Ok(())
    }

    /// Takes out the lines that are at fault; the others are left.
    fn sort_out(
        &mut self,
        left: Vec<(u64, NewUser)>,
        faults: Vec<Fault>,
    ) -> Result<Vec<(u64, NewUser)>, String> {
        let mut at_fault = vec![false; left.len()];
        let whole = faults.iter().any(|fault| index_of(fault).is_none_or(|index| index >= left.len()));
        for mut fault in faults {
            let Some(index) = index_of(&fault).filter(|index| *index < left.len()) else {
                // Not one of them: all of them.
                for (number, _) in &left {
                    self.refuse(*number, &fault)?;
                }
                continue;
            };
            self.refused += u64::from(!at_fault[index] && !whole);
            at_fault[index] = true;
            fault.path.drain(..2);
            self.note(left[index].0, &fault)?;
        }
        let good = left.into_iter().zip(at_fault).filter(|(_, at_fault)| !at_fault && !whole);
        Ok(good.map(|(line, _)| line).collect())
    }

    fn end(mut self, run: Run) -> Outcome {
        if let Some(report) = &mut self.report {
            report.flush().map_err(|error| format!("the report cannot be written: {error}"))?;
        }
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        let dry = if run == Run::Dry { "dry run, nothing was made: " } else { "" };
        writeln!(stdout(), "{dry}{}", self.said()).map_err(|error| error.to_string())?;
        Ok(if self.refused == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

/// The item that is at fault: `["users", "3", "email"]` is of the fourth.
fn index_of(fault: &Fault) -> Option<usize> {
    fault.path.get(1)?.parse().ok()
}
