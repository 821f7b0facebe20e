//! A port on a loopback interface with a thread for each connection; nothing of it outlives it.

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use std::collections::BTreeMap;
use std::fs::File;
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

/// How long a connection's thread may take to notice that its socket was shut.
const PATIENCE: Duration = Duration::from_secs(10);

/// Locks, also after a test has failed while the lock was held.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Which loopback interface.
#[derive(Clone, Debug, Default)]
pub(crate) enum Network {
    /// That of the test.
    #[default]
    Here,
    /// That of the network namespace with this file, `/run/netns/…`; root only.
    Namespace(PathBuf),
}

impl Network {
    /// Moves the calling thread, and those that it starts, there.
    fn enter(&self) {
        if let Self::Namespace(file) = self {
            let file = File::open(file).unwrap();
            move_into_link_name_space(file.as_fd(), Some(LinkNameSpaceType::Network)).unwrap();
        }
    }
}

pub(super) struct Listener {
    port: u16,
    /// The listening socket, as something that can be shut.
    socket: TcpStream,
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
    pub(super) fn start(
        network: Network,
        serve: impl Fn(TcpStream, &Arc<Open>) + Send + Sync + 'static,
    ) -> Self {
        let (bound, listener) = mpsc::channel();
        let open = Arc::new(Open::default());
        let (serve, threads) = (Arc::new(serve), Arc::clone(&open));
        let accepting = std::thread::spawn(move || {
            network.enter();
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
            bound.send(listener.try_clone().unwrap()).unwrap();
            for stream in listener.incoming() {
                if lock(&threads.sockets).stopped {
                    break;
                }
                let Ok(stream) = stream else { continue };
                let serve = Arc::clone(&serve);
                threads.spawn(stream, move |stream, open| serve(stream, open));
            }
        });
        let listener = listener.recv().expect("the thread says why it could not bind");
        let port = listener.local_addr().unwrap().port();
        let socket = TcpStream::from(OwnedFd::from(listener));
        Self { port, socket, open, accepting: Some(accepting) }
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
        // `accept` fails from here on.
        let _already_gone = self.socket.shutdown(Shutdown::Both);
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
