//! Options about a client, as requested by the query's ORO (RFC 5007 §4.4.2).

use std::cell::OnceCell;

use lqd_index::{Binding, Client, StoredOption};
use lqd_wire::{NoRoomError, OptionCode, OptionRequest, Options, Writer};

use super::configured::Configured;
use super::relay_data;
use crate::Rights;
use crate::select::{OnLinks, View};

/// Most different options stored with the bindings of a client; further ones are ignored.
///
/// Kea's data gives three: FQDN, link-layer address, relay data.
const STORED_MAX: usize = 8;

/// The options of a client on a link, both stored with its bindings and configured.
///
/// Collected once for a reply: an ORO of thousands of codes must not walk the bindings for each code.
pub(crate) struct ClientOptions<'a> {
    view: View<'a>,
    client: Client<'a>,
    on_links: OnLinks<'a>,
    /// The latest `cltt` of the client's bindings on the link.
    newest: u32,
    stored: [Option<Stored<'a>>; STORED_MAX],
    /// Collected when an option is requested that is not stored.
    configured: OnceCell<Configured<'a>>,
}

#[derive(Clone, Copy)]
struct Stored<'a> {
    code: OptionCode,
    cltt: u32,
    option: StoredOption<'a>,
}

impl<'a> ClientOptions<'a> {
    /// Collects the options; `newest` is the latest `cltt` of the client's bindings on the link.
    ///
    /// Each option comes from the newest binding that has it, but relay data from the last message only.
    pub(crate) fn collect(view: View<'a>, client: Client<'a>, on_links: OnLinks<'a>, newest: u32) -> Self {
        let (stored, configured) = ([None; STORED_MAX], OnceCell::new());
        let mut options = Self { view, client, on_links, newest, stored, configured };
        for binding in client.bindings().filter(|binding| on_links.has(&view, client, binding)) {
            for (code, option) in client.options(&binding).iter() {
                let code = OptionCode(code);
                // If a newer binding has no relay data, the last message was not relayed (§4.1.2.4).
                if code != OptionCode::LQ_RELAY_DATA || binding.cltt == newest {
                    options.offer(code, &binding, option);
                }
            }
        }
        options
    }

    fn offer(&mut self, code: OptionCode, binding: &Binding, option: StoredOption<'a>) {
        // The slot of this option, else the first free one.
        let slot = self.stored.iter_mut().find(|slot| slot.is_none_or(|stored| stored.code == code));
        if let Some(slot) = slot
            && slot.is_none_or(|stored| stored.cltt < binding.cltt)
        {
            *slot = Some(Stored { code, cltt: binding.cltt, option });
        }
    }

    /// Writes the requested options that are not sensitive, in the requested order; relay data comes last.
    pub(crate) fn write(
        &self,
        w: &mut Writer<'_>,
        rights: &Rights,
        request: OptionRequest<'_>,
    ) -> Result<(), NoRoomError> {
        let start = w.position();
        for code in request.codes() {
            if code == OptionCode::LQ_RELAY_DATA || rights.is_sensitive(code) || !self.has(code) {
                continue;
            }
            // A linear search: few options are written, however many codes were requested.
            let mut written =
                Options::new(w.written().get(start..).unwrap_or_default()).map_while(Result::ok);
            if !written.any(|(earlier, _)| earlier == code) {
                self.write_one(w, code)?;
            }
        }
        let code = OptionCode::LQ_RELAY_DATA;
        if request.contains(code) && !rights.is_sensitive(code) {
            self.write_relay_data(w, rights)?;
        }
        Ok(())
    }

    /// Writes relay data without the sensitive options in it.
    fn write_relay_data(&self, w: &mut Writer<'_>, rights: &Rights) -> Result<(), NoRoomError> {
        let Some(option) = self.stored(OptionCode::LQ_RELAY_DATA) else { return Ok(()) };
        let start = w.position();
        let octets = w.room(option.wire_len())?;
        option.copy_into(octets);
        if !rights.sensitive.is_empty() {
            // Relay data that does not parse might hide a sensitive option: it is left out whole.
            let kept = relay_data::strip(octets, |code| rights.is_sensitive(code)).unwrap_or(0);
            w.truncate(start + kept);
        }
        Ok(())
    }

    fn stored(&self, code: OptionCode) -> Option<StoredOption<'a>> {
        self.stored.iter().flatten().find(|stored| stored.code == code).map(|stored| stored.option)
    }

    fn has(&self, code: OptionCode) -> bool {
        self.stored(code).is_some() || self.configured().values(code).next().is_some()
    }

    fn configured(&self) -> &Configured<'a> {
        self.configured.get_or_init(|| {
            let mut configured = Configured::new();
            let is_newest = |binding: &Binding| binding.cltt == self.newest;
            let is_on_links = |binding: &Binding| self.on_links.has(&self.view, self.client, binding);
            for binding in self.client.bindings().filter(is_newest).filter(is_on_links) {
                configured.add(self.view.links(), self.client, &binding);
            }
            configured
        })
    }

    /// Writes an option; a stored one takes precedence over a configured one.
    fn write_one(&self, w: &mut Writer<'_>, code: OptionCode) -> Result<(), NoRoomError> {
        if let Some(option) = self.stored(code) {
            option.copy_into(w.room(option.wire_len())?);
            return Ok(());
        }
        self.configured().values(code).try_for_each(|value| w.option(code, |w| w.put(value)))
    }
}
