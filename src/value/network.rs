//! Addresses: `inet`, `cidr`, `macaddr`, `macaddr8`.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use bytes::{BufMut, BytesMut};

use super::scan::{Binary, Text, printed};
use super::{ValueError, Wire};

/// `inet`: a host's address, and optionally the network it is in, as a count of leading bits.
///
/// A mask of all bits isn't printed (`network_out` in the server's `network.c`, `pg_inet_net_ntop` in
/// `inet_net_ntop.c`).
///
/// ```
/// use walferry::value::{Inet, Wire};
///
/// let inet = Inet::from_text("192.168.1.5/24")?;
/// assert_eq!((inet.address(), inet.prefix()), ([192, 168, 1, 5].into(), 24));
/// assert_eq!(Inet::from_text("::ffff:1.2.3.4")?.prefix(), 128);
/// # Ok::<(), walferry::value::ValueError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Inet(Network);

/// `cidr`: a network; the bits behind its prefix are zero, and the prefix is always printed.
///
/// ```
/// use walferry::value::{Cidr, Wire};
///
/// let cidr = Cidr::from_text("2001:db8::/32")?;
/// assert_eq!(cidr.prefix(), 32);
/// assert!(Cidr::from_text("10.0.0.1/8").is_err(), "bits behind the prefix");
/// # Ok::<(), walferry::value::ValueError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Cidr(Network);

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Network {
    address: IpAddr,
    prefix: u8,
}

macro_rules! network {
    ($name:ident, $type_name:literal, $is_cidr:literal) => {
        impl $name {
            /// The address in the network of the first `prefix` bits; `None` for more bits than the address has, and
            /// for a `cidr` with bits behind them.
            pub fn new(address: IpAddr, prefix: u8) -> Option<Self> {
                let network = Network { address, prefix };
                (prefix <= network.width() && (!$is_cidr || network.is_clean())).then_some(Self(network))
            }

            /// The address.
            pub const fn address(&self) -> IpAddr {
                self.0.address
            }

            /// Leading bits that the network has in common: up to 32, or 128.
            pub const fn prefix(&self) -> u8 {
                self.0.prefix
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.print_address(f)?;
                if $is_cidr || self.prefix() != self.0.width() {
                    write!(f, "/{}", self.prefix())
                } else {
                    Ok(())
                }
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl Wire<'_> for $name {
            fn from_text(text: &str) -> Result<Self, ValueError> {
                let fail = || ValueError::malformed($type_name, 0, "an IP address and its prefix");
                let (address, prefix) = text.split_once('/').map_or((text, None), |(a, p)| (a, Some(p)));
                let address: IpAddr = address.parse().map_err(|_| fail())?;
                let full = Network { address, prefix: 0 }.width();
                let prefix = prefix.map_or(Some(full), |prefix| prefix.parse().ok()).ok_or_else(fail)?;
                printed($type_name, text, Self::new(address, prefix).ok_or_else(fail)?)
            }

            fn from_binary(bytes: &[u8]) -> Result<Self, ValueError> {
                let (address, prefix) = receive($type_name, bytes, $is_cidr)?;
                let value = Self::new(address, prefix);
                value.ok_or_else(|| ValueError::malformed($type_name, 1, "a prefix within the address"))
            }

            fn write_binary(&self, out: &mut BytesMut) {
                self.0.write(out, $is_cidr);
            }
        }
    };
}

network!(Inet, "inet", false);
network!(Cidr, "cidr", true);

/// The address alone, where the prefix is all of its bits: a host.
///
/// ```
/// use std::net::IpAddr;
/// use walferry::value::{Inet, Wire};
///
/// assert_eq!(IpAddr::try_from(Inet::from_text("10.0.0.1")?), Ok([10, 0, 0, 1].into()));
/// assert!(IpAddr::try_from(Inet::from_text("10.0.0.1/8")?).is_err(), "the prefix would be lost");
/// # Ok::<(), walferry::value::ValueError>(())
/// ```
impl TryFrom<Inet> for IpAddr {
    type Error = ValueError;

    fn try_from(inet: Inet) -> Result<Self, ValueError> {
        let is_host = inet.prefix() == inet.0.width();
        if is_host { Ok(inet.address()) } else { Err(ValueError::out_of_range("inet", "IpAddr")) }
    }
}

/// A host: its prefix is all of its bits.
impl From<IpAddr> for Inet {
    fn from(address: IpAddr) -> Self {
        let host = Network { address, prefix: 0 };
        Self(Network { prefix: host.width(), ..host })
    }
}

// `PGSQL_AF_INET` and `PGSQL_AF_INET6`: the same on all systems.
const V4: u8 = 2;
const V6: u8 = 3;

impl Network {
    /// Bits of the address.
    const fn width(&self) -> u8 {
        if self.address.is_ipv4() { 32 } else { 128 }
    }

    /// Whether no bit behind the prefix is set.
    fn is_clean(&self) -> bool {
        let behind = match self.address {
            IpAddr::V4(address) => u128::from(address.to_bits()).checked_shl(96 + u32::from(self.prefix)),
            IpAddr::V6(address) => address.to_bits().checked_shl(self.prefix.into()),
        };
        behind.unwrap_or(0) == 0
    }

    fn print_address(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.address {
            IpAddr::V4(address) => write!(f, "{address}"),
            IpAddr::V6(address) => print_v6(f, address),
        }
    }

    fn write(&self, out: &mut BytesMut, is_cidr: bool) {
        out.put_u8(if self.address.is_ipv4() { V4 } else { V6 });
        out.put_u8(self.prefix);
        out.put_u8(is_cidr.into());
        out.put_u8(self.width() / 8);
        match self.address {
            IpAddr::V4(address) => out.put_slice(&address.octets()),
            IpAddr::V6(address) => out.put_slice(&address.octets()),
        }
    }
}

/// As `inet_net_ntop_ipv6` does: Rust's form, except that an address of at most 32 bits, and more than 16, is an
/// IPv4 address to it too.
fn print_v6(f: &mut fmt::Formatter<'_>, address: Ipv6Addr) -> fmt::Result {
    match address.segments() {
        [0, 0, 0, 0, 0, 0, high, low] if high != 0 => {
            let low = Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low));
            write!(f, "::{low}")
        }
        _ => write!(f, "{address}"),
    }
}

