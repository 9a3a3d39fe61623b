use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use proptest::prelude::*;

use super::*;
use crate::value::Wire;
use crate::value::foreign::tests::keeps;

fn address() -> impl Strategy<Value = (IpAddr, u8)> {
    let v4 =
        (any::<[u8; 4]>(), 0_u8..=32).prop_map(|(octets, prefix)| (Ipv4Addr::from(octets).into(), prefix));
    // Addresses of IPv4 in IPv6 too, which stay what they are.
    let v6 = prop_oneof![any::<u128>(), any::<u32>().prop_map(|low| 0xFFFF_0000_0000 | u128::from(low))];
    let v6 = (v6, 0_u8..=128).prop_map(|(bits, prefix)| (Ipv6Addr::from_bits(bits).into(), prefix));
    prop_oneof![v4, v6]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn an_address_and_its_prefix_are_the_same((address, prefix) in address()) {
        let ours = Inet::new(address, prefix).unwrap();
        let theirs = keeps::<_, IpNetwork>(ours)?.unwrap();
        prop_assert_eq!(theirs.to_string(), format!("{address}/{prefix}"));
        prop_assert_eq!(keeps::<_, Inet>(theirs)?, Some(ours));
    }

    #[test]
    fn a_network_is_the_same_and_what_has_bits_behind_it_is_refused((address, prefix) in address()) {
        let theirs = IpNetwork::new(address, prefix).unwrap();
        let is_network = theirs.network() == address;
        let ours = keeps::<_, Cidr>(theirs)?;
        prop_assert_eq!(ours.map(|ours| (ours.address(), ours.prefix())), is_network.then_some((address, prefix)));
        let network = Cidr::new(theirs.network(), prefix).unwrap();
        prop_assert_eq!(keeps::<_, IpNetwork>(network)?.unwrap().network(), theirs.network());
    }

    #[test]
    fn a_host_is_its_address_alone((address, prefix) in address()) {
        let host = Inet::from(address);
        prop_assert_eq!(Inet::from_text(&host.to_string()), Ok(host));
        prop_assert!(!host.to_string().contains('/'));
        prop_assert_eq!(IpAddr::try_from(host), Ok(address));
        let inet = Inet::new(address, prefix).unwrap();
        prop_assert_eq!(IpAddr::try_from(inet).is_ok(), inet == host);
    }
}

#[test]
fn bits_behind_the_prefix_are_an_error_that_says_so() {
    let error = Cidr::try_from("10.0.0.1/8".parse::<IpNetwork>().unwrap()).unwrap_err();
    assert_eq!(error.to_string(), "ipnetwork::IpNetwork: the value is outside of what cidr can hold");
}
