//! The unit of systemd's that starts an OpenVPN server.

use super::finding::Findings;
use super::machine::printed;
use super::server_conf::ServerConf;
use crate::config::Settings;
use std::collections::BTreeMap;
use std::path::Path;

/// Tasks that OpenVPN and the front of one hook take besides the workers.
const OTHER_TASKS: u64 = 2;

/// Temporary directories that a unit has to itself with `PrivateTmp=`.
const TEMPORARY: [&str; 2] = ["/tmp", "/var/tmp"];

/// Directories that a unit does not see with `ProtectHome=`.
const HOMES: [&str; 3] = ["/home", "/root", "/run/user"];

/// A unit's properties.
#[derive(Debug)]
pub(super) struct Unit {
    pub(super) name: String,
    properties: BTreeMap<String, String>,
}

impl Unit {
    /// The unit that starts a configuration in one of the usual places, where there is systemd to ask.
    pub(super) fn of(conf: &ServerConf, properties: &[&str]) -> Option<Self> {
        let name = name_of(&conf.path)?;
        let wanted = format!("--property={}", properties.join(","));
        let shown = printed("systemctl", &["show", &name, &wanted])?;
        let properties: BTreeMap<_, _> = shown
            .lines()
            .filter_map(|line| line.split_once('='))
            .map(|(property, value)| (property.to_owned(), value.to_owned()))
            .collect();
        (!properties.is_empty()).then_some(Self { name, properties })
    }

    /// A property; `None` where it is not set.
    pub(super) fn property(&self, name: &str) -> Option<&str> {
        self.properties.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    fn number(&self, name: &str) -> Option<u64> {
        self.property(name)?.parse().ok()
    }
}

/// Whether the unit of a server allows as many tasks as workers may wait, and what it hides.
pub(super) fn look(conf: &ServerConf, settings: &Settings, findings: &mut Findings) {
    let wanted = ["TasksMax", "LimitNPROC", "PrivateTmp", "ProtectHome", "NoNewPrivileges"];
    let Some(unit) = Unit::of(conf, &wanted) else { return };
    limits(&unit, conf, settings, findings);
    hidden(&unit, settings, findings);
}

fn limits(unit: &Unit, conf: &ServerConf, settings: &Settings, findings: &mut Findings) {
    let workers = settings.worker.max.get();
    let needed = workers * 2 + OTHER_TASKS;
    let root = conf.last("user").is_none_or(|line| line.value() == "root");
    for (property, binds) in [("TasksMax", true), ("LimitNPROC", !root)] {
        match unit.number(property) {
            Some(limit) if binds && limit < needed => findings.bad(
                format!(
                    "{}: {property}={limit}, and [worker] max = {workers} may need {needed}: OpenVPN ends when it can start no hook",
                    unit.name
                ),
                format!("{property}={} (the drop-in in contrib/systemd), or lower [worker] max", needed.max(512)),
            ),
            Some(limit) if binds => findings.good(format!("{}: {property}={limit}", unit.name)),
            _ => {}
        }
    }
}

/// Files that the hooks would not see.
fn hidden(unit: &Unit, settings: &Settings, findings: &mut Findings) {
    let files = [
        ("the database", Some(settings.totp.token_db_path.clone())),
        ("the key", settings.store.key_file()),
        ("Duo's key", settings.duo.skey_file.clone()),
    ];
    for (property, places) in [("PrivateTmp", &TEMPORARY[..]), ("ProtectHome", &HOMES[..])] {
        if unit.property(property).is_none_or(|value| value == "no") {
            continue;
        }
        for (what, path) in &files {
            let Some(path) =
                path.as_deref().filter(|path| places.iter().any(|place| path.starts_with(place)))
            else {
                continue;
            };
            findings.bad(
                format!("{}: {property}, so hooks do not see {what} at {}", unit.name, path.display()),
                "move the file to /var/lib or /etc, and change the settings",
            );
        }
    }
}

/// The unit that starts a configuration in one of the usual places.
fn name_of(conf: &Path) -> Option<String> {
    let name = conf.file_stem()?.to_str()?;
    match conf.parent()?.to_str()? {
        "/etc/openvpn/server" => Some(format!("openvpn-server@{name}.service")),
        "/etc/openvpn" => Some(format!("openvpn@{name}.service")),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::finding::Level;
    use super::*;

    #[test]
    fn units_are_known_by_the_place_of_their_configuration() {
        let unit = |path| name_of(Path::new(path));
        assert_eq!(unit("/etc/openvpn/server/a.conf").as_deref(), Some("openvpn-server@a.service"));
        assert_eq!(unit("/etc/openvpn/a.conf").as_deref(), Some("openvpn@a.service"));
        assert_eq!(unit("/tmp/a.conf"), None);
    }

    fn found(
        properties: &[(&str, &str)],
        conf: &str,
        change: impl FnOnce(&mut Settings),
    ) -> Vec<(Level, String)> {
        let properties =
            properties.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let unit = Unit { name: "u".to_owned(), properties };
        let mut settings = Settings::default();
        change(&mut settings);
        let mut findings = Findings::default();
        limits(&unit, &ServerConf::parse(Path::new("x"), conf), &settings, &mut findings);
        hidden(&unit, &settings, &mut findings);
        findings.all.into_iter().map(|finding| (finding.level, finding.text)).collect()
    }

    #[test]
    fn limits_count_where_they_bind() {
        // 4 workers, two tasks each, OpenVPN and a front.
        assert_eq!(found(&[("TasksMax", "9")], "", |_| ())[0].0, Level::Bad);
        assert_eq!(found(&[("TasksMax", "10")], "", |_| ())[0].0, Level::Good);
        assert_eq!(found(&[("TasksMax", "infinity")], "", |_| ()), []);
        assert_eq!(found(&[("LimitNPROC", "5")], "", |_| ()), []);
        assert_eq!(found(&[("LimitNPROC", "5")], "user nobody\n", |_| ())[0].0, Level::Bad);
    }

    #[test]
    fn what_the_unit_hides_is_found() {
        let at =
            |path: &'static str| move |settings: &mut Settings| settings.totp.token_db_path = path.into();
        let unit = [("PrivateTmp", "yes"), ("ProtectHome", "no")];
        assert!(found(&unit, "", at("/tmp/x"))[0].1.contains("do not see the database at /tmp/x"));
        assert_eq!(found(&unit, "", at("/home/x")), []);
        assert_eq!(found(&unit, "", at("/tmpx/x")), []);
        assert_eq!(found(&[("ProtectHome", "read-only")], "", at("/root/x")).len(), 1);
    }
}
