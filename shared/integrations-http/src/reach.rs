//! Where requests of workflows may go: to the world, and to nobody who trusts whoever is near.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use front::guard::is_loopback;

/// To public addresses and private networks; not to this computer.
pub(crate) fn not_local(_: &str, address: IpAddr) -> bool {
    let address = plain(address);
    !is_metadata(address) && !is_own(address)
}

/// And to this computer, where the name says so: no other name leads there.
pub(crate) fn or_local(host: &str, address: IpAddr) -> bool {
    let address = plain(address);
    !is_metadata(address) && (!is_own(address) || is_loopback(host))
}

/// Addresses at which a computer, a container or a pod is told its credentials: all that are local to a
/// link, and the ones that EC2 and EKS answer at with version 6.
fn is_metadata(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_link_local(),
        IpAddr::V6(address) => {
            let parts = address.segments();
            parts[0] & 0xffc0 == 0xfe80 || (parts[0] == 0xfd00 && parts[1] == 0x0ec2)
        }
    }
}

/// This computer. `0.0.0.0` is it too on most systems.
fn is_own(address: IpAddr) -> bool {
    let is_zero = matches!(address, IpAddr::V4(address) if address.octets()[0] == 0);
    address.is_loopback() || address.is_unspecified() || is_zero
}

/// An address of version 4 that is written as one of version 6: mapped, compatible, or behind a
/// translator (NAT64, 6to4).
fn plain(address: IpAddr) -> IpAddr {
    let IpAddr::V6(six) = address.to_canonical() else { return address.to_canonical() };
    let parts = six.segments();
    let four = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        IpAddr::V4(Ipv4Addr::new(a, b, c, d))
    };
    match parts {
        [0x0064, 0xff9b, _, _, _, _, high, low] => four(high, low),
        [0x2002, high, low, ..] => four(high, low),
        [0, 0, 0, 0, 0, 0, high, low] if six != Ipv6Addr::LOCALHOST && six != Ipv6Addr::UNSPECIFIED => {
            four(high, low)
        }
        _ => IpAddr::V6(six),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        for (host, address, without_local, with_local) in [
            ("example.com", "93.184.216.34", true, true),
            ("intern.example.com", "10.0.0.1", true, true),
            ("example.com", "2606:2800:220:1::1", true, true),
            ("localhost", "127.0.0.1", false, true),
            ("api.localhost", "::1", false, true),
            ("127.0.0.1", "127.0.0.1", false, true),
            ("[::1]", "::1", false, true),
            ("evil.example.com", "127.0.0.1", false, false),
            ("evil.example.com", "::1", false, false),
            ("evil.example.com", "0.0.0.0", false, false),
            ("evil.example.com", "::", false, false),
            ("evil.example.com", "::ffff:127.0.0.1", false, false),
            ("localhost", "169.254.169.254", false, false),
            ("evil.example.com", "169.254.170.2", false, false),
            ("evil.example.com", "::ffff:169.254.169.254", false, false),
            ("evil.example.com", "::169.254.169.254", false, false),
            ("evil.example.com", "64:ff9b::169.254.169.254", false, false),
            ("evil.example.com", "2002:a9fe:a9fe::1", false, false),
            ("evil.example.com", "fe80::1", false, false),
            ("evil.example.com", "febf::1", false, false),
            ("evil.example.com", "fd00:ec2::254", false, false),
            ("evil.example.com", "fd00:ec2::23", false, false),
        ] {
            let address = address.parse().unwrap();
            assert_eq!(not_local(host, address), without_local, "{host} {address}");
            assert_eq!(or_local(host, address), with_local, "{host} {address}");
        }
    }
}
