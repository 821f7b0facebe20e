//! The real services behind a decision.

use crate::auth::{Decision, Services};
use crate::clock::{Deadline, SystemClock};
use crate::config::Settings;
use crate::factor::duo;
use crate::primary::Isolated;
use crate::random::SystemRandom;
use crate::store::OnDemand;

/// Has `decide` decide with PAM, database and Duo, none of which takes longer than until `deadline`.
pub(crate) fn with_decision<T>(
    settings: &Settings,
    deadline: Deadline,
    decide: impl FnOnce(&mut Decision<'_>) -> T,
) -> T {
    with_services(settings, deadline, |services| decide(&mut Decision::new(services)))
}

/// As [`with_decision`], for a door that looks on while the services are used.
pub(crate) fn with_services<T>(
    settings: &Settings,
    deadline: Deadline,
    decide: impl FnOnce(Services<'_>) -> T,
) -> T {
    let primary = Isolated::new(&settings.pam.service, settings.exempt_groups(), deadline);
    let duo = duo::OnDemand::new(&settings.duo, deadline);
    let mut store = OnDemand::at(settings);
    decide(Services {
        settings,
        primary: &primary,
        store: &mut store,
        clock: &SystemClock,
        random: &SystemRandom,
        duo: &duo,
    })
}
