//! The PAM service: which modules it asks, read as libpam reads it (pam.conf(5)), without asking any.

use super::finding::{Findings, Place};
use crate::config::{Primary, ServiceName, Settings};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// Where services are, in libpam's order.
const SERVICES: [&str; 2] = ["/etc/pam.d", "/usr/lib/pam.d"];

/// Where modules are, besides directories of architectures in `/lib` and `/usr/lib`.
const MODULES: [&str; 4] = ["/lib/security", "/usr/lib/security", "/lib64/security", "/usr/lib64/security"];

/// The longest file that is read, in bytes.
const MAX_BYTES: u64 = 256 * 1024;

/// How deep services may include each other (`PAM_SUBSTACK_MAX_LEVEL`).
const MAX_DEPTH: usize = 16;

/// Modules that ask the user for more than the password.
const ASKING: [&str; 5] = ["pam_google_authenticator", "pam_duo", "pam_oath", "pam_yubico", "pam_u2f"];

/// Modules that look at no password.
const BLIND: [&str; 4] = ["pam_permit", "pam_deny", "pam_faildelay", "pam_env"];

/// A module of a service.
#[derive(Debug)]
struct Module {
    place: Place,
    /// `auth`, `account`, …
    kind: String,
    /// Its name, without directory and `.so`.
    name: String,
    /// As it is written.
    file: String,
    /// Whether libpam passes over it where it is not installed (`-auth`).
    optional: bool,
}

/// A service and what it includes.
#[derive(Debug, Default)]
struct Service {
    modules: Vec<Module>,
    files: Vec<PathBuf>,
    /// What is included and cannot be read.
    missing: Vec<(Place, String)>,
}

impl Service {
    fn read(name: &str) -> Option<Self> {
        let path = path_of(name)?;
        let mut service = Self::default();
        service.take(&path, None, 0);
        Some(service)
    }

    fn take(&mut self, path: &Path, only: Option<&str>, depth: usize) {
        let Ok(text) = read_text(path) else {
            return self.missing.push((Place::file(path), "cannot be read".to_owned()));
        };
        self.files.push(path.to_owned());
        for (line, text) in joined_lines(&text) {
            let place = Place::line(path, line);
            let words = split(&text);
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            match words[..] {
                ["@include", name, ..] => self.include(place, name, only, depth),
                [kind, control, what, ..] => {
                    let (kind, optional) = kind.strip_prefix('-').map_or((kind, false), |kind| (kind, true));
                    if only.is_some_and(|only| only != kind) {
                        continue;
                    }
                    if matches!(control, "include" | "substack") {
                        self.include(place, what, Some(kind), depth);
                        continue;
                    }
                    let file_name = what.rsplit('/').next().unwrap_or(what);
                    let name = file_name.strip_suffix(".so").unwrap_or(file_name).to_owned();
                    self.modules.push(Module {
                        place,
                        kind: kind.to_owned(),
                        name,
                        file: what.to_owned(),
                        optional,
                    });
                }
                _ => {}
            }
        }
    }

    fn include(&mut self, place: Place, name: &str, only: Option<&str>, depth: usize) {
        let path = if name.starts_with('/') { Some(PathBuf::from(name)) } else { path_of(name) };
        match path {
            Some(path) if path.exists() && depth < MAX_DEPTH => self.take(&path, only, depth + 1),
            _ => self.missing.push((place, format!("{name} is included, and there is none"))),
        }
    }

    fn of_kind<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a Module> {
        self.modules.iter().filter(move |module| module.kind == kind)
    }
}

/// Whether a service asks a module, as far as its files can be read. One that does not exist does what `other` does.
pub(super) fn asks(service: &ServiceName, module: &str) -> bool {
    let service = Service::read(service.as_str()).or_else(|| Service::read("other")).unwrap_or_default();
    service.of_kind("auth").any(|found| found.name == module)
}

