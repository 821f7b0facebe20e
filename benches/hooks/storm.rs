//! d. Two hundred logins at once, as after a restart of the server, and what a waiting login takes of the memory.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Write as _};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use super::arguments::Arguments;
use super::call::{self, Hook as Direct};
use super::figures::{Series, Table};
use super::harness::accounts::{UnixUser, pam_service};
use super::harness::client::Client;
use super::harness::echo::Pinger;
use super::harness::enrolment::Enrolment;
use super::harness::management::{Event, static_response};
use super::harness::sandbox;
use super::harness::server::Server;
use super::harness::server_builder::ServerBuilder;
use super::harness::stat_field;
use super::memory::{self, Waiting};

const CLIENTS: usize = 200;
const BYSTANDER: &str = "bystander";
/// How long a client waits for its verdict before that counts as lost.
const PATIENCE: Duration = Duration::from_secs(300);
/// The most that a waiting worker may take, in KiB.
const MEMORY_LIMIT: f64 = 2048.0;
/// Clock ticks in `/proc/PID/stat` on all of Linux.
const TICKS_PER_SECOND: f64 = 100.0;

/// Who comes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Crowd {
    /// Everybody with the right password and code.
    Right,
    /// Half of them; a quarter with a wrong password, a quarter with a wrong code.
    Mixed,
}

struct Storm {
    name: &'static str,
    crowd: Crowd,
    hook: fn(ServerBuilder) -> ServerBuilder,
    /// Whether everybody gets in, whatever they type.
    accepts_all: bool,
    /// Until the last verdict, in seconds.
    last: Series,
    cpu: Series,
    /// The worst round trip of somebody who was connected before, in milliseconds.
    bystander: Series,
    sent_away: usize,
    faults: usize,
}

pub(crate) fn run(arguments: &Arguments) -> bool {
    let storms_met = storms(arguments);
    let memory_met = memory();
    storms_met && memory_met
}

fn storms(arguments: &Arguments) -> bool {
    call::leave_workers_to_init();
    let crowd = unix_users();
    let storm = |name, crowd, accepts_all, hook| Storm {
        name,
        crowd,
        hook,
        accepts_all,
        last: Series::default(),
        cpu: Series::default(),
        bystander: Series::default(),
        sent_away: 0,
        faults: 0,
    };
    let mut storms = vec![
        storm("/bin/true", Crowd::Right, true, |builder| builder.hook("/bin/true")),
        storm("all right, 4 workers", Crowd::Right, false, |builder| builder),
        storm("all right, 4 workers, budget 0", Crowd::Right, false, |builder| {
            builder.set("auth", "stall_budget_ms", 0)
        }),
        storm("half of them wrong, 4 workers", Crowd::Mixed, false, |builder| builder),
        storm("half of them wrong, 200 workers", Crowd::Mixed, false, |builder| {
            builder.set("worker", "max", 200)
        }),
        storm("half of them wrong, 200 workers, budget 0", Crowd::Mixed, false, |builder| {
            builder.set("worker", "max", 200).set("auth", "stall_budget_ms", 0)
        }),
    ];
    storms.retain(|storm| storm.name == "/bin/true" || arguments.wants_variant(storm.name));
    for _ in 0..arguments.rounds(1) {
        for storm in &mut storms {
            storm.blow(&crowd);
        }
    }
    let base = storms[0].last.median();
    let mut table = Table::new("d. 200 logins at once: until the last verdict", "seconds", "/bin/true");
    for storm in &storms {
        table.row(storm.name, &storm.last, Some(base), None);
    }
    let mut met = table.print();
    let mut table =
        Table::new("d. 200 logins at once: processor time of all hooks and workers", "seconds", "/bin/true");
    let base = storms[0].cpu.median();
    for storm in &storms {
        table.row(storm.name, &storm.cpu, Some(base), None);
    }
    table.print();
    let title = "d. 200 logins at once: the worst round trip of somebody who is connected";
    let mut table = Table::new(title, "milliseconds", "/bin/true");
    let base = storms[0].bystander.median();
    for storm in &storms {
        table.row(storm.name, &storm.bystander, Some(base), None);
    }
    table.print();
    println!();
    for storm in &storms {
        let Storm { name, sent_away, faults, .. } = storm;
        met &= *faults == 0;
        println!("{name}: {faults} verdicts wrong or lost; {sent_away} times \"busy, try again\"");
    }
    met
}

