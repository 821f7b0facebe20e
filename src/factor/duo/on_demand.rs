//! A client that is made when Duo is first asked.

use super::{Api, AuthRequest, Client, DuoError, Preauth, PreauthRequest, Status, Transaction};
use crate::clock::Deadline;
use crate::config;
use std::cell::OnceCell;
use std::time::Duration;

/// Duo, without keys read and connections made before it is asked: most logins never ask.
pub struct OnDemand<'a> {
    settings: &'a config::Duo,
    /// When the login must have ended.
    deadline: Deadline,
    made: OnceCell<Made>,
}

struct Made {
    client: Result<Client, DuoError>,
    deadline: Deadline,
}

impl<'a> OnDemand<'a> {
    /// From the first question on, Duo has `[duo] timeout`, and no more than is left until `deadline`.
    #[must_use]
    pub fn new(settings: &'a config::Duo, deadline: Deadline) -> Self {
        Self { settings, deadline, made: OnceCell::new() }
    }

    fn made(&self) -> &Made {
        self.made.get_or_init(|| {
            let timeout = Duration::from_secs(self.settings.timeout.get());
            let deadline = Deadline::after(timeout.min(self.deadline.left()));
            Made { client: Client::new(self.settings, deadline), deadline }
        })
    }

    fn client(&self) -> Result<&Client, DuoError> {
        self.made().client.as_ref().map_err(Clone::clone)
    }
}

impl Api for OnDemand<'_> {
    fn preauth(&self, request: &PreauthRequest<'_>) -> Result<Preauth, DuoError> {
        self.client()?.preauth(request)
    }

    fn auth(&self, request: &AuthRequest<'_>) -> Result<Transaction, DuoError> {
        self.client()?.auth(request)
    }

    fn auth_status(&self, transaction: &Transaction) -> Result<Status, DuoError> {
        self.client()?.auth_status(transaction)
    }

    fn time_is_over(&self) -> bool {
        self.made().deadline.left().is_zero()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn duo_has_no_more_time_than_the_settings_and_the_login_leave_it() {
        let settings = |timeout: u64| toml::from_str::<config::Duo>(&format!("timeout = {timeout}")).unwrap();
        for (timeout, left, allowed) in [(60, 10, 10), (10, 60, 10), (60, 0, 0)] {
            let settings = settings(timeout);
            let duo = OnDemand::new(&settings, Deadline::after(Duration::from_secs(left)));
            let deadline = duo.made().deadline;
            assert!(deadline.budget() <= Duration::from_secs(allowed), "{:?}", deadline.budget());
            assert_eq!(duo.time_is_over(), allowed == 0);
        }
    }
}