/// Looks at the service of the settings.
pub(super) fn find(settings: &Settings, findings: &mut Findings) {
    if settings.auth.primary == Primary::None {
        return findings.good("the certificate is the first proof; PAM is not asked");
    }
    let name = settings.pam.service.as_str();
    let install = format!("install -m 0644 {} /etc/pam.d/{name}", our_service());
    let Some(service) = Service::read(name) else {
        let other = Service::read("other").unwrap_or_default();
        if other.of_kind("auth").all(|module| BLIND.contains(&module.name.as_str())) {
            return findings
                .bad(format!("there is no PAM service {name}, so every password is refused"), install);
        }
        let text = format!("there is no PAM service {name}; PAM takes the service other in its place");
        return findings.doubtful(text, install);
    };
    let before = findings.all.len();
    look(&service, name, findings);
    if findings.all.len() == before {
        let names: Vec<&str> = service.of_kind("auth").map(|module| module.name.as_str()).collect();
        let place = Place::file(&service.files[0]);
        findings.at(&place).good(format!("the PAM service ({})", names.join(", ")));
    }
}

fn look(service: &Service, name: &str, findings: &mut Findings) {
    for (place, why) in &service.missing {
        findings
            .at(place)
            .bad(format!("{why}: PAM lets nobody in"), "put the file there, or take the line out");
    }
    for file in &service.files {
        let mode = std::fs::metadata(file).map_or(0, |state| state.permissions().mode());
        if mode & 0o022 != 0 {
            findings.at(&Place::file(file)).bad(
                format!("others can write to it (mode {:04o}), and decide who gets in", mode & 0o7777),
                format!("chmod go-w {}", file.display()),
            );
        }
    }
    for module in &service.modules {
        if !module.optional && !is_installed(&module.file) {
            findings.at(&module.place).bad(
                format!("{} is not installed, and PAM refuses everybody", module.file),
                format!("install it (apt-file search {}), or take the line out", module.file),
            );
        }
    }
    for module in service.of_kind("auth").filter(|module| ASKING.contains(&module.name.as_str())) {
        findings.at(&module.place).bad(
            format!("{} asks for more than the password, which no login can answer", module.name),
            format!(
                "take the line out; this program asks for the second factor ({} stays elsewhere)",
                module.name
            ),
        );
    }
    let ours = format!("the lines of {}, in /etc/pam.d/{name}", our_service());
    for kind in ["auth", "account"] {
        if service.of_kind(kind).next().is_none() {
            findings.at(&Place::file(&service.files[0])).doubtful(
                format!("there is no line for {kind}, so PAM takes that of the service other"),
                ours.as_str(),
            );
        }
    }
    let mut modules = service.of_kind("auth").peekable();
    if modules.peek().is_some_and(|module| module.name == "pam_permit")
        && modules.all(|module| module.name == "pam_permit")
    {
        findings
            .at(&Place::file(&service.files[0]))
            .bad("every password is right: nothing but pam_permit is asked", ours);
    }
}

/// The service that comes with this program: in the package, or among the sources.
fn our_service() -> &'static str {
    const PACKAGED: &str = "/usr/share/doc/openvpn-2fa/examples/pam.d/openvpn";
    if Path::new(PACKAGED).exists() { PACKAGED } else { "contrib/pam.d/openvpn" }
}

fn path_of(service: &str) -> Option<PathBuf> {
    SERVICES.iter().map(|place| Path::new(place).join(service)).find(|path| path.exists())
}

fn read_text(path: &Path) -> std::io::Result<String> {
    if std::fs::metadata(path)?.len() > MAX_BYTES {
        return Err(std::io::ErrorKind::FileTooLarge.into());
    }
    Ok(String::from_utf8_lossy(&std::fs::read(path)?).into_owned())
}

