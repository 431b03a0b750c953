//! Relay data of the leases that tests make.

/// Kinds of options that a lease may have.
pub(super) const KINDS: u8 = 5;

/// Relay-IDs and a Remote-ID that occur in [`options`].
pub(super) const NEAR_RELAY: &[u8] = &[0, 3, 0, 1, 7];
pub(super) const FAR_RELAY: &[u8] = &[0, 2, 0, 0, 0x7e, 0xd9, 1];
pub(super) const REMOTE_ID: &[u8] = &[0, 0, 0x7e, 0xd9, b'm'];

/// No options, names, relay data of the near relay agent, or of the near one behind the far one.
pub(super) fn options(kind: u8) -> Vec<u8> {
    let near = || relay(1, &[option(53, NEAR_RELAY), option(37, REMOTE_ID)].concat());
    match kind {
        0..3 => [0, 39, 0, 1, 7].repeat(kind.into()),
        3 => relay_data(&near()),
        _ => {
            let near = relay(2, &option(53, NEAR_RELAY));
            relay_data(&relay(1, &[option(9, &near), option(53, FAR_RELAY)].concat()))
        }
    }
}

/// OPTION_LQ_RELAY_DATA.
fn relay_data(message: &[u8]) -> Vec<u8> {
    option(47, &[&[9; 16], message].concat())
}

/// RELAY-FORW.
fn relay(link: u8, options: &[u8]) -> Vec<u8> {
    [&[12, 0][..], &[link; 16], &[0xfe; 16], options].concat()
}

fn option(code: u8, value: &[u8]) -> Vec<u8> {
    [&[0, code, 0, value.len() as u8], value].concat()
}
