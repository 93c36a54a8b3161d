//! Reading a file of users line by line. It is never in memory as a whole, and no line of it may be so long that it would
//! be.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Read},
    path::Path,
};

use clap::ValueEnum;
use denizen::{
    domain::identity::onboarding::service::NewUser,
    error::{ErrorCode, Fault},
};

use super::record::{COLUMNS, Record};

/// How the lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// One JSON object a line
    Ndjson,
    /// Columns with a header; lists are separated by `;`
    Csv,
}

impl Format {
    /// As the name of the file says.
    pub fn of(path: &Path) -> Option<Self> {
        let ending = path.extension()?.to_str()?.to_lowercase();
        match ending.as_str() {
            "ndjson" | "jsonl" => Some(Self::Ndjson),
            "csv" => Some(Self::Csv),
            _ => None,
        }
    }
}

/// A user of the file, or what is wrong with the line.
pub struct Line {
    pub number: u64,
    pub user: Result<NewUser, Fault>,
}

/// No user needs more.
const LONGEST: u64 = 256 * 1024;

pub enum Lines {
    Ndjson { reader: BufReader<File>, number: u64, position: u64 },
    Csv { reader: Box<csv::Reader<Bounded>>, columns: Vec<String> },
}

/// Gives up when what is one record to its reader does not end.
pub struct Bounded {
    file: File,
    left: u64,
}

impl Read for Bounded {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read(buffer)?;
        self.left = self.left.checked_sub(read as u64).ok_or_else(|| {
            io::Error::new(
                io::ErrorKind::InvalidData,
                "a record is too long: is a quotation mark not closed?",
            )
        })?;
        Ok(read)
    }
}

impl Lines {
    pub fn open(path: &Path, format: Format) -> Result<Self, String> {
        let problem = |error: &dyn std::fmt::Display| format!("{} cannot be read: {error}", path.display());
        let file = File::open(path).map_err(|error| problem(&error))?;
        if format == Format::Ndjson {
            return Ok(Self::Ndjson { reader: BufReader::new(file), number: 0, position: 0 });
        }
        let mut reader = csv::ReaderBuilder::new()
            .trim(csv::Trim::Headers)
            .from_reader(Bounded { file, left: 2 * LONGEST });
        let header = reader.headers().map_err(|error| problem(&error))?;
        let columns: Vec<_> =
            header.iter().map(|name| name.trim_start_matches('\u{feff}').to_owned()).collect();
        if let Some(unknown) = columns.iter().find(|name| !COLUMNS.contains(&name.as_str())) {
            return Err(format!("there is no column {unknown:?}; there are: {}", COLUMNS.join(", ")));
        }
        Ok(Self::Csv { reader: Box::new(reader), columns })
    }

    /// How many bytes of the file are behind us.
    pub fn position(&self) -> u64 {
        match self {
            Self::Ndjson { position, .. } => *position,
            Self::Csv { reader, .. } => reader.position().byte(),
        }
    }

    /// The next line with something on it; none at the end.
    pub fn next(&mut self) -> Result<Option<Line>, String> {
        match self {
            Self::Ndjson { reader, number, position } => next_json(reader, number, position),
            Self::Csv { reader, columns } => next_record(reader, columns),
        }
    }
}

fn next_json(
    reader: &mut BufReader<File>,
    number: &mut u64,
    position: &mut u64,
) -> Result<Option<Line>, String> {
    loop {
        let mut bytes = Vec::new();
        let read = reader.by_ref().take(LONGEST).read_until(b'\n', &mut bytes);
        let read = read.map_err(|error| format!("the file cannot be read: {error}"))?;
        if read == 0 {
            return Ok(None);
        }
        *number += 1;
        *position += read as u64;
        if bytes.last() != Some(&b'\n') && read as u64 == LONGEST {
            *position += skip_line(reader)?;
            let fault = Fault::new(ErrorCode::Invalid, &[], "The line is too long.");
            return Ok(Some(Line { number: *number, user: Err(fault) }));
        }
        let text = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(&bytes).trim_ascii();
        if text.is_empty() {
            continue;
        }
        let user = match serde_json::from_slice::<Record>(text) {
            Ok(record) => record.into_new_user(),
            Err(error) => Err(Fault::new(ErrorCode::Invalid, &[], unreadable(&error))),
        };
        return Ok(Some(Line { number: *number, user }));
    }
}

/// What is wrong, without what stands there: it may be a password.
fn unreadable(error: &serde_json::Error) -> String {
    let said = error.to_string();
    if let Some(name) = said.strip_prefix("unknown field `").and_then(|rest| rest.split('`').next()) {
        return format!("There is no field {name:?}.");
    }
    format!("This is not an object with the fields of a user (at column {}).", error.column())
}

fn skip_line(reader: &mut BufReader<File>) -> Result<u64, String> {
    let mut skipped = 0;
    loop {
        let buffer = reader.fill_buf().map_err(|error| format!("the file cannot be read: {error}"))?;
        let end = buffer.iter().position(|byte| *byte == b'\n');
        let length = end.map_or(buffer.len(), |end| end + 1);
        reader.consume(length);
        skipped += length as u64;
        if end.is_some() || length == 0 {
            return Ok(skipped);
        }
    }
}

fn next_record(reader: &mut csv::Reader<Bounded>, columns: &[String]) -> Result<Option<Line>, String> {
    reader.get_mut().left = 2 * LONGEST;
    let mut fields = csv::StringRecord::new();
    let read = reader.read_record(&mut fields);
    // Where the reader stands is where the next record begins, unless this one was read.
    let number = fields.position().map_or_else(|| reader.position().line(), csv::Position::line);
    let user = match read {
        Ok(false) => return Ok(None),
        Err(error) if matches!(error.kind(), csv::ErrorKind::Io(_)) => {
            return Err(format!("line {number}: {error}"));
        }
        Err(_) => Err(Fault::new(
            ErrorCode::Invalid,
            &[],
            "This record has not as many fields as the header, or is not UTF-8.",
        )),
        Ok(true) => {
            let mut record = Record::default();
            let set = columns.iter().zip(&fields).try_for_each(|(column, text)| record.set(column, text));
            set.and_then(|()| record.into_new_user())
        }
    };
    Ok(Some(Line { number, user }))
}
