//! A long way between client and server: datagrams arrive later, as they do over the Internet.

use std::collections::HashMap;
use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{self, Sender};
use std::time::{Duration, Instant};

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

/// Where the long way begins, in the server's network.
pub(crate) const PORT: u16 = 1195;
/// Where OpenVPN listens.
const OPENVPN: u16 = 1194;
const MAX_DATAGRAM: usize = 1 << 16;

/// A datagram and when it came.
type Arrived = (Instant, Vec<u8>);

/// Passes datagrams for [`PORT`] on to OpenVPN, and its answers back, each one `delay` after it came: for as long as this
/// process lives. `network` is the file of the server's network namespace.
pub(crate) fn open(network: PathBuf, delay: Duration) {
    let (ready, wait) = mpsc::channel();
    std::thread::spawn(move || {
        // Threads that this one starts, and their sockets, are there too.
        let file = File::open(network).unwrap();
        move_into_link_name_space(file.as_fd(), Some(LinkNameSpaceType::Network)).unwrap();
        let far_end = Arc::new(UdpSocket::bind((Ipv4Addr::UNSPECIFIED, PORT)).unwrap());
        ready.send(()).unwrap();
        pass_on(&far_end, delay);
    });
    wait.recv().unwrap();
}

fn pass_on(far_end: &Arc<UdpSocket>, delay: Duration) {
    let mut clients: HashMap<SocketAddr, Sender<Arrived>> = HashMap::new();
    let mut buffer = vec![0; MAX_DATAGRAM];
    loop {
        let (length, client) = far_end.recv_from(&mut buffer).unwrap();
        let way = clients.entry(client).or_insert_with(|| way_of(far_end, client, delay));
        way.send((Instant::now(), buffer[..length].to_vec())).unwrap();
    }
}

/// The way of one client to OpenVPN; the way back is opened with it.
fn way_of(far_end: &Arc<UdpSocket>, client: SocketAddr, delay: Duration) -> Sender<Arrived> {
    let near_end = Arc::new(UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap());
    near_end.connect((Ipv4Addr::LOCALHOST, OPENVPN)).unwrap();
    let far_end = Arc::clone(far_end);
    let back = later(delay, move |datagram| far_end.send_to(datagram, client));
    let answers = Arc::clone(&near_end);
    std::thread::spawn(move || {
        let mut buffer = vec![0; MAX_DATAGRAM];
        // An error is an ICMP message about a server that has ended.
        while let Ok(length) = answers.recv(&mut buffer) {
            back.send((Instant::now(), buffer[..length].to_vec())).unwrap();
        }
    });
    later(delay, move |datagram| near_end.send(datagram))
}

/// Delivers what it is given `delay` after it came, in that order.
fn later<T: 'static>(
    delay: Duration,
    deliver: impl Fn(&[u8]) -> std::io::Result<T> + Send + 'static,
) -> Sender<Arrived> {
    let (sender, receiver) = mpsc::channel::<Arrived>();
    std::thread::spawn(move || {
        for (came, datagram) in receiver {
            std::thread::sleep(delay.saturating_sub(came.elapsed()));
            // Lost, as on any way, when nobody is at the other end any more.
            let _ = deliver(&datagram);
        }
    });
    sender
}
