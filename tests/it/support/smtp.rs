//! A real SMTP receiver for the tests: it takes what the mailer sends over TCP and hands it to the test.
//!
//! It owns the protocol as far as a sending mailer uses it, and refuses what no test needs: TLS, authentication,
//! relaying. `Answers` makes it behave badly.

use std::net::SocketAddr;
use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};
use std::time::Duration;

use data_encoding::BASE64;
use tokio::io::{AsyncBufRead, AsyncBufReadExt as _, AsyncWrite, AsyncWriteExt as _, BufReader};
use tokio::net::TcpListener;
use tokio::sync::{Mutex, mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// Longer than any healthy delivery, so that a mail that never comes fails the test instead of hanging it.
const PATIENCE: Duration = Duration::from_secs(20);

/// What the receiver says from the next command on, also on connections that are already open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answers {
    /// Takes every mail.
    Accept,
    /// Takes every mail, and does not offer SMTPUTF8.
    AcceptAscii,
    /// Refuses every recipient for now: 451, the sender should try again.
    RefuseForNow,
    /// Refuses every recipient for good: 550.
    RefuseForGood,
    /// Accepts connections and says nothing at all, until it is told otherwise.
    Hang,
}

/// One mail, as it arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    /// The envelope's sender.
    pub from: String,
    /// The envelope's recipients.
    pub to: Vec<String>,
    /// Header and body with their original line ends, the dots unstuffed.
    pub data: String,
}

/// The receiver. It listens until it is dropped.
pub struct Smtp {
    address: SocketAddr,
    answers: watch::Sender<Answers>,
    arrivals: Mutex<mpsc::UnboundedReceiver<Received>>,
    connections: Arc<AtomicUsize>,
    listener: JoinHandle<()>,
}

impl Smtp {
    /// Listens on a free port of 127.0.0.1.
    pub async fn start() -> Self {
        let socket = TcpListener::bind("127.0.0.1:0").await.expect("a free port of 127.0.0.1");
        let address = socket.local_addr().expect("a bound socket has an address");
        let (answers, watching) = watch::channel(Answers::Accept);
        let (arrived, arrivals) = mpsc::unbounded_channel();
        let connections = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&connections);
        let listener = tokio::spawn(async move {
            while let Ok((stream, _)) = socket.accept().await {
                counted.fetch_add(1, Ordering::Relaxed);
                let session = Session { answers: watching.clone(), arrived: arrived.clone() };
                tokio::spawn(async move {
                    let (input, output) = stream.into_split();
                    // A sender may go away in the middle of anything.
                    let _gone = session.talk(BufReader::new(input), output).await;
                });
            }
        });
        Self { address, answers, arrivals: Mutex::new(arrivals), connections, listener }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The setting for the mailer under test.
    pub fn url(&self) -> String {
        format!("smtp://{}", self.address)
    }

    /// How many connections were made so far.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }

    /// Changes the behaviour.
    pub fn answer(&self, answers: Answers) {
        self.answers.send_replace(answers);
    }

    /// The next mail in the order of arrival; waits for it.
    pub async fn next(&self) -> Received {
        let arrival = async { self.arrivals.lock().await.recv().await };
        let mail = timeout(PATIENCE, arrival).await.expect("a mail should have arrived by now");
        mail.expect("the listener holds a sender as long as we live")
    }

    /// The next mail if one has arrived already: `None` shows that nothing was sent.
    pub async fn arrived(&self) -> Option<Received> {
        self.arrivals.lock().await.try_recv().ok()
    }
}

impl Drop for Smtp {
    fn drop(&mut self) {
        self.listener.abort();
    }
}

struct Session {
    answers: watch::Receiver<Answers>,
    arrived: mpsc::UnboundedSender<Received>,
}