impl Storm {
    /// Lets them all come to a new server.
    fn blow(&mut self, crowd: &[UnixUser]) {
        let server = (self.hook)(Server::builder()).set("totp", "window", 10).start();
        let everybody: Vec<(&UnixUser, Enrolment)> =
            crowd.iter().map(|user| (user, server.enroll(&user.name))).collect();
        let mut clients: Vec<Client> = everybody
            .iter()
            .map(|_| {
                // As clients are by default: they wait for as long as the server says.
                let client = server.client().line("connect-retry 1 300");
                let mut client = client.static_challenge("Your code").start();
                client.prompt();
                client
            })
            .collect();
        let logins: Vec<(String, String, bool)> = everybody
            .iter()
            .enumerate()
            .map(|(number, (user, enrolment))| {
                let (password, code) = match (self.crowd, number % 4) {
                    (Crowd::Mixed, 0) => ("wrong", enrolment.code()),
                    (Crowd::Mixed, 1) => (user.password.as_str(), enrolment.wrong_code()),
                    _ => (user.password.as_str(), enrolment.code()),
                };
                let right = self.crowd == Crowd::Right || number % 4 > 1;
                (user.name.clone(), static_response(password, &code), right || self.accepts_all)
            })
            .collect();
        let bystander = bystander(&server, crowd);
        std::thread::sleep(Duration::from_secs(2));
        let pinger = Pinger::start(bystander.network(), Duration::from_millis(10), u32::MAX);
        let used_before = cpu_of_hooks(&server);
        let start = Instant::now();
        for (client, (name, password, _)) in clients.iter_mut().zip(&logins) {
            client.give(name, password);
        }
        let mut last = Duration::ZERO;
        for (client, (name, _, right)) in clients.iter_mut().zip(&logins) {
            let verdict = client.wait("a verdict", PATIENCE, verdict_in);
            if verdict != *right {
                self.faults += 1;
                println!("{}: {name} was {}", self.name, if verdict { "let in" } else { "refused" });
            }
            let events = client.events();
            let at = events.iter().find(|timed| verdict_in(&timed.event).is_some()).expect("it has one").at;
            last = last.max(at - start);
            self.sent_away += events.iter().filter(|timed| is_busy(&timed.event)).count();
        }
        self.last.add_number(last.as_secs_f64());
        let round_trips = pinger.stop().into_iter().filter_map(|sample| sample.round_trip);
        self.bystander.add(round_trips.max().expect("answers came"));
        // The last workers have ended.
        std::thread::sleep(Duration::from_secs(1));
        self.cpu.add_number(cpu_of_hooks(&server) - used_before);
        server.still_stands();
        let expected = 1 + logins.iter().filter(|(_, _, right)| *right).count();
        assert_eq!(server.let_in(), expected, "clients that the server let in");
    }
}

/// Somebody who is connected before the others come.
fn bystander(server: &Server, crowd: &[UnixUser]) -> Client {
    let user = UnixUser { name: BYSTANDER.into(), password: crowd[0].password.clone() };
    let code = server.enroll(&user.name).code();
    let mut client = server.client().static_challenge("Your code").start();
    client.log_in_by_scrv1(&user.name, &user.password, &code).expect_connected();
    client
}

/// Let in or refused for good.
fn verdict_in(event: &Event) -> Option<bool> {
    match event {
        Event::Connected => Some(true),
        Event::AuthFailed { .. } if !is_busy(event) => Some(false),
        _ => None,
    }
}

