//! A machine to follow the documentation on: writable copies of what an administrator writes to, and stand-ins for what
//! cannot run here (`world.sh`).

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};

use super::network::ServerNetwork;
use super::pki::pki;
use super::{enrolment, sandbox};

const SCRIPT: &str = include_str!("world.sh");

/// A mount namespace and a network. Both end with it.
pub(crate) struct World {
    holder: Child,
    network: ServerNetwork,
    directory: PathBuf,
}

impl World {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let directory = sandbox::root().join(format!("world{number}"));
        std::fs::create_dir_all(&directory).unwrap();
        let network = ServerNetwork::new();
        let certificates = pki().server.certificate.parent().unwrap();
        let mut holder = network
            .command("unshare")
            .args(["--mount", "--propagation=private", "bash", "-c", SCRIPT, "world.sh"])
            .arg(&directory)
            .arg(enrolment::executable())
            .args([Path::new(env!("CARGO_MANIFEST_DIR")), certificates])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(holder.stdout.take().unwrap()).lines();
        let ready = lines.by_ref().any(|line| line.unwrap() == "ready");
        if !ready {
            let mut said = String::new();
            holder.stderr.take().unwrap().read_to_string(&mut said).unwrap();
            panic!("the world of a document cannot be made: {said}");
        }
        Self { holder, network, directory }
    }

    pub(crate) fn network(&self) -> &ServerNetwork {
        &self.network
    }

    /// A directory of this world's own, which is the same inside and outside of it.
    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    /// A command that runs `program` in this world, in the checkout, as an administrator's shell would.
    pub(crate) fn command(&self, program: &str) -> Command {
        let mut command = self.network.command("nsenter");
        let inside = "cd \"$1\" && shift && exec \"$@\"";
        command
            .arg(format!("--mount=/proc/{}/ns/mnt", self.holder.id()))
            .args(["--", "sh", "-c", inside, "sh"])
            .arg(self.directory.join("checkout"))
            .arg(program)
            .env_clear()
            .env(
                "PATH",
                format!("{}/bin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", self.directory.display()),
            )
            .env("HOME", "/root")
            .env("LC_ALL", "C.UTF-8")
            .stdin(Stdio::null());
        command
    }
}

impl Drop for World {
    fn drop(&mut self) {
        for process in self.network.processes() {
            if let Some(process) = rustix::process::Pid::from_raw(process) {
                let _gone_already = rustix::process::kill_process(process, rustix::process::Signal::KILL);
            }
        }
        let _ended = self.holder.wait();
        // The one large file in it.
        let _not_installed = std::fs::remove_file(self.directory.join("above/usr/local/bin/openvpn-2fa"));
    }
}