impl Session {
    async fn talk(
        mut self,
        mut input: impl AsyncBufRead + Unpin,
        mut output: impl AsyncWrite + Unpin,
    ) -> std::io::Result<()> {
        self.say(&mut output, "220 test ESMTP").await?;
        let mut envelope = Envelope::default();
        let mut line = Vec::new();
        loop {
            line.clear();
            if input.read_until(b'\n', &mut line).await? == 0 {
                return Ok(());
            }
            let command = String::from_utf8_lossy(&line).trim_end().to_owned();
            let (verb, rest) = command.split_once(' ').unwrap_or((&command, ""));
            match verb.to_ascii_uppercase().as_str() {
                "EHLO" => {
                    let offered = self.offered();
                    self.say(&mut output, offered).await?;
                }
                "HELO" => self.say(&mut output, "250 test").await?,
                "MAIL" => {
                    envelope = Envelope { from: Some(mailbox(rest)), to: Vec::new() };
                    self.say(&mut output, "250 2.1.0 ok").await?;
                }
                "RCPT" => {
                    let answer = self.recipient(&mut envelope, rest);
                    self.say(&mut output, answer).await?;
                }
                "DATA" if envelope.to.is_empty() => self.say(&mut output, "503 5.5.1 no recipient").await?,
                "DATA" => {
                    self.say(&mut output, "354 go ahead").await?;
                    let data = read_data(&mut input).await?;
                    let Envelope { from, to } = std::mem::take(&mut envelope);
                    let mail = Received { from: from.unwrap_or_default(), to, data };
                    // Told to the test before the sender knows: once it does, `arrived` has the mail.
                    let _test_is_over = self.arrived.send(mail);
                    self.say(&mut output, "250 2.0.0 taken").await?;
                }
                "RSET" => {
                    envelope = Envelope::default();
                    self.say(&mut output, "250 2.0.0 ok").await?;
                }
                "NOOP" => self.say(&mut output, "250 2.0.0 ok").await?,
                "QUIT" => return self.say(&mut output, "221 2.0.0 bye").await,
                _ => self.say(&mut output, "502 5.5.2 unknown command").await?,
            }
        }
    }

    fn offered(&self) -> &'static str {
        match *self.answers.borrow() {
            Answers::AcceptAscii => "250-test\r\n250 8BITMIME",
            Answers::Accept | Answers::RefuseForNow | Answers::RefuseForGood | Answers::Hang => {
                "250-test\r\n250-8BITMIME\r\n250 SMTPUTF8"
            }
        }
    }

    fn recipient(&self, envelope: &mut Envelope, argument: &str) -> &'static str {
        let answers = *self.answers.borrow();
        match answers {
            Answers::RefuseForNow => "451 4.3.0 try again later",
            Answers::RefuseForGood => "550 5.1.1 no such mailbox",
            Answers::Accept | Answers::AcceptAscii | Answers::Hang if envelope.from.is_none() => {
                "503 5.5.1 no sender"
            }
            Answers::Accept | Answers::AcceptAscii | Answers::Hang => {
                envelope.to.push(mailbox(argument));
                "250 2.1.5 ok"
            }
        }
    }

    async fn say(&mut self, output: &mut (impl AsyncWrite + Unpin), reply: &str) -> std::io::Result<()> {
        // An error says that the receiver is gone, and with it everybody who could hang us.
        drop(self.answers.wait_for(|answers| *answers != Answers::Hang).await);
        output.write_all(reply.as_bytes()).await?;
        output.write_all(b"\r\n").await
    }
}

#[derive(Default)]
struct Envelope {
    from: Option<String>,
    to: Vec<String>,
}

/// `FROM:<a@b> SIZE=9` → `a@b`
fn mailbox(argument: &str) -> String {
    let inner = argument.split_once('<').and_then(|(_, rest)| rest.split_once('>'));
    inner.map_or(argument, |(mailbox, _)| mailbox).to_owned()
}