fn is_busy(event: &Event) -> bool {
    matches!(event, Event::AuthFailed { reason } if reason.starts_with("TEMP"))
}

/// Users with one password, written into the sandbox's copy of the files: `useradd` takes its time.
fn unix_users() -> Vec<UnixUser> {
    let first = UnixUser::new();
    let line_of = |path: &str| {
        let text = std::fs::read_to_string(path).unwrap();
        text.lines().find(|line| line.starts_with(&format!("{}:", first.name))).unwrap().to_owned()
    };
    let (passwd, shadow) = (line_of("/etc/passwd"), line_of("/etc/shadow"));
    let names = (0..CLIENTS).map(|number| format!("storm{number}")).chain([BYSTANDER.into()]);
    let names: Vec<String> = names.collect();
    for (path, line) in [("/etc/passwd", passwd), ("/etc/shadow", shadow)] {
        let (_, rest) = line.split_once(':').unwrap();
        let mut text = std::fs::read_to_string(path).unwrap();
        for name in &names {
            writeln!(text, "{name}:{rest}").unwrap();
        }
        std::fs::write(path, text).unwrap();
    }
    names.into_iter().take(CLIENTS).map(|name| UnixUser { name, password: first.password.clone() }).collect()
}

/// Seconds of processor time of the hooks that `server` has waited for, and of the workers that became orphans.
fn cpu_of_hooks(server: &Server) -> f64 {
    cpu_of_children(pid_of(server)) + cpu_of_children(1)
}

fn pid_of(server: &Server) -> i32 {
    let mut socket = UnixStream::connect(server.directory().join("management.sock")).unwrap();
    socket.write_all(b"pid\n").unwrap();
    let mut lines = BufReader::new(socket).lines().map(Result::unwrap);
    lines.find_map(|line| line.strip_prefix("SUCCESS: pid=")?.trim().parse().ok()).expect("OpenVPN has an id")
}

/// Of those that have ended and were waited for (`cutime` and `cstime` in `proc_pid_stat(5)`).
fn cpu_of_children(pid: i32) -> f64 {
    [16, 17].map(|field| stat_field::<f64>(pid, field).unwrap()).iter().sum::<f64>() / TICKS_PER_SECOND
}

fn memory() -> bool {
    call::adopt_workers();
    let user = UnixUser::new();
    let database = sandbox::root().join("memory/state/tokens.sqlite3");
    let enrolment = Enrolment::new(&database, &user.name, &[], &[]);
    let hook = Direct::product(&database).set("authStallBudgetMs", "0").set("workerMax", "100");
    let patient =
        pam_service("auth optional pam_faildelay.so delay=25000000\nauth required pam_unix.so nodelay\n");
    let delayed = hook.clone().set("pamService", &patient);
    let slow = super::harness::accounts::slow_pam_service(30);
    let slow = hook.set("pamService", &slow);
    let right = static_response(&user.password, &enrolment.code());
    let wrong = static_response("wrong", &enrolment.code());

    let mut table = Table::new("d. Memory of a waiting login", "KiB of PSS", "");
    for count in [1, 4, 50] {
        let after = Duration::from_millis(500 + 120 * count as u64);
        let Waiting { with_pam, .. } = memory::of_waiting(&delayed, &user.name, &wrong, count, after);
        let name = format!("worker that waits out a failure delay, 1 of {count}");
        table.row(&name, &with_pam, None, Some(MEMORY_LIMIT));
        let Waiting { worker, with_pam } = memory::of_waiting(&slow, &user.name, &right, count, after);
        let name = format!("worker that waits for a slow PAM, 1 of {count}");
        table.row(&name, &worker, None, Some(MEMORY_LIMIT));
        let name = format!("the same with its PAM process, 1 of {count}");
        table.row(&name, &with_pam, None, None);
    }
    table.print()
}
