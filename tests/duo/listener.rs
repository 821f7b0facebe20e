//! A port on the loopback interface with a thread for each connection; nothing of it outlives it.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// How long a connection's thread may take to notice that its socket was shut.
const PATIENCE: Duration = Duration::from_secs(10);

/// Locks, also after a test has failed while the lock was held.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(super) struct Listener {
    port: u16,
    open: Arc<Open>,
    accepting: Option<JoinHandle<()>>,
}

/// The connections whose threads have not ended.
#[derive(Default)]
pub(super) struct Open {
    sockets: Mutex<Sockets>,
    changed: Condvar,
}

#[derive(Default)]
struct Sockets {
    stopped: bool,
    next: u64,
    open: BTreeMap<u64, TcpStream>,
    running: usize,
}

impl Listener {
    /// Has `serve` called in a thread of its own for each connection.
    pub(super) fn start(serve: impl Fn(TcpStream, &Arc<Open>) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let open = Arc::new(Open::default());
        let (serve, threads) = (Arc::new(serve), Arc::clone(&open));
        let accepting = std::thread::spawn(move || {
            for stream in listener.incoming() {
                if lock(&threads.sockets).stopped {
                    break;
                }
                let Ok(stream) = stream else { continue };
                let serve = Arc::clone(&serve);
                threads.spawn(stream, move |stream, open| serve(stream, open));
            }
        });
        Self { port, open, accepting: Some(accepting) }
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    /// Ends all connections and waits for their threads.
    pub(super) fn stop(&mut self) {
        let Some(accepting) = self.accepting.take() else { return };
        {
            let mut sockets = lock(&self.open.sockets);
            sockets.stopped = true;
            for socket in sockets.open.values() {
                let _already_gone = socket.shutdown(Shutdown::Both);
            }
        }
        let _woken = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port));
        let _ended = accepting.join();
        let sockets = lock(&self.open.sockets);
        let _all_ended = self.open.changed.wait_timeout_while(sockets, PATIENCE, |all| all.running > 0);
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Open {
    /// Runs `work` on a connection in a thread of its own; the connection is shut when the listener stops.
    pub(super) fn spawn(
        self: &Arc<Self>,
        stream: TcpStream,
        work: impl FnOnce(TcpStream, &Arc<Self>) + Send + 'static,
    ) {
        let Some(number) = self.enter(&stream) else { return };
        let open = Arc::clone(self);
        std::thread::spawn(move || {
            // Also left when `work` panics: the guard is dropped last.
            let _left = Left(&open, number);
            work(stream, &open);
        });
    }

    fn enter(&self, stream: &TcpStream) -> Option<u64> {
        let mut sockets = lock(&self.sockets);
        if sockets.stopped {
            return None;
        }
        let copy = stream.try_clone().ok()?;
        sockets.next += 1;
        sockets.running += 1;
        let number = sockets.next;
        sockets.open.insert(number, copy);
        Some(number)
    }
}

struct Left<'a>(&'a Open, u64);

impl Drop for Left<'_> {
    fn drop(&mut self) {
        let mut sockets = lock(&self.0.sockets);
        if let Some(socket) = sockets.open.remove(&self.1) {
            let _already_gone = socket.shutdown(Shutdown::Both);
        }
        sockets.running -= 1;
        self.0.changed.notify_all();
    }
}
