//! A disk that fills up, fails now and then, or is mounted anew for reading only, under load: what was acknowledged stays,
//! and the service goes on by itself when the disk is well again. `make faults` has twenty rounds of it.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::{
        OnceLock,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread,
    time::Duration,
};

use serde_json::Value;

use crate::support::process::Running;

/// The kinds of faults, as `disk_faults.c` has them.
const FAULTS: [(&str, char); 3] = [("full", 'F'), ("failing", 'I'), ("read-only", 'R')];
const WELL: char = '-';

fn rounds() -> usize {
    std::env::var("DENIZEN_TEST_DISK_ROUNDS").ok().and_then(|many| many.parse().ok()).unwrap_or(3)
}

/// The library that fails in the place of the disk, compiled once.
fn library() -> &'static Path {
    static LIBRARY: OnceLock<(tempfile::TempDir, PathBuf)> = OnceLock::new();
    let (_, path) = LIBRARY.get_or_init(|| {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("disk_faults.so");
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/support/disk_faults.c");
        let compiled = Command::new("cc")
            .args(["-shared", "-fPIC", "-O1", "-o"])
            .args([path.as_os_str(), source.as_ref()])
            .arg("-ldl")
            .status();
        assert!(compiled.is_ok_and(|status| status.success()), "the library compiles");
        (folder, path)
    });
    path
}

struct Disk {
    folder: tempfile::TempDir,
    fault: PathBuf,
}

impl Disk {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        fs::create_dir(folder.path().join("data")).expect("a folder");
        let fault = folder.path().join("fault");
        fs::write(&fault, WELL.to_string()).expect("a file");
        Self { folder, fault }
    }

    fn set(&self, kind: char) {
        use std::os::unix::fs::FileExt as _;
        let file = fs::OpenOptions::new().write(true).open(&self.fault).expect("the file");
        file.write_all_at(&[u8::try_from(kind).expect("ASCII")], 0).expect("a byte");
    }

    fn serve(&self) -> Running {
        let faulty = self.folder.path().join("data");
        Running::start(
            self.folder.path(),
            &[
                ("LD_PRELOAD", library().to_str().expect("UTF-8")),
                ("DENIZEN_TEST_FAULT", self.fault.to_str().expect("UTF-8")),
                ("DENIZEN_TEST_FAULTY", faulty.to_str().expect("UTF-8")),
                ("DENIZEN_ADMIN_PASSWORD", "seven lanterns on a bridge"),
                ("DENIZEN_RATE_LIMITS", "off"),
            ],
        )
    }
}

/// Whether the new organisation was acknowledged.
fn create(service: &Running, token: &str, code: &str) -> bool {
    let document = format!(
        "mutation {{ upsertOrganizations(input: {{ organizations: [{{ code: \"{code}\", active: true }}] }}) {{ \
         organizations {{ code }} errors {{ code }} }} }}"
    );
    let answer = service.graphql_as(token, &document);
    answer.is_some_and(|answer| answer["data"]["upsertOrganizations"]["organizations"][0]["code"] == code)
}

/// A mistake that is found in the middle of a transaction, which is rolled back.
fn be_refused(service: &Running, token: &str) {
    let document = "mutation { upsertOrganizations(input: { organizations: [{ code: \"\", active: true }] }) { errors { code } } }";
    service.graphql_as(token, document);
}

fn log_in(service: &Running) -> String {
    let document = "mutation { login(input: { identifier: \"admin\", password: \"seven lanterns on a bridge\" }) { tokens { accessToken } } }";
    for _ in 0..50 {
        let answer = service.graphql(document).unwrap_or_default();
        if let Value::String(token) = &answer["data"]["login"]["tokens"]["accessToken"] {
            return token.clone();
        }
        pause();
    }
    panic!("nobody can log in any more");
}

/// What the real service needs for its real time.
fn pause() {
    thread::sleep(Duration::from_millis(100));
}

fn ready(service: &Running) -> bool {
    let request = b"GET /health/ready HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    service.exchange(request).is_some_and(|answer| answer.starts_with("HTTP/1.1 200"))
}

fn exists(service: &Running, token: &str, code: &str) -> bool {
    let document = format!("{{ organization(by: {{ code: \"{code}\" }}) {{ code }} }}");
    service.graphql_as(token, &document).is_some_and(|answer| answer["data"]["organization"]["code"] == code)
}

/// One round: load, a fault in the middle of it, and the disk is well again. Says what was acknowledged.
fn round(disk: &Disk, service: &Running, token: &str, number: usize) -> Vec<String> {
    let (name, kind) = FAULTS[number % FAULTS.len()];
    let (tell, told) = mpsc::channel();
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        for writer in 0..3 {
            let (tell, stop) = (tell.clone(), &stop);
            scope.spawn(move || {
                for write in 0.. {
                    if stop.load(Ordering::Relaxed) {
                        return;
                    }
                    let code = format!("r{number}-{writer}-{write}");
                    let _ = tell.send((create(service, token, &code), code));
                    be_refused(service, token);
                }
            });
        }
        let mut acknowledged = Vec::new();
        let mut until = |wanted: bool, many: usize| {
            let mut found = 0;
            for (taken, code) in told.iter().take(20_000) {
                if taken {
                    acknowledged.push(code);
                }
                found += usize::from(taken == wanted);
                if found >= many {
                    return;
                }
            }
            stop.store(true, Ordering::Relaxed);
            panic!("{name}: too few writes were {}", if wanted { "acknowledged" } else { "refused" });
        };
        until(true, 5 + number % 7);
        disk.set(kind);
        until(false, 3 + number % 5);
        if kind != 'I' {
            assert!(!ready(service), "{name}: it says that it keeps nothing");
        }
        disk.set(WELL);
        until(true, 20);
        stop.store(true, Ordering::Relaxed);
        drop(tell);
        acknowledged.extend(told.iter().filter(|(taken, _)| *taken).map(|(_, code)| code));
        acknowledged
    })
}

#[test]
fn no_fault_of_the_disk_loses_what_was_acknowledged() {
    let disk = Disk::new();
    let mut service = disk.serve();
    let mut acknowledged = Vec::new();
    for number in 0..rounds() {
        let token = log_in(&service);
        let latest = round(&disk, &service, &token, number);
        // Every third round it is killed, and the others go on with the same process.
        if number % 3 == 2 {
            drop(service);
            service = disk.serve();
        }
        let token = log_in(&service);
        acknowledged.extend(latest);
        for code in &acknowledged {
            assert!(exists(&service, &token, code), "{code} was acknowledged and is lost (round {number})");
        }
        assert!(ready(&service), "it is ready again by itself");
    }
    assert!(service.terminate().1, "it stops well");
}