async fn read_data(input: &mut (impl AsyncBufRead + Unpin)) -> std::io::Result<String> {
    let mut data = Vec::new();
    let mut line = Vec::new();
    loop {
        line.clear();
        if input.read_until(b'\n', &mut line).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        if line == b".\r\n" {
            return Ok(String::from_utf8_lossy(&data).into_owned());
        }
        data.extend_from_slice(line.strip_prefix(b".").unwrap_or(&line));
    }
}

impl Received {
    /// A header's value, unfolded and with its encoded words read.
    pub fn header(&self, name: &str) -> Option<String> {
        header(&self.data, name).map(|value| decode_words(&value))
    }

    /// What a person reads: the text/plain part.
    pub fn text(&self) -> String {
        part(&self.data, "text/plain").expect("the mail should have a plain text")
    }

    /// The text/html part, if there is one.
    pub fn html(&self) -> Option<String> {
        part(&self.data, "text/html")
    }
}

/// The decoded text of the first part of this type, at any depth.
fn part(entity: &str, wanted: &str) -> Option<String> {
    let (_, body) = entity.split_once("\r\n\r\n")?;
    let kind = header(entity, "Content-Type").unwrap_or_else(|| "text/plain".to_owned());
    if kind.to_ascii_lowercase().starts_with("multipart/") {
        let (_, boundary) = kind.split_once("boundary=")?;
        let boundary = boundary.split(';').next()?.trim().trim_matches('"');
        // Before the first delimiter stands a preamble, after the last one (with its two dashes) an epilogue.
        let (body, delimiter) = (format!("\r\n{body}"), format!("\r\n--{boundary}"));
        let parts = body.split(&delimiter).skip(1).take_while(|part| !part.starts_with("--"));
        return parts.filter_map(|part| part.strip_prefix("\r\n")).find_map(|inner| part(inner, wanted));
    }
    let encoding = header(entity, "Content-Transfer-Encoding").unwrap_or_default();
    kind.to_ascii_lowercase().starts_with(wanted).then(|| match encoding.to_ascii_lowercase().as_str() {
        "base64" => decode_base64(body),
        "quoted-printable" => decode_quoted_printable(&body.replace("=\r\n", "")),
        _ => body.to_owned(),
    })
}

fn header(entity: &str, name: &str) -> Option<String> {
    let (head, _) = entity.split_once("\r\n\r\n")?;
    let unfolded = head.replace("\r\n ", " ").replace("\r\n\t", " ");
    unfolded.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        key.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
    })
}

/// RFC 2047: `=?utf-8?b?w6Q=?=`, where the space between two such words belongs to neither.
fn decode_words(value: &str) -> String {
    let mut decoded = String::new();
    let mut after_encoded = false;
    for word in value.split(' ') {
        let inner = word.strip_prefix("=?").and_then(|word| word.strip_suffix("?="));
        let fields: Vec<&str> = inner.map(|inner| inner.splitn(3, '?').collect()).unwrap_or_default();
        let encoded = match fields[..] {
            [_charset, "b" | "B", text] => Some(decode_base64(text)),
            [_charset, "q" | "Q", text] => Some(decode_quoted_printable(&text.replace('_', " "))),
            _ => None,
        };
        let joined = after_encoded && encoded.is_some();
        if !joined && !decoded.is_empty() {
            decoded.push(' ');
        }
        after_encoded = encoded.is_some();
        decoded.push_str(encoded.as_deref().unwrap_or(word));
    }
    decoded
}

fn decode_base64(text: &str) -> String {
    let compact: String = text.split_whitespace().collect();
    String::from_utf8(BASE64.decode(compact.as_bytes()).expect("valid base64")).expect("UTF-8 text")
}

fn decode_quoted_printable(text: &str) -> String {
    let mut pieces = text.split('=');
    let mut bytes = pieces.next().unwrap_or_default().as_bytes().to_vec();
    for piece in pieces {
        let (code, rest) = piece.split_at_checked(2).expect("two digits after an equals sign");
        bytes.push(u8::from_str_radix(code, 16).expect("hexadecimal digits"));
        bytes.extend_from_slice(rest.as_bytes());
    }
    String::from_utf8(bytes).expect("UTF-8 text")
}

