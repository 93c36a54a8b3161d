//! The address that the service listens on.

use std::{
    io::{self, ErrorKind},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
};

use tokio::net::{TcpListener, TcpSocket};

/// An address that is ours, and where nobody can connect yet.
pub struct Bound {
    socket: TcpSocket,
    address: SocketAddr,
}

/// So many connections wait in the kernel until they are accepted.
const BACKLOG: u32 = 1_024;

/// Takes the address. The error says which setting it is, and what would do.
pub fn bind(address: SocketAddr) -> Result<Bound, String> {
    let bound = || {
        let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        // A service that starts again at once does not wait for the connections of the last one to be forgotten.
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        Ok(socket)
    };
    let socket = bound().map_err(|error| unusable(address, &error))?;
    Ok(Bound { socket, address })
}

impl Bound {
    pub fn listen(self) -> Result<TcpListener, String> {
        self.socket.listen(BACKLOG).map_err(|error| unusable(self.address, &error))
    }
}

fn unusable(address: SocketAddr, error: &io::Error) -> String {
    let why = match error.kind() {
        ErrorKind::AddrInUse => {
            "another program listens there already: end it, or choose another port".to_owned()
        }
        ErrorKind::AddrNotAvailable => {
            "this machine has no such address: 0.0.0.0 or [::] stand for all that it has".to_owned()
        }
        ErrorKind::PermissionDenied => {
            "ports below 1024 are for the administrator of the machine: choose another".to_owned()
        }
        _ => error.to_string(),
    };
    format!("{address} (DENIZEN_LISTEN) cannot be listened on: {why}")
}

/// Where the service that listens on this address answers on this machine.
pub fn reachable(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        ip if !ip.is_unspecified() => ip,
        IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
    };
    SocketAddr::new(ip, listen.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_health_check_asks_where_the_service_listens() {
        let asked = |listen: &str| reachable(listen.parse().unwrap()).to_string();
        assert_eq!(asked("0.0.0.0:8080"), "127.0.0.1:8080");
        assert_eq!(asked("[::]:8080"), "[::1]:8080");
        assert_eq!(asked("192.0.2.7:80"), "192.0.2.7:80");
    }

    #[tokio::test]
    async fn an_address_that_is_taken_is_said_before_anything_is_made() {
        let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let said = bind(taken.local_addr().unwrap()).err().unwrap();
        assert!(said.contains("DENIZEN_LISTEN") && said.contains("another program listens there"), "{said}");
        let said = bind("192.0.2.1:8080".parse().unwrap()).err().unwrap();
        assert!(said.contains("no such address"), "{said}");
    }
}
