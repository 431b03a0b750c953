//! The writer of OPTION_LQ_CLIENT_LINK: the links of a client that is on several (RFC 5007 §4.1.2.5).

use lqd_index::Client;
use lqd_wire::{NoRoomError, OptionCode, Writer};

use crate::select::View;

/// Writes OPTION_LQ_CLIENT_LINK with the links of the bindings that this view shows, each once.
pub(super) fn write(
    w: &mut Writer<'_>,
    view: &View<'_>,
    now: u32,
    client: &Client<'_>,
) -> Result<(), NoRoomError> {
    w.option(OptionCode::LQ_CLIENT_LINK, |w| links(w, view, now, client))
}

fn links(w: &mut Writer<'_>, view: &View<'_>, now: u32, client: &Client<'_>) -> Result<(), NoRoomError> {
    let start = w.position();
    let links = view.links();
    for binding in view.bindings(*client).filter(|binding| binding.valid_left(now) > 0) {
        let Some(link) = view.locate(&binding).link() else { continue };
        let address = links.address(link).octets();
        // One address stands for a link, so the addresses written so far are the links seen so far.
        let seen = w.written().get(start..).unwrap_or_default();
        if !seen.as_chunks::<16>().0.contains(&address) {
            w.put(&address)?;
        }
    }
    Ok(())
}
