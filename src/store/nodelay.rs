//! Connections to PostgreSQL send what they have at once (`TCP_NODELAY`).
//!
//! sqlx 0.9.0 leaves Nagle's algorithm on (<https://github.com/launchbadge/sqlx/issues/4335>, mended behind that release):
//! the end of a statement that is longer than a segment waits until the server has acknowledged what came before it, and
//! the server puts that off for some 40 ms. The driver hands out neither its sockets nor a way to set their options, so
//! they are found among the files of this process. Where the system does not allow that, connections work, slowly;
//! connections by Unix socket need none of it. To be removed with the next release of sqlx.

use rustix::fd::OwnedFd;
use rustix::net::{AddressFamily, SocketAddrAny, getpeername, sockopt};
use rustix::process::{PidfdFlags, PidfdGetfdFlags, getpid, pidfd_getfd, pidfd_open};
use std::io;
use std::net::SocketAddr;

/// Has every connection of this process to a port send at once.
pub(super) fn send_at_once(port: u16) -> io::Result<()> {
    for socket in sockets_to(port)? {
        sockopt::set_tcp_nodelay(&socket, true)?;
    }
    Ok(())
}

/// The sockets of this process that are connected to a port of some host, as further descriptors of them.
pub(super) fn sockets_to(port: u16) -> io::Result<Vec<OwnedFd>> {
    let process = pidfd_open(getpid(), PidfdFlags::empty())?;
    let mut found = Vec::new();
    for file in std::fs::read_dir("/proc/self/fd")? {
        let file = file?;
        // Nothing but sockets is touched: closing another descriptor of a file would end the locks on it.
        let is_socket =
            std::fs::read_link(file.path()).is_ok_and(|to| to.to_string_lossy().starts_with("socket:"));
        let number = file.file_name().to_string_lossy().parse();
        let (true, Ok(number)) = (is_socket, number) else {
            continue;
        };
        // One that was closed meanwhile is gone.
        match pidfd_getfd(&process, number, PidfdGetfdFlags::empty()) {
            Ok(socket) if peer_port(&socket) == Some(port) => found.push(socket),
            Ok(_) | Err(rustix::io::Errno::BADF) => {}
            Err(refused) => return Err(refused.into()),
        }
    }
    Ok(found)
}

fn peer_port(socket: &OwnedFd) -> Option<u16> {
    let peer: SocketAddrAny = getpeername(socket).ok()??;
    let by_internet = [AddressFamily::INET, AddressFamily::INET6].contains(&peer.address_family());
    let address: SocketAddr = by_internet.then(|| peer.try_into().ok())??;
    Some(address.port())
}
