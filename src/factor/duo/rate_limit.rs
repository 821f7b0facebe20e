//! How long to wait when Duo says that it is asked too often (429). Pure.

use crate::clock::UnixTime;
use std::time::Duration;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc2822;

/// The longest wait that Duo did not ask for itself.
const LONGEST: Duration = Duration::from_secs(32);

/// The shortest wait, whatever Duo says: a zero would have it asked without a pause.
const SHORTEST: Duration = Duration::from_secs(1);

/// What `Retry-After` says (RFC 9110, 10.2.3): seconds, or a date. `now` is Duo's idea of the time.
pub(super) fn retry_after(text: &str, now: UnixTime) -> Option<Duration> {
    let text = text.trim();
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        // What does not fit is longer than any deadline.
        return Some(Duration::from_secs(text.parse().unwrap_or(u64::MAX)));
    }
    // An HTTP date is one of RFC 2822 with another word for UTC.
    let date = OffsetDateTime::parse(&format!("{}+0000", text.strip_suffix("GMT")?), &Rfc2822).ok()?;
    let at = u64::try_from(date.unix_timestamp()).ok()?;
    Some(Duration::from_secs(at.saturating_sub(now)))
}

/// How long to wait before the next attempt: what Duo `told`, else 1, 2, 4 … seconds and `jitter`, at most 32.
/// `attempt` counts from 0.
pub(super) fn pause_before(attempt: u32, told: Option<Duration>, jitter: Duration) -> Duration {
    match told {
        Some(told) => told.max(SHORTEST),
        None => (SHORTEST * 2_u32.saturating_pow(attempt.min(5)) + jitter).min(LONGEST),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // 1_445_412_480 is the date of the example in RFC 9110: `date -u -d 'Wed, 21 Oct 2015 07:28:00 GMT' +%s`
    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now = 1_445_412_480 - 30;
        for (text, seconds) in [
            ("0", Some(0)),
            ("120", Some(120)),
            (" 7 ", Some(7)),
            ("99999999999999999999999", Some(u64::MAX)),
            ("Wed, 21 Oct 2015 07:28:00 GMT", Some(30)),
            ("Wed, 21 Oct 2015 07:27:00 GMT", Some(0)),
            ("", None),
            ("-1", None),
            ("+5", None),
            ("1.5", None),
            ("soon", None),
            ("Wed, 21 Oct 2015 07:28:00", None),
            ("Wed, 99 Oct 2015 07:28:00 GMT", None),
            ("GMT", None),
        ] {
            assert_eq!(retry_after(text, now), seconds.map(Duration::from_secs), "{text:?}");
        }
    }

    #[test]
    fn waits_double_up_to_32_seconds_unless_duo_says_how_long() {
        let jitter = Duration::from_millis(250);
        let waits = (0..8).map(|attempt| pause_before(attempt, None, jitter).as_millis());
        assert_eq!(waits.collect::<Vec<_>>(), [1_250, 2_250, 4_250, 8_250, 16_250, 32_000, 32_000, 32_000]);
        for (told, waited) in [(0, 1), (1, 1), (90, 90)] {
            let wait = pause_before(3, Some(Duration::from_secs(told)), jitter);
            assert_eq!(wait, Duration::from_secs(waited));
        }
        assert_eq!(pause_before(u32::MAX, None, Duration::ZERO), LONGEST);
    }
}
