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
        hash(&self.0)
    }

    /// The block of addresses that it is a part of.
    pub fn block(&self) -> Block {
        let block = match self.0.split_once('/') {
            Some((ip, "24")) => {
                let mut parts = ip.split('.');
                let (first, second) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
                Some((format!("{first}.{second}.0.0/16"), MOST_NETWORKS_OF_IPV4))
            }
            Some((bits, "64")) => u64::from_str_radix(bits, 16)
                .ok()
                .map(|bits| (format!("{:x}/48", bits >> 16), MOST_NETWORKS_OF_IPV6)),
            Some(_) | None => None,
        };
        let (text, most_networks) = block.unwrap_or_else(|| (self.0.clone(), MOST_NETWORKS_OF_IPV6));
        Block { hash: hash(&text), most_networks }
    }
}

const MOST_NETWORKS_OF_IPV4: i64 = 20;
const MOST_NETWORKS_OF_IPV6: i64 = 5;

/// What one owner may hold at once: 16 bits of an address of version 4, or 48 of one of version 6.
pub struct Block {
    /// What the database keeps of it.
    pub hash: String,
    /// So many of its networks are newcomers to one target.
    pub most_networks: i64,
}

fn hash(text: &str) -> String {
    HEXLOWER.encode(&crypto::token_hash(&format!("network\0{text}")).0)
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

    #[test]
    fn networks_of_one_allocation_are_one_block() {
        let of = |text: &str| Network(written(text.parse().unwrap())).block().hash;
        assert_eq!(of("198.51.100.1"), of("198.51.7.1"));
        assert_ne!(of("198.51.100.1"), of("198.52.100.1"));
        assert_eq!(of("2001:db8:7:1::1"), of("2001:db8:7:ffff::1"));
        assert_ne!(of("2001:db8:7:1::1"), of("2001:db8:8:1::1"));
        assert_eq!(of("::1"), of("0:0:0:7::1"));
    }
}
