//! What a client's software can do, from what it says of itself.
//!
//! All of it is text that the client controls: it chooses how a user is asked, never whether.

/// The abilities that matter here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientSoftware {
    /// Shows a `CR_TEXT` question while the login waits (`crtext` in `IV_SSO`).
    pub answers_in_session: bool,
    /// Shows a CRV1 question and comes back with the answer. Nothing announces it: true unless known otherwise.
    pub answers_by_reconnecting: bool,
    /// How it opens an address in a browser while the login waits, if it does.
    pub opens_addresses: Option<OpenMethod>,
    /// Understands `AUTH_FAILED,TEMP[backoff N]` (bit 8 of `IV_PROTO`, `IV_PROTO_AUTH_FAIL_TEMP` in `ssl.h`).
    pub understands_backoff: bool,
}

/// How a client opens an address (`IV_SSO`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OpenMethod {
    /// `webauth`
    WebAuth,
    /// `openurl`
    OpenUrl,
}

/// Tunnelblick builds that list `crtext` and have no window for it: the login would hang.
const TUNNELBLICK_WITHOUT_WINDOW: std::ops::RangeInclusive<u32> = 6140..=6310;

impl ClientSoftware {
    /// Recognises a client by its `IV_SSO`, `IV_GUI_VER` and `IV_PROTO`.
    #[must_use]
    pub fn recognise(sso: &str, gui_version: &str, protocols: &str) -> Self {
        let lists = |wanted: &str| sso.split(',').any(|method| method.trim() == wanted);
        let hangs =
            tunnelblick_build(gui_version).is_some_and(|build| TUNNELBLICK_WITHOUT_WINDOW.contains(&build));
        // OpenVPN for Android (ics-openvpn) has no CRV1.
        let android = gui_version.contains("de.blinkt.openvpn");
        Self {
            answers_in_session: lists("crtext") && !hangs,
            answers_by_reconnecting: !android,
            opens_addresses: match (lists("webauth"), lists("openurl")) {
                (true, _) => Some(OpenMethod::WebAuth),
                (false, true) => Some(OpenMethod::OpenUrl),
                (false, false) => None,
            },
            understands_backoff: protocols.trim().parse::<u32>().is_ok_and(|bits| bits & (1 << 8) != 0),
        }
    }
}

/// The build number in Tunnelblick's `IV_GUI_VER`: `"net.tunnelblick.tunnelblick 6300 8.0 (build 6300)"`, with the
/// quotes, and with blanks that may have become underscores on the way.
fn tunnelblick_build(gui_version: &str) -> Option<u32> {
    let (_, rest) = gui_version.split_once("net.tunnelblick.tunnelblick")?;
    let rest = rest.trim_start_matches([' ', '_']);
    let digits = rest.find(|c: char| !c.is_ascii_digit()).map_or(rest, |end| &rest[..end]);
    digits.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_are_asked_in_the_way_they_can_answer() {
        let tunnelblick = |build: u32| format!("\"net.tunnelblick.tunnelblick {build} 8.0 (build {build})\"");
        for (sso, gui, in_session, reconnecting) in [
            ("", "", false, true),
            ("crtext", "", true, true),
            ("webauth,openurl,crtext", "OpenVPN_GUI_11", true, true),
            ("webauth, crtext", "", true, true),
            ("crtextual", "", false, true),
            ("webauth", "", false, true),
            ("webauth,crtext", &tunnelblick(6139), true, true),
            ("webauth,crtext", &tunnelblick(6140), false, true),
            ("webauth,crtext", &tunnelblick(6310).replace(' ', "_"), false, true),
            ("webauth,crtext", &tunnelblick(6311), true, true),
            ("webauth,openurl,crtext", "de.blinkt.openvpn 0.7.51", true, false),
        ] {
            let client = ClientSoftware::recognise(sso, gui, "");
            assert_eq!(client.answers_in_session, in_session, "{sso} {gui}");
            assert_eq!(client.answers_by_reconnecting, reconnecting, "{sso} {gui}");
        }
    }

    #[test]
    fn addresses_are_opened_by_the_method_that_the_client_lists() {
        for (sso, method) in [
            ("webauth,openurl,crtext", Some(OpenMethod::WebAuth)),
            ("openurl, crtext", Some(OpenMethod::OpenUrl)),
            ("crtext", None),
            ("", None),
        ] {
            assert_eq!(ClientSoftware::recognise(sso, "", "").opens_addresses, method, "{sso}");
        }
    }

    #[test]
    fn backoff_is_read_from_bit_eight() {
        for (protocols, understood) in [
            ("990", true),
            ("256", true),
            ("255", false),
            ("512", false),
            ("", false),
            ("-1", false),
            ("x", false),
        ] {
            assert_eq!(
                ClientSoftware::recognise("", "", protocols).understands_backoff,
                understood,
                "{protocols}"
            );
        }
    }
}
