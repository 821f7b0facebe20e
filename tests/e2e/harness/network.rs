//! Network namespaces: one for each server, one for each client, joined by a veth pair.

use std::ffi::OsStr;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::sandbox;

/// A server's network namespace.
pub(crate) struct ServerNetwork {
    name: String,
    clients: AtomicUsize,
}

/// A client's network namespace, with a cable of its own to the server's.
pub(crate) struct ClientNetwork {
    name: String,
    number: usize,
}

impl ServerNetwork {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(1);
        let name = format!("s{}", NEXT.fetch_add(1, Ordering::Relaxed));
        sandbox::run("ip", ["netns", "add", &name]);
        sandbox::run("ip", ["-n", &name, "link", "set", "lo", "up"]);
        Self { name, clients: AtomicUsize::new(0) }
    }

    pub(crate) fn connect_client(&self) -> ClientNetwork {
        let number = self.clients.fetch_add(1, Ordering::Relaxed) + 1;
        let server = &self.name;
        let client = format!("{server}c{number}");
        // The server's end is `c<number>`, the client's `cable`.
        let script = format!(
            "set -e
            ip netns add {client}
            ip link add c{number} netns {server} type veth peer name cable netns {client}
            ip -n {server} addr add 10.99.{number}.1/24 dev c{number}
            ip -n {server} addr add fd99:{number}::1/64 dev c{number} nodad
            ip -n {server} link set c{number} up
            ip -n {client} link set lo up
            ip -n {client} addr add 10.99.{number}.2/24 dev cable
            ip -n {client} addr add fd99:{number}::2/64 dev cable nodad
            ip -n {client} link set cable up"
        );
        sandbox::run("sh", ["-c", &script]);
        ClientNetwork { name: client, number }
    }

    /// The namespace, for a thread that is to move into it.
    pub(crate) fn file(&self) -> PathBuf {
        PathBuf::from("/run/netns").join(&self.name)
    }

    /// A command that runs `program` in this namespace.
    pub(crate) fn command(&self, program: impl AsRef<OsStr>) -> Command {
        inside(&self.name, program)
    }

    /// The processes in this namespace.
    pub(crate) fn processes(&self) -> Vec<i32> {
        let pids = sandbox::run("ip", ["netns", "pids", &self.name]);
        pids.split_whitespace().filter_map(|pid| pid.parse().ok()).collect()
    }
}

impl ClientNetwork {
    pub(crate) fn command(&self, program: impl AsRef<OsStr>) -> Command {
        inside(&self.name, program)
    }

    pub(crate) fn server_ipv4(&self) -> String {
        format!("10.99.{}.1", self.number)
    }

    pub(crate) fn server_ipv6(&self) -> String {
        format!("fd99:{}::1", self.number)
    }

    /// What the server sees as the client's address.
    pub(crate) fn own_ipv4(&self) -> String {
        format!("10.99.{}.2", self.number)
    }

    pub(crate) fn own_ipv6(&self) -> String {
        format!("fd99:{}::2", self.number)
    }
}

fn inside(namespace: &str, program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new("ip");
    command.args(["netns", "exec", namespace]).arg(program);
    command
}

impl Drop for ServerNetwork {
    fn drop(&mut self) {
        delete(&self.name);
    }
}

impl Drop for ClientNetwork {
    fn drop(&mut self) {
        delete(&self.name);
    }
}

fn delete(namespace: &str) {
    let _gone_with_the_sandbox_otherwise = Command::new("ip").args(["netns", "del", namespace]).output();
}
