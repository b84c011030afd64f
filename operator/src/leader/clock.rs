//! The clock by which a lease is counted: it never jumps, and it goes on while the machine sleeps.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// A moment of this machine: the time since it was started. It means nothing on another one.
pub type Moment = Duration;

/// The present moment. The clock of `std` stands still while the machine is suspended, and a lease does not.
pub fn now() -> Moment {
    let time = clock_gettime(ClockId::Boottime);
    Duration::new(time.tv_sec.cast_unsigned(), u32::try_from(time.tv_nsec).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_goes_forward() {
        let before = now();
        assert!(now() >= before);
        assert!(before > Moment::ZERO);
    }
}