#[cfg(test)]
mod tests {
    use lettre::message::{Mailbox, MultiPart};
    use lettre::transport::smtp::Error;
    use lettre::{AsyncSmtpTransport, AsyncTransport as _, Message, Tokio1Executor};

    use super::{Answers, Smtp};

    const SUBJECT: &str =
        "Your code: 123456 – für Zoë, who has a name that makes this subject a rather long one";
    const TEXT: &str = ".a dot, then a long line with ümlauts: 'Grüße aus dem Dachgeschoß, und bis bald!'\r\n\
        ..two dots = equal\r\n.\r\n=C3 at the end of this line stands a space \r\n\u{1f511}";

    type Mailer = AsyncSmtpTransport<Tokio1Executor>;

    fn mailer(smtp: &Smtp) -> Mailer {
        Mailer::from_url(&smtp.url()).unwrap().build()
    }

    async fn send(mailer: &Mailer, text: &str) -> Result<(), Error> {
        let person =
            |name: &str, address: &str| Mailbox::new(Some(name.to_owned()), address.parse().unwrap());
        let mail = Message::builder()
            .from(person("Denizen", "denizen@example.org"))
            .to(person("Zoë Ångström", "zoe@example.org"))
            .bcc("archive@example.org".parse().unwrap())
            .subject(SUBJECT)
            .multipart(MultiPart::alternative_plain_html(text.to_owned(), format!("<p>{text}</p>")))
            .unwrap();
        mailer.send(mail).await.map(drop)
    }

    #[tokio::test]
    async fn what_was_sent_is_what_is_read() {
        let smtp = Smtp::start().await;
        let mailer = mailer(&smtp);
        for text in [TEXT, "plain", "", &"\u{1f511}".repeat(300), &"a\r\n".repeat(300)] {
            send(&mailer, text).await.unwrap();
            let mail = smtp.next().await;
            assert_eq!(mail.from, "denizen@example.org");
            assert_eq!(mail.to, ["zoe@example.org", "archive@example.org"]);
            assert_eq!(mail.header("subject").as_deref(), Some(SUBJECT));
            assert_eq!(mail.text(), text);
            assert_eq!(mail.html(), Some(format!("<p>{text}</p>")));
        }
        assert_eq!(smtp.arrived().await, None);
    }

    #[tokio::test]
    async fn a_refusal_says_whether_to_try_again() {
        let smtp = Smtp::start().await;
        let mailer = mailer(&smtp);
        smtp.answer(Answers::RefuseForNow);
        assert!(send(&mailer, TEXT).await.unwrap_err().is_transient());
        smtp.answer(Answers::RefuseForGood);
        assert!(send(&mailer, TEXT).await.unwrap_err().is_permanent());
        assert_eq!(smtp.arrived().await, None);
        smtp.answer(Answers::Accept);
        send(&mailer, TEXT).await.unwrap();
        assert_eq!(smtp.next().await.text(), TEXT);
    }

    #[tokio::test]
    async fn a_hanging_server_goes_on_when_told_to() {
        let smtp = Smtp::start().await;
        let mailer = mailer(&smtp);
        smtp.answer(Answers::Hang);
        let sending = tokio::spawn(async move { send(&mailer, TEXT).await });
        // Another sender gets as far as the connection, which proves that the receiver is there and silent.
        tokio::net::TcpStream::connect(smtp.address()).await.unwrap();
        assert_eq!(smtp.arrived().await, None);
        assert!(!sending.is_finished());
        smtp.answer(Answers::Accept);
        assert_eq!(smtp.next().await.text(), TEXT);
        sending.await.unwrap().unwrap();
    }
}