/// Reads family, prefix, whether it is a `cidr`, the address's length and the address.
fn receive(type_name: &'static str, bytes: &[u8], is_cidr: bool) -> Result<(IpAddr, u8), ValueError> {
    let mut binary = Binary::new(type_name, bytes);
    let [family, prefix, kind, length] = binary.array("a header of 4 bytes")?;
    let fail = |at, expected| Err(ValueError::malformed(type_name, at, expected));
    if kind != u8::from(is_cidr) {
        return fail(2, "1 for cidr, 0 for inet");
    }
    let address = match (family, length) {
        (V4, 4) => IpAddr::from(binary.array::<4>("an address of 4 bytes")?),
        (V6, 16) => IpAddr::from(binary.array::<16>("an address of 16 bytes")?),
        (V4 | V6, _) => return fail(3, "4 bytes of IPv4, 16 of IPv6"),
        _ => return fail(0, "the family 2 (IPv4) or 3 (IPv6)"),
    };
    binary.finish()?;
    Ok((address, prefix))
}

macro_rules! mac {
    ($(#[$doc:meta])* $name:ident, $length:literal, $type_name:literal, $bytes:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub [u8; $length]);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                print_hardware(f, &self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl Wire<'_> for $name {
            fn from_text(text: &str) -> Result<Self, ValueError> {
                read_hardware($type_name, text).map(Self)
            }

            fn from_binary(bytes: &[u8]) -> Result<Self, ValueError> {
                Binary::whole($type_name, bytes, $bytes).map(Self)
            }

            fn write_binary(&self, out: &mut BytesMut) {
                out.put_slice(&self.0);
            }
        }
    };
}

mac! {
    /// `macaddr`: a hardware address of 6 bytes (`macaddr_out` in the server's `mac.c`).
    ///
    /// ```
    /// use walferry::value::{MacAddr, Wire};
    ///
    /// assert_eq!(MacAddr::from_text("08:00:2b:01:02:03")?, MacAddr([8, 0, 43, 1, 2, 3]));
    /// # Ok::<(), walferry::value::ValueError>(())
    /// ```
    MacAddr, 6, "macaddr", "6 bytes"
}

mac! {
    /// `macaddr8`: a hardware address of 8 bytes (`macaddr8_out` in the server's `mac8.c`).
    ///
    /// ```
    /// use walferry::value::{MacAddr8, Wire};
    ///
    /// assert_eq!(MacAddr8([8, 0, 43, 255, 254, 1, 2, 3]).to_string(), "08:00:2b:ff:fe:01:02:03");
    /// # Ok::<(), walferry::value::ValueError>(())
    /// ```
    MacAddr8, 8, "macaddr8", "8 bytes"
}

fn print_hardware(f: &mut fmt::Formatter<'_>, bytes: &[u8]) -> fmt::Result {
    bytes.iter().enumerate().try_for_each(|(index, byte)| {
        let colon = if index == 0 { "" } else { ":" };
        write!(f, "{colon}{byte:02x}")
    })
}

fn read_hardware<const N: usize>(type_name: &'static str, text: &str) -> Result<[u8; N], ValueError> {
    let mut cursor = Text::new(type_name, text);
    let mut bytes = [0; N];
    for (index, byte) in bytes.iter_mut().enumerate() {
        if index > 0 {
            cursor.expect(":", "a colon")?;
        }
        *byte = cursor.hex_byte("two hexadecimal digits in lower case")?;
    }
    cursor.finish()?;
    Ok(bytes)
}
