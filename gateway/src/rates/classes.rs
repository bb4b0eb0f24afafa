//! Which route counts as what, and how often each may be asked from one network: one table.

use std::{fmt, str::FromStr};

use http::Method;

use super::buckets::Pace;

/// What is counted together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Class {
    /// What guests look at.
    Read,
    /// Tickets are set aside.
    Hold,
    /// Orders, and whatever else guests change.
    Order,
    /// Orders are looked for by an address.
    Lookup,
    /// Whatever takes a password or a one-time token.
    Login,
    /// Payment providers report.
    Webhook,
    /// What admins do.
    Admin,
}

pub const CLASSES: [Class; 7] = [
    Class::Read,
    Class::Hold,
    Class::Order,
    Class::Lookup,
    Class::Login,
    Class::Webhook,
    Class::Admin,
];

impl Class {
    pub fn word(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Hold => "hold",
            Self::Order => "order",
            Self::Lookup => "lookup",
            Self::Login => "login",
            Self::Webhook => "webhook",
            Self::Admin => "admin",
        }
    }

    /// A network may be a household, an office or ten thousand phones behind one address of their
    /// carrier: the paces stop programs, not crowds.
    fn pace(self) -> Pace {
        match self {
            Self::Read => Pace::per_minute(1_200, 6_000),
            Self::Hold => Pace::per_minute(240, 480),
            Self::Order => Pace::per_minute(240, 240),
            Self::Lookup | Self::Login => Pace::per_minute(30, 30),
            Self::Webhook => Pace::per_minute(3_000, 30_000),
            Self::Admin => Pace::per_minute(600, 1_200),
        }
    }
}

/// Methods, the beginning of a route, and the class; the first row that fits counts.
type Row = (Methods, &'static str, Option<Class>);

#[derive(Clone, Copy)]
enum Methods {
    Any,
    /// Whatever is neither GET nor HEAD.
    Writes,
}

const TABLE: [Row; 14] = [
    // Who supervises us must always be answered.
    (Methods::Any, "/healthz", None),
    (Methods::Any, "/readyz", None),
    (Methods::Any, "/api/v1/webhooks/", Some(Class::Webhook)),
    (Methods::Writes, "/api/v1/auth/refresh", Some(Class::Admin)),
    (Methods::Writes, "/api/v1/auth/logout", Some(Class::Admin)),
    (Methods::Writes, "/api/v1/auth/session/", Some(Class::Admin)),
    (Methods::Writes, "/api/v1/auth/", Some(Class::Login)),
    (Methods::Writes, "/api/v1/admin/setup", Some(Class::Login)),
    (Methods::Any, "/api/v1/auth/", Some(Class::Admin)),
    (Methods::Any, "/api/v1/admin/", Some(Class::Admin)),
    (
        Methods::Writes,
        "/api/v1/orders/lookup",
        Some(Class::Lookup),
    ),
    (Methods::Writes, "/find", Some(Class::Lookup)),
    (Methods::Writes, "/api/v1/holds", Some(Class::Hold)),
    (Methods::Writes, "/events/", Some(Class::Hold)),
];

/// None: not counted at all.
pub fn class_of(method: &Method, route: &str) -> Option<Class> {
    let reads = *method == Method::GET || *method == Method::HEAD;
    let fits = |(methods, start, _): &&Row| {
        let method = matches!(methods, Methods::Any) || !reads;
        method && route.starts_with(start)
    };
    let rest = Some(if reads { Class::Read } else { Class::Order });
    TABLE.iter().find(fits).map_or(rest, |(_, _, class)| *class)
}

/// The pace of each class, as it was set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Paces([Pace; CLASSES.len()]);

impl Default for Paces {
    fn default() -> Self {
        Self(CLASSES.map(Class::pace))
    }
}

impl Paces {
    pub fn of(&self, class: Class) -> Pace {
        self.0[class as usize]
    }
}

/// `on`, `off`, or other paces for some classes: `hold=60/120,login=10/10`, which is how many at once
/// and how many a minute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RateLimits {
    Off,
    On(Paces),
}

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("must be `on`, `off`, or paces such as `hold=60/120,login=10/10`: at once, and a minute")]
pub struct RateLimitsError;

