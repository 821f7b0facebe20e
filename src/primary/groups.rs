//! Unix groups, by the C library's look-up (NSS): files, LDAP, SSSD, whatever the machine is set up for.
//!
//! Such a look-up can hang. It is made in the process that PAM runs in, which is ended at a deadline.

use crate::log::{Entry, Level};
use crate::name::{GroupName, UserName};
use nix::errno::Errno;
use nix::unistd::{Gid, Group, User, getgrouplist};
use std::ffi::CString;

/// The first of these groups that the user is a member of. Whoever cannot be looked up is in none.
pub(super) fn first_of<'a>(user: &UserName, groups: &'a [GroupName]) -> Option<&'a GroupName> {
    if groups.is_empty() {
        return None;
    }
    let memberships = memberships(user).unwrap_or_else(|error| {
        complain(user.as_str(), error);
        Vec::new()
    });
    groups.iter().find(|group| match Group::from_name(group.as_str()) {
        Ok(Some(group)) => memberships.contains(&group.gid),
        Ok(None) => false,
        Err(error) => {
            complain(group.as_str(), error);
            false
        }
    })
}

/// The groups of a user; none for one whom the machine does not know.
fn memberships(user: &UserName) -> Result<Vec<Gid>, Errno> {
    let Some(account) = User::from_name(user.as_str())? else { return Ok(Vec::new()) };
    let name = CString::new(account.name).map_err(|_| Errno::EINVAL)?;
    getgrouplist(&name, account.gid)
}

fn complain(name: &str, error: Errno) {
    Entry::new(Level::Warning, "group-look-up").pair("name", name).pair("detail", error.desc()).write();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_in_the_groups_that_the_machine_says() {
        let names =
            |names: &[&str]| -> Vec<GroupName> { names.iter().map(|name| name.parse().unwrap()).collect() };
        for (user, groups, expected) in [
            ("root", &["no-such-group", "root", "daemon"][..], Some("root")),
            ("root", &["daemon", "no-such-group"], None),
            ("root", &[], None),
            ("daemon", &["root", "daemon"], Some("daemon")),
            ("no-such-user", &["root", "daemon"], None),
        ] {
            let groups = names(groups);
            let found = first_of(&user.parse().unwrap(), &groups);
            assert_eq!(found.map(GroupName::as_str), expected, "{user}");
        }
    }
}
