//! Where the servers of a site are: each at an address of its own, or all at one.

use super::Ports;

/// How many ports lie between two servers that share an address: enough that no two services meet.
pub const PORT_STEP: u16 = 10;

/// Which addresses the servers of a site have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Addresses {
    /// Each has an address of its own, beginning with the first.
    OwnEach,
    /// All have the first address, each [`PORT_STEP`] ports above the one before.
    ///
    /// A container has one address; its network gives it the host names.
    OneForAll,
}

impl Addresses {
    /// How many addresses after the first one a server is, and its ports; none when they end.
    pub(super) fn place(self, index: usize, ports: Ports) -> Option<(usize, Ports)> {
        match self {
            Self::OwnEach => Some((index, ports)),
            Self::OneForAll => {
                let offset = u16::try_from(index).ok()?.checked_mul(PORT_STEP)?;
                let above = |port: u16| port.checked_add(offset);
                let ports = Ports {
                    engine: above(ports.engine)?,
                    proxy: above(ports.proxy)?,
                    repository: above(ports.repository)?,
                };
                Some((0, ports))
            }
        }
    }
}
