//! Datagrams through the tunnel: the server's end echoes, the client's end measures.
//!
//! Both are this binary in another role, started in the namespace in question.

use std::io::{Read, Write};
use std::net::UdpSocket;
use std::process::{Child, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::network::{ClientNetwork, ServerNetwork};
use super::sandbox::{self, Role};

/// The server's address in its tunnels.
pub(crate) const SERVER: &str = "10.8.0.1";
const PORT: u16 = 7007;
/// How long an answer may take before it counts as lost.
const LOST_AFTER: Duration = Duration::from_secs(5);

/// One datagram: when it was sent, and how long its answer took.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sample {
    pub(crate) sent: SystemTime,
    /// `None`: it never came back.
    pub(crate) round_trip: Option<Duration>,
}

/// The echo at the server's end.
pub(crate) struct Echo(Child);

/// A series of datagrams from a client, under way until [`Pinger::stop`].
pub(crate) struct Pinger(Child);

impl Echo {
    pub(crate) fn start(network: &ServerNetwork) -> Self {
        let mut command = network.command(sandbox::this_binary());
        Role::Echo.give_to(&mut command).stdin(Stdio::null());
        Self(command.spawn().unwrap())
    }

    pub(crate) fn id(&self) -> u32 {
        self.0.id()
    }
}

impl Pinger {
    /// Sends a datagram every `interval`, `count` in all or until it is stopped.
    pub(crate) fn start(network: &ClientNetwork, interval: Duration, count: u32) -> Self {
        let mut command = network.command(sandbox::this_binary());
        command.args([interval.as_micros().to_string(), count.to_string()]);
        Role::Pinger.give_to(&mut command).stdin(Stdio::piped()).stdout(Stdio::piped());
        Self(command.spawn().unwrap())
    }

    /// Sends no more; what was measured.
    pub(crate) fn stop(mut self) -> Vec<Sample> {
        drop(self.0.stdin.take());
        self.finish()
    }

    /// Waits until all were sent; what was measured.
    pub(crate) fn finish(mut self) -> Vec<Sample> {
        let mut text = String::new();
        self.0.stdout.take().unwrap().read_to_string(&mut text).unwrap();
        text.lines()
            .map(|line| {
                let (sent, round_trip) = line.split_once(' ').expect("two numbers a line");
                Sample {
                    sent: UNIX_EPOCH + Duration::from_micros(sent.parse().unwrap()),
                    round_trip: round_trip.parse().ok().map(Duration::from_micros),
                }
            })
            .collect()
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        end(&mut self.0);
    }
}

impl Drop for Pinger {
    fn drop(&mut self) {
        end(&mut self.0);
    }
}

fn end(child: &mut Child) {
    let _already_gone = child.kill();
    let _reaped = child.wait();
}

/// The echo's process.
pub(crate) fn answer() -> std::io::Result<()> {
    let socket = UdpSocket::bind(("0.0.0.0", PORT))?;
    let mut buffer = [0; 64];
    loop {
        // An ICMP error about an earlier answer is reported here, and is nothing to stop for.
        if let Ok((length, from)) = socket.recv_from(&mut buffer) {
            let _lost = socket.send_to(&buffer[..length], from);
        }
    }
}

/// The pinger's process: `interval_us count`. Keeps its samples in memory and prints them at the end.
pub(crate) fn measure() -> std::io::Result<()> {
    let mut numbers = std::env::args().skip(1).map(|number| number.parse().expect("a number"));
    let interval = Duration::from_micros(numbers.next().expect("an interval"));
    let count = numbers.next().expect("a count");
    let socket = UdpSocket::bind(("0.0.0.0", 0))?;
    socket.connect((SERVER, PORT))?;
    socket.set_read_timeout(Some(Duration::from_millis(100)))?;
    let stopped = Arc::new(Mutex::new(false));
    let stop = Arc::clone(&stopped);
    std::thread::spawn(move || {
        let mut nothing = Vec::new();
        let _closed = std::io::stdin().read_to_end(&mut nothing);
        *stop.lock().expect("not poisoned") = true;
    });
    let samples = Arc::new(Mutex::new(Vec::<(Sample, Instant)>::new()));
    let (receiver, noted) = (socket.try_clone()?, Arc::clone(&samples));
    std::thread::spawn(move || {
        let mut buffer = [0; 8];
        loop {
            if receiver.recv(&mut buffer).is_ok_and(|length| length == 8) {
                let number = usize::try_from(u64::from_be_bytes(buffer)).expect("64 bits");
                let mut samples = noted.lock().expect("not poisoned");
                let (sample, sent) = &mut samples[number];
                sample.round_trip = Some(sent.elapsed());
            }
        }
    });
    let start = Instant::now();
    for number in 0..count {
        let due = start + interval * u32::try_from(number).expect("fits");
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        if *stopped.lock().expect("not poisoned") {
            break;
        }
        let sample = Sample { sent: SystemTime::now(), round_trip: None };
        samples.lock().expect("not poisoned").push((sample, Instant::now()));
        let _lost = socket.send(&number.to_be_bytes());
    }
    let end = Instant::now();
    while end.elapsed() < LOST_AFTER
        && samples.lock().expect("not poisoned").iter().any(|(sample, _)| sample.round_trip.is_none())
    {
        std::thread::sleep(Duration::from_millis(2));
    }
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    for (sample, _) in samples.lock().expect("not poisoned").iter() {
        let sent = sample.sent.duration_since(UNIX_EPOCH).expect("after 1970").as_micros();
        match sample.round_trip {
            Some(round_trip) => writeln!(out, "{sent} {}", round_trip.as_micros())?,
            None => writeln!(out, "{sent} lost")?,
        }
    }
    out.flush()
}
