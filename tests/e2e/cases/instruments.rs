//! The harness itself: that it sees who gets in, who does not, and what is left behind. Without the product.

use crate::harness::client::Client;
use crate::harness::report::Case;
use crate::harness::server::Server;

pub(crate) fn cases() -> Vec<Case> {
    crate::cases![
        a_hook_that_accepts_lets_in,
        a_hook_that_rejects_lets_nobody_in,
        a_response_that_a_hook_leaves_behind_is_noticed,
        a_server_that_has_ended_is_noticed,
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
