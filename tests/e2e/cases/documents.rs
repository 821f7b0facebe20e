//! Every command in the documentation runs: each block of `sh` in README.md and contrib/doc, in order, in a world in which
//! README was followed before.
//!
//! A block of `toml` becomes the settings file. A block behind `<!-- not run: why -->` is passed over, and said. Each block
//! has a shell of its own, in the checkout. What a document finds when it begins, beyond the installation, is in
//! [`prepare`].

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use libtest_mimic::Trial;

use crate::duo::{self, Lookalike};
use crate::harness::client_builder::ClientBuilder;
use crate::harness::enrolment::Enrolment;
use crate::harness::reply::Reply;
use crate::harness::world::World;
use crate::harness::{PATIENCE, eventually, report};

const DUO_HOST: &str = "api-12345678.duosecurity.com";
const README: &str = "README.md";
const SETTINGS: &str = "/etc/openvpn-2fa/config.toml";

/// A test for each document that has something to run.
pub(super) fn trials() -> Vec<Trial> {
    let mut documents = vec![PathBuf::from(README)];
    let entries = root().join("contrib/doc").read_dir().expect("contrib/doc is in the checkout");
    documents
        .extend(entries.map(|entry| Path::new("contrib/doc").join(entry.expect("an entry").file_name())));
    documents.sort();
    let with_commands = documents.into_iter().filter(|document| {
        document.extension().is_some_and(|extension| extension == "md") && !blocks(document).is_empty()
    });
    with_commands
        .map(|document| {
            let name = document.file_stem().expect("a name").to_string_lossy().to_lowercase();
            report::trial(format!("documents::{name}"), move || follow(&document))
        })
        .collect()
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Commands or settings out of a document.
struct Block {
    /// Where its first line stands in the document.
    line: usize,
    text: String,
    kind: Kind,
    /// Why it is not run.
    not_run: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Commands,
    Settings,
}

fn blocks(document: &Path) -> Vec<Block> {
    let content = std::fs::read_to_string(root().join(document)).expect("a document");
    let mut blocks: Vec<Block> = Vec::new();
    let mut not_run = None;
    let mut lines = content.lines().enumerate();
    while let Some((number, line)) = lines.next() {
        // Blocks in lists are indented.
        let indent = line.len() - line.trim_start().len();
        let Some(language) = line.trim_start().strip_prefix("```") else {
            let comment = line.strip_prefix("<!-- not run: ").and_then(|rest| rest.strip_suffix(" -->"));
            not_run = comment.map(str::to_owned);
            continue;
        };
        let mut text = String::new();
        for (_, line) in lines.by_ref().take_while(|(_, line)| line.trim() != "```") {
            let _infallible = writeln!(text, "{}", line.get(indent..).unwrap_or_default());
        }
        let kind = match language {
            "sh" => Kind::Commands,
            "toml" => Kind::Settings,
            _ => continue,
        };
        blocks.push(Block { line: number + 2, text, kind, not_run: not_run.take() });
    }
    blocks
}

/// Follows a document, and README before it.
fn follow(document: &Path) {
    let readme = Path::new(README);
    let blocks_of_document = blocks(document);
    let with_duo = blocks_of_document.iter().any(|block| block.text.contains("check duo"));
    let reader = Reader::new(with_duo);
    if document == readme {
        reader.follow(document, &blocks_of_document);
        println!("{}", not_run(document, &blocks_of_document));
        return a_login_works(&reader.world);
    }
    reader.follow(readme, &blocks(readme));
    prepare(document, &reader);
    reader.follow(document, &blocks_of_document);
    println!("{}", not_run(document, &blocks_of_document));
}

/// How many blocks were run, and which were not.
fn not_run(document: &Path, blocks: &[Block]) -> String {
    let passed_over = blocks.iter().filter(|block| block.not_run.is_some()).count();
    let mut said =
        format!("{}: {} blocks run, {passed_over} not", document.display(), blocks.len() - passed_over);
    for block in blocks {
        if let Some(why) = &block.not_run {
            let _infallible = write!(said, "\n  {}:{} not run: {why}", document.display(), block.line);
        }
    }
    said
}

/// What a document finds when its reader begins, after the installation.
fn prepare(document: &Path, reader: &Reader) {
    let fixtures = reader.world.directory().join("fixtures");
    let fixtures = fixtures.display();
    let script = match document.file_stem().and_then(|name| name.to_str()) {
        Some("users") => "openvpn-2fa delete alice".to_owned(),
        Some("privileges") => {
            "id -u openvpn > /dev/null || useradd --system --no-create-home openvpn".to_owned()
        }
        Some("moving") => {
            let database = reader.world.directory().join("token_index.sqlite3");
            let connection = rusqlite::Connection::open(&database).expect("a database of another program");
            connection
                .execute_batch(
                    "CREATE TABLE tokens (username TEXT, secret TEXT);
                     INSERT INTO tokens VALUES ('erin', '3ZIHFIU3CJFDLQKHMH5VWPROZTZH52AU');",
                )
                .expect("a table");
            format!(
                "rm -r /var/lib/openvpn-totp && mkdir -m 700 /var/lib/openvpn-totp
                install -m 0600 {} /var/lib/openvpn-totp/token_index.sqlite3
                install -m 0600 {fixtures}/pickle-4 /etc/openvpn/pyotp_index.db
                printf '%s\\n' MJHO7QTN3FL55QHZ7YSGXD5NSM '\" TOTP_AUTH' 99271719 > /home/alice/.google_authenticator
                chown alice: /home/alice/.google_authenticator
                chmod 0400 /home/alice/.google_authenticator
                echo 'HOTP/T30/6 frank - 3132333435363738393031323334353637383930' > /etc/users.oath
                mkdir -p /etc/ppp
                echo 'john otp totp:sha1:base32:LJYHR64TUI7IL3RD::xxx *' > /etc/ppp/otp-secrets
                echo 'otpauth://totp/OpenVPN%20Server:grace?secret=3ZIHFIU3CJFDLQKHMH5VWPROZTZH52AU&issuer=OpenVPN%20Server' > app
                chmod 600 /etc/users.oath /etc/ppp/otp-secrets app",
                database.display()
            )
        }
        _ => return,
    };
    reader.run("before the document", 1, &script);
}

/// Somebody who types what the documents say.
struct Reader {
    duo: Option<Lookalike>,
    world: World,
}

impl Reader {
    /// In a world in which Duo can be reached or cannot.
    fn new(with_duo: bool) -> Self {
        let world = World::new();
        let duo = with_duo.then(|| {
            let duo = Lookalike::start(duo::Options {
                name: DUO_HOST.to_owned(),
                network: duo::Network::Namespace(world.network().file()),
                ..duo::Options::default()
            });
            duo.add(duo::User::with_phone("alice"));
            std::fs::copy(duo.ca_file(), world.directory().join("duo.pem")).expect("Duo's authority");
            duo
        });
        let reader = Self { duo, world };
        reader.run("before", 1, &format!("echo 127.0.0.1 {DUO_HOST} >> /etc/hosts"));
        reader
    }

    fn follow(&self, document: &Path, blocks: &[Block]) {
        for block in blocks.iter().filter(|block| block.not_run.is_none()) {
            match block.kind {
                Kind::Commands => self.run(&document.display().to_string(), block.line, &block.text),
                Kind::Settings => self.set(document, block),
            }
        }
    }

    /// Makes a block the settings file, and has it read.
    fn set(&self, document: &Path, block: &Block) {
        let file = self.world.directory().join("config.toml");
        std::fs::write(&file, &block.text).expect("the settings");
        let script =
            format!("install -D -m 0600 {} {SETTINGS}\nopenvpn-2fa list > /dev/null", file.display());
        self.run(&format!("{}, settings of", document.display()), block.line, &script);
    }

    /// Runs commands in a shell of their own.
    ///
    /// # Panics
    /// When one fails.
    fn run(&self, place: &str, line: usize, commands: &str) {
        let file = self.world.directory().join("block.sh");
        // Errors name the line of the document.
        let head = "set -eEuo pipefail; trap 'echo \"line $LINENO: $BASH_COMMAND: status $?\" >&2' ERR;";
        let script = format!("{head}{}{commands}", "\n".repeat(line.max(2) - 1));
        std::fs::write(&file, script).expect("a script");
        let typed = self.world.directory().join("typed");
        std::fs::write(&typed, typed_at(commands)).expect("what is typed");
        let mut command = self.world.command("bash");
        if let Some(duo) = &self.duo {
            // The look-alike of Duo is not where the documents say.
            command
                .env("duoPort", duo.port().to_string())
                .env("duoIkey", duo::IKEY)
                .env("duoCaFile", self.world.directory().join("duo.pem"));
        }
        let output = command
            .arg(&file)
            .stdin(std::fs::File::open(&typed).expect("what is typed"))
            .output()
            .expect("nsenter starts");
        assert!(
            output.status.success(),
            "{place}:{line} fails ({}):\n{commands}\n{}{}",
            output.status,
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
    }
}

/// What the reader types when a command reads it.
fn typed_at(commands: &str) -> &'static str {
    if commands.contains("/dev/stdin") {
        duo::SKEY
    } else if commands.contains("pamtester") {
        "the password of alice\n"
    } else {
        ""
    }
}

/// Whoever has followed README has a server that lets alice in, with her password and her code.
fn a_login_works(world: &World) {
    let shown =
        world.command("openvpn-2fa").args(["show", "alice", "--secret"]).output().expect("nsenter starts");
    let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
    let (_, rest) = shown.split_once("?secret=").unwrap_or_else(|| panic!("no URI: {shown}"));
    let secret = rest.split(|c: char| !c.is_ascii_alphanumeric()).next().unwrap_or_default();
    let enrolment = Enrolment { secret: secret.to_owned(), uri: String::new() };

    let log_path = world.directory().join("server.log");
    let log = std::fs::File::create(&log_path).expect("a log");
    let mut server = world
        .command("openvpn")
        .args(["--config", "/etc/openvpn/server/server.conf"])
        .stdout(Stdio::from(log.try_clone().expect("a log")))
        .stderr(Stdio::from(log))
        .spawn()
        .expect("nsenter starts");
    let said = || std::fs::read_to_string(&log_path).unwrap_or_default();
    eventually("the server of README starts", PATIENCE, || {
        if let Ok(Some(status)) = server.try_wait() {
            panic!("the server of README ends ({status}): {}", said());
        }
        said().contains("Initialization Sequence Completed").then_some(())
    });
    let client_directory = world.directory().join("client");
    let mut client =
        ClientBuilder::new(world.network().connect_client(), client_directory, false).crtext().start();
    client.log_in("alice", "the password of alice");
    let question = client.reply();
    assert!(matches!(question, Reply::CrText { .. }), "{question:?}: {}", said());
    client.respond(&enrolment.code());
    assert_eq!(client.reply(), Reply::Connected, "{}", said());
    drop(client);
    server.kill().expect("the server can be ended");
    let _ended = server.wait();
}
