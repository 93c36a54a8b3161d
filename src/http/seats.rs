//! How many sockets and streams one user and one address may keep open at once.
//!
//! Each is a connection that is kept, a task, and what it follows. Without a bound, one caller could take all the connections
//! that there are. What is counted is this instance's: so are its connections.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
};

use axum::http::StatusCode;
use uuid::Uuid;

use super::graphql::Refusal;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Holder {
    User(Uuid),
    Address(IpAddr),
}

impl Holder {
    /// Of IPv6 it is the network that counts: whoever has one address there has as many as they like.
    pub fn address(ip: IpAddr) -> Self {
        Self::Address(match ip.to_canonical() {
            IpAddr::V4(ip) => IpAddr::V4(ip),
            IpAddr::V6(ip) => {
                let [a, b, c, d, ..] = ip.segments();
                IpAddr::from([a, b, c, d, 0, 0, 0, 0])
            }
        })
    }
}

#[derive(Clone, Default)]
pub struct Seats(Arc<Mutex<HashMap<Holder, usize>>>);

/// Taken until it is dropped.
pub struct Seat {
    seats: Seats,
    holder: Holder,
}

impl Seats {
    /// A seat, if the holder has not got all of theirs.
    pub fn take(&self, holder: Holder, most: usize) -> Result<Seat, Refusal> {
        let mut taken = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = taken.entry(holder).or_default();
        if *count >= most {
            if *count == 0 {
                taken.remove(&holder);
            }
            return Err(refused());
        }
        *count += 1;
        Ok(Seat { seats: self.clone(), holder })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut taken = self.seats.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = taken.get_mut(&self.holder) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                taken.remove(&self.holder);
            }
        }
    }
}

fn refused() -> Refusal {
    Refusal {
        status: StatusCode::TOO_MANY_REQUESTS,
        code: "RATE_LIMITED",
        message: "Too many sockets and streams are open from where you are: close some.".into(),
        retry_after: Some(10),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seat_is_free_again_when_it_is_left_and_nobody_is_remembered() {
        let seats = Seats::default();
        let ada = Holder::User(Uuid::from_u128(1));
        let first = seats.take(ada, 2).expect("a seat");
        let second = seats.take(ada, 2).expect("a seat");
        assert!(seats.take(ada, 2).is_err());
        let bob = seats.take(Holder::User(Uuid::from_u128(2)), 2).expect("his own");
        drop(first);
        let third = seats.take(ada, 2).expect("the free one");
        drop((second, third, bob));
        assert!(seats.take(ada, 0).is_err());
        assert!(seats.0.lock().expect("no panic").is_empty());
    }

    #[test]
    fn addresses_of_one_network_share() {
        let holder = |ip: &str| Holder::address(ip.parse().expect("an address"));
        assert_eq!(holder("2001:db8:1:2::1"), holder("2001:db8:1:2:ffff::9"));
        assert_ne!(holder("2001:db8:1:2::1"), holder("2001:db8:1:3::1"));
        assert_eq!(holder("::ffff:192.0.2.1"), holder("192.0.2.1"));
        assert_ne!(holder("192.0.2.1"), holder("192.0.2.2"));
    }
}
