//! The fault in force at an endpoint.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::Fault;

/// Holds the fault of one endpoint; asked by every connection and request.
#[derive(Debug, Default)]
pub(super) struct FaultSwitch(Mutex<Option<Active>>);

#[derive(Clone, Copy, Debug)]
struct Active {
    fault: Fault,
    /// How many connections or requests it still strikes; without end when `None`.
    remaining: Option<u64>,
}

impl FaultSwitch {
    pub(super) fn set(&self, fault: Option<Fault>, remaining: Option<u64>) {
        let fault = fault.filter(|_| remaining != Some(0));
        *self.active() = fault.map(|fault| Active { fault, remaining });
    }

    pub(super) fn now(&self) -> Option<Fault> {
        self.active().map(|active| active.fault)
    }

    /// The fault that strikes a new connection, counted.
    pub(super) fn strike_connection(&self) -> Option<Fault> {
        self.strike(|fault| {
            fault.is_of_certificate() || matches!(fault, Fault::Reset | Fault::HangInHandshake)
        })
    }

    /// The fault that strikes a request, counted.
    pub(super) fn strike_request(&self) -> Option<Fault> {
        self.strike(|fault| {
            !fault.is_of_certificate() && !matches!(fault, Fault::Refused | Fault::HangInHandshake)
        })
    }

    fn strike(&self, strikes: impl Fn(Fault) -> bool) -> Option<Fault> {
        let mut active = self.active();
        let now = active.filter(|active| strikes(active.fault))?;
        if let Some(remaining) = now.remaining {
            let remaining = remaining - 1;
            *active = (remaining > 0).then_some(Active { remaining: Some(remaining), ..now });
        }
        Some(now.fault)
    }

    fn active(&self) -> MutexGuard<'_, Option<Active>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_counted_fault_ends_by_itself() {
        let switch = FaultSwitch::default();
        switch.set(Some(Fault::Hang), Some(2));
        assert_eq!(switch.strike_connection(), None);
        assert_eq!(switch.strike_request(), Some(Fault::Hang));
        assert_eq!(switch.strike_request(), Some(Fault::Hang));
        assert_eq!(switch.strike_request(), None);
        assert_eq!(switch.now(), None);
    }

    #[test]
    fn a_certificate_strikes_connections_alone() {
        let switch = FaultSwitch::default();
        switch.set(Some(Fault::OtherName), None);
        assert_eq!(switch.strike_request(), None);
        assert_eq!(switch.strike_connection(), Some(Fault::OtherName));
        switch.set(Some(Fault::OtherName), Some(0));
        assert_eq!(switch.now(), None);
    }
}
