//! Another plugin that decides about logins beside the hooks. Neither lets in whom the other refuses.

use std::path::Path;

use super::{FAILED, INCORRECT, Scene};
use crate::harness::accounts::pam_service;
use crate::harness::report::{self, Case};
use crate::harness::server::Server;

pub(crate) fn cases() -> Vec<Case> {
    crate::cases![
        a_plugin_that_accepts_lets_nobody_in_whom_the_hook_refuses,
        a_plugin_that_accepts_later_lets_nobody_in_whom_the_hook_refuses,
        a_plugin_that_refuses_keeps_out_whom_the_hook_accepts,
        a_plugin_that_refuses_later_keeps_out_whom_the_hook_accepts,
    ]
}

/// A server with OpenVPN's own plugin for PAM, whose service has `module` and nothing else.
fn with_plugin(module: &str, deferring: bool, budget: i64) -> Scene {
    let places = [
        "/usr/lib/openvpn/openvpn-plugin-auth-pam.so",
        "/usr/lib/x86_64-linux-gnu/openvpn/plugins/openvpn-plugin-auth-pam.so",
        "/usr/lib64/openvpn/plugins/openvpn-plugin-auth-pam.so",
    ];
    let Some(plugin) = places.iter().find(|place| Path::new(place).exists()) else {
        report::skip("OpenVPN's plugin openvpn-plugin-auth-pam.so is not here");
    };
    let service = pam_service(&format!("auth required {module}\naccount required {module}\n"));
    let builder = Server::builder()
        .line(if deferring { "setenv deferred_auth_pam 1" } else { "# the plugin makes OpenVPN wait" })
        .line(format!("plugin {plugin} {service}"));
    Scene::with(builder.set("auth", "stall_budget_ms", budget))
}

fn keeps_out(module: &str, deferring: bool, code: fn(&Scene) -> String, told: Option<&str>) {
    for budget in [0, 1000] {
        let scene = with_plugin(module, deferring, budget);
        let mut client = scene.server.client().static_challenge("Your code").start();
        let reply = client.log_in_by_scrv1(&scene.user.name, &scene.user.password, &code(&scene));
        let reason = reply.expect_refused();
        if let Some(told) = told {
            assert!(reason.starts_with(told), "{reason}");
        }
        scene.server.let_nobody_in();
    }
}

fn a_plugin_that_accepts_lets_nobody_in_whom_the_hook_refuses() {
    keeps_out("pam_permit.so", false, |scene| scene.enrolment.wrong_code(), Some(INCORRECT));
}

fn a_plugin_that_accepts_later_lets_nobody_in_whom_the_hook_refuses() {
    keeps_out("pam_permit.so", true, |scene| scene.enrolment.wrong_code(), Some(INCORRECT));
    let scene = with_plugin("pam_permit.so", true, 0);
    let mut client = scene.server.client().static_challenge("Your code").start();
    client.log_in_by_scrv1(&scene.user.name, "wrong", &scene.enrolment.code()).expect_refusal(FAILED);
    scene.server.let_nobody_in();
    // The instrument: with both it works.
    client
        .log_in_by_scrv1(&scene.user.name, &scene.user.password, &scene.enrolment.code())
        .expect_connected();
}

fn a_plugin_that_refuses_keeps_out_whom_the_hook_accepts() {
    keeps_out("pam_deny.so", false, |scene| scene.enrolment.code(), None);
}

fn a_plugin_that_refuses_later_keeps_out_whom_the_hook_accepts() {
    keeps_out("pam_deny.so", true, |scene| scene.enrolment.code(), None);
}
