//! The executable: hands over to the library.
fn main() -> std::process::ExitCode {
    openvpn_2fa::run()
}
