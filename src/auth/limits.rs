//! The limits of users and of client addresses, inside the transaction that decides: what is counted there is exact,
//! however many logins come at once.

use super::decision::{Stop, stop};
use super::lockout::{
    after_address_failure, after_address_retraction, after_failure, after_retraction, is_locked,
    locked_at_once,
};
use super::{Attempt, Failures, Network, Reason, Records, StoreError, Told};
use crate::clock::UnixTime;
use crate::config;
use crate::name::UserName;

/// What an attempt is counted for at a moment: its identity, and the address that it comes from.
pub(super) struct Limits<'a> {
    policy: &'a config::Lockout,
    identity: &'a UserName,
    /// `None` where the address is unknown, or addresses are not counted.
    network: Option<Network>,
    now: UnixTime,
}

impl<'a> Limits<'a> {
    pub(super) fn new(policy: &'a config::Lockout, attempt: &'a Attempt, now: UnixTime) -> Self {
        let counted = policy.address_max_failures.get() > 0;
        let network = attempt.peer.address.filter(|_| counted).map(Network::of);
        Self { policy, identity: &attempt.identity, network, now }
    }

    /// Why the attempt may not even be looked at.
    pub(super) fn locked(&self, records: &mut dyn Records) -> Result<Option<Reason>, StoreError> {
        if is_locked(records.failures(self.identity)?, self.now) {
            return Ok(Some(Reason::Locked));
        }
        let Some(network) = self.network else { return Ok(None) };
        let locked = is_locked(records.address_failures(network)?, self.now);
        Ok(locked.then_some(Reason::AddressLocked))
    }

    /// Refuses an attempt that may not be looked at.
    pub(super) fn refuse_locked(&self, records: &mut dyn Records) -> Result<(), Stop> {
        match self.locked(records)? {
            Some(reason) => stop(Told::Locked, reason),
            None => Ok(()),
        }
    }

    /// One more failure of the user.
    pub(super) fn count_user(&self, records: &mut dyn Records) -> Result<(), StoreError> {
        let failures = records.failures(self.identity)?;
        records.set_failures(self.identity, after_failure(failures, self.now, self.policy))
    }

    /// One more failure of the address.
    pub(super) fn count_address(&self, records: &mut dyn Records) -> Result<(), StoreError> {
        self.change_address(records, |failures| after_address_failure(failures, self.now, self.policy))
    }

    /// A failure of the user that was counted in advance was none.
    pub(super) fn take_back_user(&self, records: &mut dyn Records) -> Result<(), StoreError> {
        let failures = records.failures(self.identity)?;
        records.set_failures(self.identity, after_retraction(failures, self.policy))
    }

    /// A failure of the address that was counted in advance was none.
    pub(super) fn take_back_address(&self, records: &mut dyn Records) -> Result<(), StoreError> {
        self.change_address(records, |failures| after_address_retraction(failures, self.policy))
    }

    /// The factor was right. That says nothing of the others who come from the same address: whoever has one account would
    /// have as many guesses at the rest as they like.
    pub(super) fn forgive_user(&self, records: &mut dyn Records) -> Result<(), StoreError> {
        records.set_failures(self.identity, Failures::default())
    }

    /// Locks the user, whatever the count is.
    pub(super) fn lock_user(&self, records: &mut dyn Records) -> Result<(), StoreError> {
        records.set_failures(self.identity, locked_at_once(self.now, self.policy))
    }

    fn change_address(
        &self,
        records: &mut dyn Records,
        change: impl FnOnce(Failures) -> Failures,
    ) -> Result<(), StoreError> {
        let Some(network) = self.network else { return Ok(()) };
        let failures = records.address_failures(network)?;
        records.set_address_failures(network, change(failures), self.now)
    }
}
