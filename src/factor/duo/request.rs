//! What Duo is asked: the parameters of each request. Pure.
//!
//! `machine` is this machine's name, as Duo shows it in its log and on the telephone.

use super::signing::{Parameters, push_encoded};
use super::{AuthRequest, DeviceChoice, Factor, PreauthRequest, Transaction};
use crate::name::UserName;
use crate::secret::{ExposeSecret, SecretBytes};
use std::net::IpAddr;

/// `/auth/v2/preauth`
pub(super) fn preauth(machine: &str, request: &PreauthRequest<'_>) -> Parameters {
    about(machine, request.user, request.address)
        .with("text_prompt", "1")
        .maybe("client_supports_verified_push", request.verified_push.then_some("1"))
}

/// `/auth/v2/auth`
pub(super) fn auth(machine: &str, request: &AuthRequest<'_>) -> Parameters {
    let parameters = about(machine, request.user, request.address)
        .with("async", "1")
        .maybe("txid", request.transaction.map(|transaction| transaction.0.as_str()));
    // What a telephone shows.
    let shown = |parameters: Parameters| {
        parameters
            .with("type", "VPN login")
            .with("display_username", request.user.as_str())
            .with("pushinfo", push_info(machine, request.address))
    };
    match &request.factor {
        Factor::Auto => shown(parameters.with("factor", "auto").with("device", "auto")),
        Factor::Push(device) => shown(parameters.with("factor", "push").with("device", device_id(*device))),
        Factor::Phone(device) => parameters.with("factor", "phone").with("device", device_id(*device)),
        Factor::Sms(device) => parameters.with("factor", "sms").with("device", device_id(*device)),
        Factor::Passcode(code) => parameters.with("factor", "passcode").with("passcode", text_of(code)),
        Factor::Prompt(entry) => shown(parameters.with("factor", "prompt").with("prompt", *entry)),
    }
}

/// `/auth/v2/auth_status`
pub(super) fn status(transaction: &Transaction) -> Parameters {
    Parameters::default().with("txid", transaction.0.as_str())
}

/// What every request about a user carries.
fn about(machine: &str, user: &UserName, address: Option<IpAddr>) -> Parameters {
    Parameters::default()
        .with("username", user.as_str())
        .maybe("ipaddr", address.map(written))
        .with("hostname", machine)
}

/// What Duo Mobile shows beside the name: where somebody logs in, and from where.
fn push_info(machine: &str, address: Option<IpAddr>) -> String {
    let pairs =
        [Some(("Server", machine.to_owned())), address.map(|address| ("Client address", written(address)))];
    let mut text = String::new();
    for (key, value) in pairs.into_iter().flatten() {
        if !text.is_empty() {
            text.push('&');
        }
        push_encoded(&mut text, key);
        text.push('=');
        push_encoded(&mut text, &value);
    }
    text
}

/// An IPv4 address that came in through an IPv6 socket is one all the same: Duo's policies know networks.
fn written(address: IpAddr) -> String {
    address.to_canonical().to_string()
}

fn device_id(device: DeviceChoice<'_>) -> &str {
    match device {
        DeviceChoice::Auto => "auto",
        DeviceChoice::Id(id) => id,
    }
}

/// A passcode as text. What is not UTF-8 is no passcode, and Duo will say so.
fn text_of(code: &SecretBytes) -> String {
    String::from_utf8_lossy(code.expose_secret()).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_look_up_says_who_and_from_where() {
        let user = "alice b".parse().unwrap();
        let request = |address: Option<&str>, verified_push| {
            let address = address.map(|address| address.parse().unwrap());
            preauth("HERE", &PreauthRequest { user: &user, address, verified_push }).canonical().to_string()
        };
        assert_eq!(request(None, false), "hostname=HERE&text_prompt=1&username=alice%20b");
        assert_eq!(
            request(Some("203.0.113.7"), true),
            "client_supports_verified_push=1&hostname=HERE&ipaddr=203.0.113.7&text_prompt=1&username=alice%20b"
        );
        assert!(request(Some("2001:db8::7"), false).contains("&ipaddr=2001%3Adb8%3A%3A7&"));
        assert!(request(Some("::ffff:203.0.113.7"), false).contains("&ipaddr=203.0.113.7&"));
    }

    #[test]
    fn a_factor_is_asked_for_with_what_it_takes() {
        let user: UserName = "alice".parse().unwrap();
        let address = Some("203.0.113.7".parse().unwrap());
        let transaction = Transaction("T&1".to_owned());
        let code = crate::secret::secret(b"12 3\xff");
        let telephone = "&display_username=alice";
        let info = "&pushinfo=Server%3DHERE%26Client%2520address%3D203.0.113.7";
        for (factor, parameters) in [
        (
            Factor::Auto,
            format!(
                "async=1&device=auto{telephone}&factor=auto&hostname=HERE&ipaddr=203.0.113.7{info}&txid=T%261&type=VPN%20login&username=alice"
            ),
        ),
        (
            Factor::Push(DeviceChoice::Id("DP1")),
            format!(
                "async=1&device=DP1{telephone}&factor=push&hostname=HERE&ipaddr=203.0.113.7{info}&txid=T%261&type=VPN%20login&username=alice"
            ),
        ),
        (
            Factor::Prompt("push1"),
            format!(
                "async=1{telephone}&factor=prompt&hostname=HERE&ipaddr=203.0.113.7&prompt=push1{info}&txid=T%261&type=VPN%20login&username=alice"
            ),
        ),
        (
            Factor::Phone(DeviceChoice::Auto),
            "async=1&device=auto&factor=phone&hostname=HERE&ipaddr=203.0.113.7&txid=T%261&username=alice".to_owned(),
        ),
        (
            Factor::Sms(DeviceChoice::Id("DP1")),
            "async=1&device=DP1&factor=sms&hostname=HERE&ipaddr=203.0.113.7&txid=T%261&username=alice".to_owned(),
        ),
        (
            Factor::Passcode(&code),
            "async=1&factor=passcode&hostname=HERE&ipaddr=203.0.113.7&passcode=12%203%EF%BF%BD&txid=T%261&username=alice"
                .to_owned(),
        ),
    ] {
        let request = AuthRequest { user: &user, address, factor, transaction: Some(&transaction) };
        assert_eq!(*auth("HERE", &request).canonical(), parameters);
    }
        let request = AuthRequest { user: &user, address: None, factor: Factor::Auto, transaction: None };
        let parameters = auth("HERE", &request).canonical().to_string();
        assert!(!parameters.contains("ipaddr") && !parameters.contains("txid"), "{parameters}");
        assert!(parameters.contains("&pushinfo=Server%3DHERE&"), "{parameters}");
    }
}