impl FromStr for RateLimits {
    type Err = RateLimitsError;

    fn from_str(text: &str) -> Result<Self, RateLimitsError> {
        match text.trim() {
            "off" => return Ok(Self::Off),
            "on" => return Ok(Self::On(Paces::default())),
            _ => {}
        }
        let mut paces = Paces::default();
        for part in text.split(',') {
            let (class, pace) = changed(part.trim()).ok_or(RateLimitsError)?;
            paces.0[class as usize] = pace;
        }
        Ok(Self::On(paces))
    }
}

fn changed(text: &str) -> Option<(Class, Pace)> {
    let (word, pace) = text.split_once('=')?;
    let class = CLASSES.into_iter().find(|class| class.word() == word)?;
    let (burst, per_minute) = pace.split_once('/')?;
    let number = |text: &str| {
        let number = text.parse().ok();
        number.filter(|number| (1..=1_000_000).contains(number))
    };
    let pace = Pace::per_minute(number(burst)?, number(per_minute)?);
    Some((class, pace))
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_route_has_its_class() {
        for (method, route, class) in [
            ("GET", "/", Some(Class::Read)),
            ("GET", "/api/v1/events", Some(Class::Read)),
            ("GET", "/events/{id}", Some(Class::Read)),
            ("GET", "/orders/{id}", Some(Class::Read)),
            ("GET", "/find", Some(Class::Read)),
            ("GET", "unmatched", Some(Class::Read)),
            ("POST", "unmatched", Some(Class::Order)),
            ("POST", "/api/v1/holds", Some(Class::Hold)),
            ("DELETE", "/api/v1/holds/{id}", Some(Class::Hold)),
            ("POST", "/events/{id}", Some(Class::Hold)),
            ("POST", "/api/v1/orders", Some(Class::Order)),
            ("POST", "/checkout/{id}", Some(Class::Order)),
            ("POST", "/orders/{id}/resend", Some(Class::Order)),
            ("POST", "/api/v1/orders/lookup", Some(Class::Lookup)),
            ("POST", "/api/v1/orders/lookup/confirm", Some(Class::Lookup)),
            ("POST", "/find/code", Some(Class::Lookup)),
            ("POST", "/api/v1/auth/login", Some(Class::Login)),
            ("POST", "/api/v1/auth/session", Some(Class::Login)),
            ("POST", "/api/v1/auth/register", Some(Class::Login)),
            ("POST", "/api/v1/admin/setup", Some(Class::Login)),
            ("POST", "/api/v1/auth/refresh", Some(Class::Admin)),
            ("POST", "/api/v1/auth/session/refresh", Some(Class::Admin)),
            ("GET", "/api/v1/auth/me", Some(Class::Admin)),
            ("POST", "/api/v1/admin/events", Some(Class::Admin)),
            ("POST", "/api/v1/webhooks/{provider}", Some(Class::Webhook)),
            ("GET", "/healthz", None),
            ("HEAD", "/readyz", None),
        ] {
            let method = method.parse().unwrap();
            assert_eq!(class_of(&method, route), class, "{method} {route}");
        }
    }

    #[test]
    fn settings() {
        assert_eq!("off".parse(), Ok(RateLimits::Off));
        assert_eq!("on".parse(), Ok(RateLimits::On(Paces::default())));
        let Ok(RateLimits::On(paces)) = "hold=6/12, login=1/2".parse() else {
            panic!("it is a setting");
        };
        assert_eq!(paces.of(Class::Hold), Pace::per_minute(6, 12));
        assert_eq!(paces.of(Class::Login), Pace::per_minute(1, 2));
        assert_eq!(paces.of(Class::Read), Class::Read.pace());
        for bad in [
            "",
            "yes",
            "hold",
            "hold=1",
            "hold=0/1",
            "x=1/1",
            "hold=1/-1",
            "hold=1/1,",
        ] {
            assert_eq!(bad.parse::<RateLimits>(), Err(RateLimitsError), "{bad}");
        }
    }

    #[test]
    fn classes_stand_in_their_order() {
        for (place, class) in CLASSES.into_iter().enumerate() {
            assert_eq!(class as usize, place);
        }
    }
}
