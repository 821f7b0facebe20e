//! What the figures were measured on.

use super::harness::sandbox;

/// Prints processor, kernel and OpenVPN.
pub(crate) fn describe() {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let processor = read("/proc/cpuinfo")
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(": ").map(|(_, name)| name.to_owned()));
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let openvpn = std::process::Command::new("openvpn").arg("--version").output().unwrap();
    let openvpn = String::from_utf8_lossy(&openvpn.stdout);
    let openvpn: Vec<&str> = openvpn.split_whitespace().take(2).collect();
    println!("machine: {cores} cores, {}", processor.unwrap_or_else(|| "unknown processor".into()));
    println!("system: Linux {}, {}", read("/proc/sys/kernel/osrelease").trim(), system());
    println!("server and clients: {}", openvpn.join(" "));
}

/// How many processes wanted to run, on average over the last 1, 5 and 15 minutes.
pub(crate) fn load() -> String {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').take(3).collect::<Vec<_>>().join(", ")
}

fn system() -> String {
    let name = sandbox::run("sh", ["-c", ". /etc/os-release && printf %s \"$PRETTY_NAME\""]);
    if name.is_empty() { "unknown distribution".into() } else { name }
}
