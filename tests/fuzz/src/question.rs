//! Parser of queries, separate from that of the engine.

use std::net::Ipv6Addr;

use lqd_wire::{OptionCode, Options};

/// A LEASEQUERY that got a reply.
pub(crate) struct Question<'a> {
    pub(crate) transaction_id: &'a [u8],
    pub(crate) requestor: &'a [u8],
    /// Value of the only OPTION_LQ_QUERY, or `None`.
    query: Option<&'a [u8]>,
}

/// Contents of OPTION_LQ_QUERY (RFC 5007 §4.1.2.1).
pub(crate) struct Ask<'a> {
    /// `None` if it is `::`.
    pub(crate) link_address: Option<Ipv6Addr>,
    pub(crate) subject: Subject<'a>,
    /// Value of OPTION_ORO.
    request: &'a [u8],
}

pub(crate) enum Subject<'a> {
    Address(Ipv6Addr),
    Client(&'a [u8]),
}

impl<'a> Question<'a> {
    /// Reads a query.
    ///
    /// # Panics
    /// The query is one that gets no reply.
    pub(crate) fn read(message: &'a [u8]) -> Self {
        let (header, options) = message.split_at_checked(4).expect("a whole header");
        // Anything else must be discarded.
        assert_eq!(header[0], 14, "only a LEASEQUERY gets a reply");
        let all = |wanted| {
            let options = Options::new(options).map(|option| option.expect("options that parse"));
            options.filter(move |&(code, _)| code == wanted).map(|(_, value)| value)
        };
        let only = |code| Some(all(code).next()?).filter(|_| all(code).count() == 1);
        let requestor = only(OptionCode::CLIENTID).expect("one OPTION_CLIENTID");
        Self { transaction_id: &header[1..], requestor, query: only(OptionCode::LQ_QUERY) }
    }

    /// Parses OPTION_LQ_QUERY.
    ///
    /// # Panics
    /// OPTION_LQ_QUERY is malformed, or of a type other than 1 or 2: the reply has a status and nothing else.
    pub(crate) fn ask(&self) -> Ask<'a> {
        let query = self.query.expect("one OPTION_LQ_QUERY");
        let (header, options) = query.split_at_checked(17).expect("a whole OPTION_LQ_QUERY");
        // RFC 5007 leaves repeated options open; the server takes the first.
        // The first of several options of a kind counts.
        let first = |wanted| {
            let options = Options::new(options).map(|option| option.expect("query-options that parse"));
            let mut found = options.filter(|&(code, _)| code == wanted).map(|(_, value)| value);
            found.next()
        };
        let link_address = address(&header[1..]);
        let subject = match header[0] {
            1 => {
                let value = first(OptionCode::IAADDR).expect("an address to ask about");
                assert!(value.len() >= 24, "a whole OPTION_IAADDR");
                Subject::Address(address(value))
            }
            2 => Subject::Client(first(OptionCode::CLIENTID).expect("a client to ask about")),
            kind => panic!("query-type {kind} gets no data"),
        };
        let request = first(OptionCode::ORO).unwrap_or_default();
        // `::` means any link (RFC 5007 §4.1.2.1).
        Ask { link_address: (!link_address.is_unspecified()).then_some(link_address), subject, request }
    }
}

impl Ask<'_> {
    /// Whether OPTION_ORO has this code.
    pub(crate) fn requests(&self, code: OptionCode) -> bool {
        self.request.chunks(2).any(|asked| asked == code.0.to_be_bytes())
    }
}

/// The address in the first 16 octets.
pub(crate) fn address(octets: &[u8]) -> Ipv6Addr {
    Ipv6Addr::from(*octets.first_chunk::<16>().expect("an address has 16 octets"))
}
