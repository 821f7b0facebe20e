//! The harness itself: that it sees who gets in, who does not, and what is left behind. Without the product.

use crate::duo::{Connection, Lookalike, Network, Options, Proxy, ProxyAnswer};
use crate::harness::client::Client;
use crate::harness::network::ServerNetwork;
use crate::harness::report::Case;
use crate::harness::server::Server;
use std::io::Write;
use std::process::Stdio;

pub(crate) fn cases() -> Vec<Case> {
    crate::cases![
        a_hook_that_accepts_lets_in,
        a_hook_that_rejects_lets_nobody_in,
        a_response_that_a_hook_leaves_behind_is_noticed,
        a_server_that_has_ended_is_noticed,
        the_look_alike_of_duo_is_where_the_server_is,
    ]
}

fn log_in(server: &Server) -> Client {
    let mut client = server.client().start();
    client.log_in("alice", "anything");
    client
}

fn a_hook_that_accepts_lets_in() {
    let server = Server::builder().hook("/bin/true").start();
    let mut client = log_in(&server);
    client.reply().expect_connected();
    assert!(client.was_ever_connected());
    assert!(client.reaches_the_server());
    assert_eq!(server.let_in(), 1);
    assert_eq!(server.sessions().len(), 1);
}

fn a_hook_that_rejects_lets_nobody_in() {
    let server = Server::builder().hook("/bin/false").start();
    assert_eq!(log_in(&server).reply().expect_refused(), "");
    server.let_nobody_in();
    assert_eq!(server.sessions(), []);
}

/// OpenVPN deletes the file of a password, but not that of a response.
fn a_response_that_a_hook_leaves_behind_is_noticed() {
    let server = Server::builder().hook("/bin/true").start();
    let mut client = log_in(&server);
    client.reply().expect_connected();
    server.tmp_dir_is_clean();
    client.respond("123456");
    server.wait_for_log("the response is taken", |line| line.contains("CR response was sent by client"));
    let unclean = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| server.tmp_dir_is_clean()));
    assert!(unclean.is_err(), "the response's file went unnoticed");
    for entry in std::fs::read_dir(server.directory().join("tmp")).unwrap() {
        let path = entry.unwrap().path();
        if path.to_string_lossy().contains("openvpn_cr_") {
            assert_eq!(std::fs::read_to_string(&path).unwrap().trim(), "MTIzNDU2");
            std::fs::remove_file(path).unwrap();
        }
    }
}

fn a_server_that_has_ended_is_noticed() {
    let server = Server::builder().hook("/bin/true").start();
    server.still_stands();
    server.stop();
    let fallen = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| server.still_stands()));
    assert!(fallen.is_err(), "the server's end went unnoticed");
    server.is_expected_to_have_ended();
}

/// Hooks run in the server's network, which has a loopback interface of its own. OpenSSL's client asks from there, once
/// at the look-alike itself and once through a proxy.
fn the_look_alike_of_duo_is_where_the_server_is() {
    let network = ServerNetwork::new();
    let here = Network::Namespace(network.file());
    let duo = Lookalike::start(Options { network: here.clone(), ..Options::default() });
    let proxy = Proxy::start_in(here, ProxyAnswer::Forward(duo.port()));
    let through = format!("127.0.0.1:{}", proxy.port());
    for proxied in [&[][..], &["-proxy", &through]] {
        let mut client = network
            .command("openssl")
            .args(["s_client", "-quiet", "-verify_return_error", "-verify_hostname", "localhost"])
            .args(["-connect", &duo.host(), "-CAfile"])
            .arg(duo.ca_file())
            .args(proxied)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let head = format!("GET /auth/v2/ping HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", duo.host());
        client.stdin.take().unwrap().write_all(head.as_bytes()).unwrap();
        let output = client.wait_with_output().unwrap();
        let answer = String::from_utf8_lossy(&output.stdout);
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}: {output:?}");
    }
    assert_eq!(proxy.asked(), [duo.host()]);
    assert!(matches!(
        &duo.connections()[..],
        [Connection::Established { .. }, Connection::Established { .. }]
    ));
}
