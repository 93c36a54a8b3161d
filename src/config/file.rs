//! `denizen.toml`: its keys become the defaults of the flags with the same names, so that everything after goes
//! through the one parser.

use std::{collections::BTreeSet, env, fs, path::PathBuf};

use clap::Command;

use super::quote::quoted;

/// The command line with the settings of the file as its defaults. The error is one sentence for the user.
pub fn with_file(command: Command) -> Result<Command, String> {
    let command = without_values(command);
    let named = env::var_os("DENIZEN_CONFIG").map(PathBuf::from);
    let path = named.clone().unwrap_or_else(|| "denizen.toml".into());
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(_) if named.is_none() => return Ok(command),
        Err(error) => {
            let path = quoted(&path.to_string_lossy());
            return Err(format!("DENIZEN_CONFIG: the file {path} cannot be read: {error}"));
        }
    };
    let table: toml::Table =
        toml::from_str(&text).map_err(|error| format!("{}: {}", path.display(), unread(&error, &text)))?;
    let known = setting_names(&command);
    let mut command = command;
    for (key, value) in table {
        if !known.contains(&key) {
            return Err(format!(
                "{}: there is no setting {}; `denizen serve --help` lists them",
                path.display(),
                quoted(&key)
            ));
        }
        let value =
            as_text(&value).ok_or_else(|| format!("{}: {key} must be text or a number", path.display()))?;
        command = with_default(command, &key, &value);
    }
    Ok(command)
}

/// Where the file cannot be read. The parser would repeat the line, and secrets stand in it.
fn unread(error: &toml::de::Error, text: &str) -> String {
    let place = error.span().map_or(0, |span| span.start);
    let line = text.bytes().take(place).filter(|byte| *byte == b'\n').count() + 1;
    format!(
        "line {line} is not TOML: each line is a key, =, and a value; text stands in quotes, as public_url = \
         \"https://id.example.org\", and a key stands there once"
    )
}

/// The help names the variables, and never their values: passwords stand in them, not only where one expects them.
fn without_values(command: Command) -> Command {
    let command = command.mut_args(|arg| arg.hide_env_values(true));
    command.mut_subcommands(without_values)
}

/// Settings are arguments of the subcommands, some of which have subcommands of their own.
fn with_default(command: Command, key: &str, value: &str) -> Command {
    let takes_it = command.get_arguments().any(|arg| arg.get_id() == key);
    let command = if takes_it {
        // The help would show it, and it may be a secret.
        command.mut_arg(key, |arg| arg.default_value(value.to_owned()).hide_default_value(true))
    } else {
        command
    };
    command.mut_subcommands(|subcommand| with_default(subcommand, key, value))
}

fn as_text(value: &toml::Value) -> Option<String> {
    match value {
        toml::Value::String(text) => Some(text.clone()),
        toml::Value::Integer(number) => Some(number.to_string()),
        toml::Value::Boolean(yes) => Some(if *yes { "on" } else { "off" }.to_owned()),
        toml::Value::Array(items) => {
            let items: Option<Vec<_>> = items.iter().map(as_text).collect();
            items.map(|items| items.join(","))
        }
        _ => None,
    }
}

fn setting_names(command: &Command) -> BTreeSet<String> {
    let settings =
        command.get_subcommands().flat_map(Command::get_arguments).filter(|arg| arg.get_env().is_some());
    settings.map(|arg| arg.get_id().to_string()).collect()
}

/// Variables that look like settings but are none: most likely a slip of the pen, worth a warning.
pub fn misspelt_variables(command: &Command) -> Vec<String> {
    let known = setting_names(command);
    let names = env::vars_os().filter_map(|(name, _)| name.into_string().ok());
    let ours = names.filter_map(|name| Some((name.strip_prefix("DENIZEN_")?.to_ascii_lowercase(), name)));
    ours.filter(|(key, name)| !known.contains(key) && name != "DENIZEN_CONFIG")
        .map(|(_, name)| name)
        .collect()
}
