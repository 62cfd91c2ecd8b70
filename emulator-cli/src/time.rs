//! Dates in UTC.

use std::time::{SystemTime, UNIX_EPOCH};

/// A time in UTC.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Utc {
    year: u64,
    month: u64,
    day: u64,
    second_of_day: u64,
    millisecond: u64,
    /// Since the Unix epoch.
    pub(crate) milliseconds: u64,
}

impl From<SystemTime> for Utc {
    /// Converts a time. One before the Unix epoch becomes the epoch.
    fn from(time: SystemTime) -> Self {
        let since_epoch = time.duration_since(UNIX_EPOCH).unwrap_or_default();
        let seconds = since_epoch.as_secs();
        // Days since 0000-03-01, in eras of 400 years: the leap day is the last day of a year that begins in March.
        let days = seconds / 86400 + 719_468;
        let (era, day_of_era) = (days / 146_097, days % 146_097);
        let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month = (5 * day_of_year + 2) / 153;
        Self {
            year: era * 400 + year_of_era + u64::from(month >= 10),
            month: if month < 10 { month + 3 } else { month - 9 },
            day: day_of_year - (153 * month + 2) / 5 + 1,
            second_of_day: seconds % 86400,
            millisecond: u64::from(since_epoch.subsec_millis()),
            milliseconds: u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX),
        }
    }
}

impl Utc {
    /// `2026-11-27T18:25:52.123Z`
    pub(crate) fn rfc3339(self) -> String {
        let Self { year, month, day, millisecond, .. } = self;
        format!("{year:04}-{month:02}-{day:02}T{}.{millisecond:03}Z", self.time_of_day())
    }

    /// The form of access logs, `27/Nov/2026:18:25:52 +0000`.
    pub(crate) fn common_log(self) -> String {
        const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
        let month = usize::try_from(self.month).ok().and_then(|month| MONTHS.get(month.checked_sub(1)?));
        format!("{:02}/{}/{:04}:{} +0000", self.day, month.unwrap_or(&"Jan"), self.year, self.time_of_day())
    }

    fn time_of_day(self) -> String {
        let second = self.second_of_day;
        format!("{:02}:{:02}:{:02}", second / 3600, second / 60 % 60, second % 60)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        for (milliseconds, rfc3339, common_log) in [
            (0, "1970-01-01T00:00:00.000Z", "01/Jan/1970:00:00:00 +0000"),
            (951_782_400_001, "2000-02-29T00:00:00.001Z", "29/Feb/2000:00:00:00 +0000"),
            (1_583_348_638_390, "2020-03-04T19:03:58.390Z", "04/Mar/2020:19:03:58 +0000"),
            (4_107_542_399_999, "2100-02-28T23:59:59.999Z", "28/Feb/2100:23:59:59 +0000"),
            (4_107_542_400_000, "2100-03-01T00:00:00.000Z", "01/Mar/2100:00:00:00 +0000"),
        ] {
            let utc = Utc::from(UNIX_EPOCH + Duration::from_millis(milliseconds));
            assert_eq!((utc.rfc3339().as_str(), utc.common_log().as_str()), (rfc3339, common_log));
            assert_eq!(utc.milliseconds, milliseconds);
        }
    }
}
