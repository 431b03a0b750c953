//! OPTION_LQ_CLIENT_LINK (RFC 5007 §4.1.2.5): the links of a client that is on several.

use lqd_index::Client;
use lqd_wire::{NoRoom, OptionCode, Writer};

use crate::select::View;

/// Writes OPTION_LQ_CLIENT_LINK with the links of the bindings that this view shows, each once.
pub(super) fn write(
    w: &mut Writer<'_>,
    view: &View<'_>,
    now: u32,
    client: &Client<'_>,
) -> Result<(), NoRoom> {
    w.option(OptionCode::LQ_CLIENT_LINK, |w| links(w, view, now, client))
}

fn links(w: &mut Writer<'_>, view: &View<'_>, now: u32, client: &Client<'_>) -> Result<(), NoRoom> {
    let start = w.len();
    let links = view.links();
    for binding in view.bindings(*client).filter(|binding| binding.valid_left(now) > 0) {
        let Some(link) = view.locate(&binding).link() else { continue };
        let address = links.address(link).octets();
        // The addresses written so far are the links seen so far: each link has one, and it leads to all that share it.
        let seen = w.written().get(start..).unwrap_or_default();
        if !seen.as_chunks::<16>().0.contains(&address) {
            w.put(&address)?;
        }
    }
    Ok(())
}