fn is_installed(file: &str) -> bool {
    if file.starts_with('/') {
        return Path::new(file).exists();
    }
    let architectures = ["/lib", "/usr/lib"].into_iter().flat_map(|directory| {
        let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
        entries.map(|entry| entry.path().join("security"))
    });
    MODULES.iter().map(PathBuf::from).chain(architectures).any(|directory| directory.join(file).exists())
}

/// Lines without comments, those that end in a backslash joined with the next; with the number of the first.
fn joined_lines(text: &str) -> Vec<(usize, String)> {
    let mut lines = Vec::new();
    let mut open: Option<(usize, String)> = None;
    for (index, line) in text.lines().enumerate() {
        let line = line.split('#').next().unwrap_or_default();
        let (number, mut whole) = open.take().unwrap_or((index + 1, String::new()));
        if let Some(part) = line.strip_suffix('\\') {
            whole.push_str(part);
            whole.push(' ');
            open = Some((number, whole));
        } else {
            whole.push_str(line);
            lines.push((number, whole));
        }
    }
    lines.extend(open);
    lines
}

/// Words; what stands between brackets is one.
fn split(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut depth = 0_usize;
    for character in line.chars() {
        match character {
            '[' => depth += 1,
            ']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if character.is_whitespace() && depth == 0 {
            if !word.is_empty() {
                words.push(std::mem::take(&mut word));
            }
        } else {
            word.push(character);
        }
    }
    if !word.is_empty() {
        words.push(word);
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn services_are_read_with_what_they_include() {
        let directory = tempfile::tempdir().unwrap();
        let (main, more) = (directory.path().join("main"), directory.path().join("more"));
        let text = format!(
            "# comment\n-auth [success=1 default=ignore] \\\n pam_unix.so nullok # x\nauth include {0}\n@include {0}\naccount required /x/pam_y.so\nauth substack /nowhere\n",
            more.display()
        );
        std::fs::write(&main, text).unwrap();
        std::fs::write(&more, "auth required pam_a.so\naccount required pam_b.so\n").unwrap();
        let mut service = Service::default();
        service.take(&main, None, 0);
        let found: Vec<_> = service
            .modules
            .iter()
            .map(|module| {
                (module.kind.as_str(), module.name.as_str(), module.optional, module.place.line.unwrap())
            })
            .collect();
        let expected = [
            ("auth", "pam_unix", true, 2),
            ("auth", "pam_a", false, 1),
            ("auth", "pam_a", false, 1),
            ("account", "pam_b", false, 2),
            ("account", "pam_y", false, 6),
        ];
        assert_eq!(found, expected);
        assert_eq!(service.missing[0].0.line, Some(7));
    }

    fn findings(text: &str) -> Vec<String> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("service");
        std::fs::write(&path, text).unwrap();
        let mut service = Service::default();
        service.take(&path, None, 0);
        let mut findings = Findings::default();
        look(&service, "openvpn", &mut findings);
        findings.all.into_iter().map(|finding| format!("{} {}", finding.level.word(), finding.text)).collect()
    }

    #[test]
    fn what_keeps_people_out_or_lets_everybody_in_is_found() {
        let good = "auth required /bin/sh\naccount required /bin/sh\n";
        assert_eq!(findings(good), [""; 0]);
        for (text, expected) in [
            ("auth required /x/pam_no.so\naccount required /bin/sh\n", "fail /x/pam_no.so is not installed"),
            (
                "-auth required /x/pam_google_authenticator.so\naccount required /bin/sh\n",
                "fail pam_google_authenticator asks",
            ),
            ("-auth required pam_permit.so\naccount required /bin/sh\n", "fail every password is right"),
            ("account required /bin/sh\n", "look there is no line for auth"),
            ("auth required /bin/sh\n", "look there is no line for account"),
            ("@include /nowhere\n", "fail /nowhere is included"),
        ] {
            let all = findings(text);
            assert!(all.iter().any(|found| found.starts_with(expected)), "{expected}: {all:?}");
        }
    }
}
