//! Where events come from: the address that tells the servers of a storage apart.

use rustix::system::uname;

use crate::config::Listen;

/// Host name and port of a server on this machine.
pub fn address_of(listen: &Listen) -> String {
    let uname = uname();
    let host = uname.nodename().to_string_lossy();
    match listen {
        Listen::Tcp(address) => format!("{host}:{}", address.port),
        Listen::Unix(_) => host.into_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Address;

    #[test]
    fn servers_on_one_machine_differ_by_their_ports() {
        let address = |port| address_of(&Listen::Tcp(Address { host: None, port }));
        assert!(address(5000).ends_with(":5000") && address(5000).len() > ":5000".len());
        assert_ne!(address(5000), address(5001));
    }
}
