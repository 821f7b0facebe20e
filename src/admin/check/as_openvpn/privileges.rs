//! Putting off privileges, as OpenVPN and its unit do.

use super::{Limited, Privileges};
use nix::unistd::{Gid, Group, Uid, User, setgid, setgroups, setuid};
use rustix::thread::{CapabilitySet, remove_capability_from_bounding_set};

/// What Debian's units leave to root (`CapabilityBoundingSet=` of openvpn-server@.service).
const KEPT: CapabilitySet = CapabilitySet::IPC_LOCK
    .union(CapabilitySet::NET_ADMIN)
    .union(CapabilitySet::NET_BIND_SERVICE)
    .union(CapabilitySet::NET_RAW)
    .union(CapabilitySet::SETGID)
    .union(CapabilitySet::SETUID)
    .union(CapabilitySet::SETPCAP)
    .union(CapabilitySet::SYS_CHROOT)
    .union(CapabilitySet::DAC_OVERRIDE)
    .union(CapabilitySet::AUDIT_WRITE);

/// Makes this process one that OpenVPN could have started; it takes effect in full with the next program that it starts.
/// Groups first, because a user without privileges can change none.
///
/// # Errors
/// What could not be put off. Nothing may be tried then.
pub(super) fn put_off(privileges: &Privileges) -> Result<(), String> {
    let user = privileges.user.as_deref().map(user_of).transpose()?;
    let group = privileges.group.as_deref().map(group_of).transpose()?;
    if privileges.limited == Limited::ByProcess {
        for capability in CapabilitySet::all().difference(KEPT).iter() {
            // What this kernel does not know, nobody has.
            let _ = remove_capability_from_bounding_set(capability);
        }
    }
    let failed = |what: &'static str| move |error: nix::Error| format!("{what}: {error}");
    if user.is_some() || group.is_some() {
        // `CAPNG_DROP_SUPP_GRP` in `platform_user_group_set`.
        setgroups(&[]).map_err(failed("setgroups"))?;
    }
    if let Some(group) = group {
        setgid(group).map_err(failed("setgid"))?;
    }
    if let Some(user) = user {
        setuid(user).map_err(failed("setuid"))?;
    }
    Ok(())
}

fn user_of(name: &str) -> Result<Uid, String> {
    let user = User::from_name(name).map_err(|error| format!("user {name}: {error}"))?;
    user.map(|user| user.uid).ok_or_else(|| format!("there is no user {name}"))
}

fn group_of(name: &str) -> Result<Gid, String> {
    let group = Group::from_name(name).map_err(|error| format!("group {name}: {error}"))?;
    group.map(|group| group.gid).ok_or_else(|| format!("there is no group {name}"))
}
