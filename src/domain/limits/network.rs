//! The network that a request comes from, as budgets know it.

use std::net::IpAddr;

use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};

use crate::{context::Ctx, crypto};

/// What one subscriber usually holds: 24 bits of an address of version 4, or 64 of one of version 6. Whoever changes the
/// last part of their address is still the same to a budget.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Network(String);

impl Network {
    pub fn of(ctx: &Ctx) -> Self {
        Self(ctx.request.ip.map_or_else(|| "unknown".to_owned(), written))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What the database keeps of it.
    pub fn hash(&self) -> String {
        HEXLOWER.encode(&crypto::token_hash(&format!("network\0{}", self.0)).0)
    }
}

fn written(ip: IpAddr) -> String {
    match ip.to_canonical() {
        IpAddr::V4(ip) => {
            let [first, second, third, _] = ip.octets();
            format!("{first}.{second}.{third}.0/24")
        }
        IpAddr::V6(ip) => format!("{:x}/64", ip.to_bits() >> 64),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_are_one_network_and_strangers_are_not() {
        let of = |text: &str| written(text.parse().unwrap());
        assert_eq!(of("198.51.100.1"), of("198.51.100.254"));
        assert_eq!(of("198.51.100.1"), of("::ffff:198.51.100.7"));
        assert_ne!(of("198.51.100.1"), of("198.51.101.1"));
        assert_eq!(of("2001:db8:0:7::1"), of("2001:db8:0:7:ffff::9"));
        assert_ne!(of("2001:db8:0:7::1"), of("2001:db8:0:8::1"));
    }
}
