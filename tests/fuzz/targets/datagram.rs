//! Random octets as a datagram: one verdict, the same each time, and a correct reply.
#![no_main]
#![forbid(unsafe_code)]

use std::cell::RefCell;

use libfuzzer_sys::fuzz_target;
use lqd_fuzz::{Rig, judge};

thread_local! {
    static RIG: RefCell<Rig> = RefCell::default();
}

fuzz_target!(|datagram: &[u8]| {
    RIG.with_borrow_mut(|rig| {
        for number in 0..rig.policies().count() {
            let answer = rig.answer(number, datagram, 0xee);
            // Another content of the slot, so that octets not written differ.
            assert_eq!(answer, rig.answer(number, datagram, 0x11), "the second time");
            let policy = rig.policies().nth(number).expect("counted above");
            judge(&rig.sample, policy, datagram, &answer);
        }
    });
});
