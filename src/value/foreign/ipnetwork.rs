//! ipnetwork: an address and its prefix, with or without bits behind it.

use ipnetwork::IpNetwork;

use crate::value::{Cidr, Inet};

exact! {
    /// The address and its prefix: nothing is refused.
    Inet as "inet" => IpNetwork as "ipnetwork::IpNetwork", |inet| IpNetwork::new(inet.address(), inet.prefix()).ok();
    /// The address and its prefix: nothing is refused.
    IpNetwork as "ipnetwork::IpNetwork" => Inet as "inet", |network| Inet::new(network.ip(), network.prefix());
    /// The network and its prefix: nothing is refused.
    Cidr as "cidr" => IpNetwork as "ipnetwork::IpNetwork", |cidr| IpNetwork::new(cidr.address(), cidr.prefix()).ok();
    /// Refuses bits behind the prefix.
    IpNetwork as "ipnetwork::IpNetwork" => Cidr as "cidr", |network| Cidr::new(network.ip(), network.prefix());
}

#[cfg(test)]
mod tests;
