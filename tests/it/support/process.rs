//! The real binary as a process of its own: for what only a process can show, such as being killed.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    path::Path,
    process::{Child, ChildStderr, Command, Output, Stdio},
    thread::JoinHandle,
    time::{Duration, Instant},
};

use serde_json::Value;

/// Stopped when it is dropped.
pub struct Running {
    child: Child,
    pub address: SocketAddr,
}

/// How long a start may take before a test gives up on it. Not how long it should take.
const PATIENCE: Duration = Duration::from_secs(30);

/// The binary with nothing in its environment but what the test says.
pub fn denizen(folder: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_denizen"));
    command.args(arguments).current_dir(folder).env_clear();
    for (name, value) in variables {
        command.env(name, value);
    }
    command
}

pub fn run(folder: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    denizen(folder, arguments, variables).output().expect("the binary should run")
}

pub fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("an address").port()
}

impl Running {
    /// Starts the service and waits until it is ready.
    pub fn start(folder: &Path, variables: &[(&str, &str)]) -> Self {
        Self::logged(folder, variables).0
    }

    /// The same, with its log, which is whole once the service has ended.
    pub fn logged(folder: &Path, variables: &[(&str, &str)]) -> (Self, JoinHandle<String>) {
        Self::with_cost(folder, variables, "4")
    }

    /// The same, with another cost of hashing: production takes no low one.
    pub fn with_cost(folder: &Path, variables: &[(&str, &str)], cost: &str) -> (Self, JoinHandle<String>) {
        let address = SocketAddr::from(([127, 0, 0, 1], free_port()));
        let listen = address.to_string();
        let mut child = denizen(folder, &["serve"], variables)
            .env("DENIZEN_LISTEN", &listen)
            .env("DENIZEN_BCRYPT_COST", cost)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary should start");
        let log = child.stderr.take().expect("a log");
        let running = Self { child, address };
        (running, wait_until_ready(log))
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// SIGTERM, as an orchestrator sends it. Says how long it took to exit, and whether it exited well.
    pub fn terminate(mut self) -> (Duration, bool) {
        let begun = Instant::now();
        let sent = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status();
        assert!(sent.is_ok_and(|status| status.success()), "SIGTERM should be sent");
        let status = self.child.wait().expect("a status");
        (begun.elapsed(), status.success())
    }

    /// Sends a GraphQL document over a real connection. `None` when the connection broke.
    pub fn graphql(&self, document: &str) -> Option<Value> {
        self.post(document, "")
    }

    /// The same with an access token.
    pub fn graphql_as(&self, token: &str, document: &str) -> Option<Value> {
        self.post(document, &format!("authorization: Bearer {token}\r\n"))
    }

    fn post(&self, document: &str, credential: &str) -> Option<Value> {
        let body = serde_json::json!({ "query": document }).to_string();
        let head = format!(
            "POST /graphql HTTP/1.1\r\nhost: localhost\r\n{credential}content-type: application/json\r\n\
             content-length: {}\r\nconnection: close\r\n\r\n",
            body.len()
        );
        let answer = self.exchange(&[head.as_bytes(), body.as_bytes()].concat())?;
        let (_, body) = answer.split_once("\r\n\r\n")?;
        serde_json::from_str(body).ok()
    }

    /// Sends bytes, and reads until the service closes the connection.
    pub fn exchange(&self, bytes: &[u8]) -> Option<String> {
        let mut stream = TcpStream::connect(self.address).ok()?;
        stream.set_read_timeout(Some(PATIENCE)).ok()?;
        stream.write_all(bytes).ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        Some(answer)
    }
}

/// The service says in its log when it is ready: nothing has to be polled.
fn wait_until_ready(log: ChildStderr) -> JoinHandle<String> {
    let (told, ready) = std::sync::mpsc::channel();
    let reading = std::thread::spawn(move || {
        let mut said = String::new();
        for line in BufReader::new(log).lines().map_while(Result::ok) {
            said.push_str(&line);
            said.push('\n');
            if line.contains(" ready ") || line.contains("\"ready\"") {
                let _ = told.send(Ok(()));
            }
        }
        let _ = told.send(Err(said.clone()));
        said
    });
    match ready.recv_timeout(PATIENCE) {
        Ok(Ok(())) => reading,
        Ok(Err(said)) => panic!("the service stopped at its start:\n{said}"),
        Err(late) => panic!("the service was not ready in {PATIENCE:?}: {late}"),
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
