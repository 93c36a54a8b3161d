//! `denizen doctor`: looks at everything that the service needs, and says in a line each what is in order.

use std::{
    io::{Write as _, stdout},
    process::ExitCode,
};

use denizen::{
    app::{App, Sources},
    config::Config,
    domain::{events::jobs, roles},
    telemetry,
};

use super::Outcome;

/// One thing that was looked at.
struct Finding {
    subject: &'static str,
    /// What is wrong, if anything.
    problem: Option<String>,
}

pub async fn examine(config: Config) -> Outcome {
    telemetry::init(&config)?;
    let mut findings =
        vec![Finding { subject: "settings", problem: some_text(config.unsafe_settings().join(" ")) }];
    match App::open(config, Sources::default()).await {
        Ok(app) => findings.extend(examine_app(&app).await),
        Err(error) => {
            findings.push(Finding { subject: "database and secret", problem: Some(error.to_string()) });
        }
    }
    let mut out = stdout().lock();
    for Finding { subject, problem } in &findings {
        let verdict = problem.as_ref().map_or("ok  ", |_| "FAIL");
        let line = format!(
            "{verdict}  {subject}{}",
            problem.as_ref().map(|why| format!(": {why}")).unwrap_or_default()
        );
        writeln!(out, "{line}").map_err(|error| error.to_string())?;
    }
    let sound = findings.iter().all(|finding| finding.problem.is_none());
    Ok(if sound { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn examine_app(app: &App) -> Vec<Finding> {
    let mail = app.mailer.check().await.err().map(|error| error.to_string());
    let jobs = match jobs::counts(app).await {
        Ok((_, 0)) => None,
        Ok((_, dead)) => {
            Some(format!("{dead} jobs failed for good: the table `jobs` holds them with their last error."))
        }
        Err(error) => Some(error.to_string()),
    };
    let admin = match roles::service::super_admin_exists(&app.db).await {
        Ok(true) => None,
        Ok(false) => Some("there is none: `denizen admin create` makes one.".to_owned()),
        Err(error) => Some(error.to_string()),
    };
    vec![
        Finding { subject: "database and secret", problem: None },
        Finding { subject: "super-administrator", problem: admin },
        Finding { subject: "mail", problem: mail },
        Finding { subject: "jobs", problem: jobs },
    ]
}

fn some_text(text: String) -> Option<String> {
    Some(text).filter(|text| !text.is_empty())
}
