//! How soon a dead network is noticed.

use std::io;
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::net::TcpStream;

use super::config::Keepalive;

/// Small messages go out at once; silence is probed as the parameters say. What is not given is left to the system.
pub(super) fn set(tcp: &TcpStream, keepalive: &Keepalive, user_timeout: Option<Duration>) -> io::Result<()> {
    tcp.set_nodelay(true)?;
    let socket = SockRef::from(tcp);
    if let Some(limit) = user_timeout {
        set_user_timeout(&socket, limit)?;
    }
    if !keepalive.enabled {
        return Ok(());
    }
    socket.set_keepalive(true)?;
    let Keepalive { idle, interval, retries, .. } = keepalive;
    let mut probes = TcpKeepalive::new();
    probes = idle.map_or(probes.clone(), |idle| probes.with_time(idle));
    probes = interval.map_or(probes.clone(), |interval| probes.with_interval(interval));
    probes = retries.map_or(probes.clone(), |retries| probes.with_retries(retries));
    socket.set_tcp_keepalive(&probes)
}

#[cfg(target_os = "linux")]
fn set_user_timeout(socket: &SockRef<'_>, limit: Duration) -> io::Result<()> {
    socket.set_tcp_user_timeout(Some(limit))
}

/// As libpq: where the system has no such thing, the parameter does nothing.
#[cfg(not(target_os = "linux"))]
fn set_user_timeout(_: &SockRef<'_>, _: Duration) -> io::Result<()> {
    Ok(())
}
