//! Decoder of the replies, from the RFCs and without lqd's code: a measure must not share its subject's
//! mistakes.

use std::net::Ipv6Addr;

pub(super) const LEASEQUERY_REPLY: u8 = 15;
pub(super) const LEASEQUERY_DONE: u8 = 16;
pub(super) const LEASEQUERY_DATA: u8 = 17;

const CLIENTID: u16 = 1;
const SERVERID: u16 = 2;
const IAADDR: u16 = 5;
const STATUS_CODE: u16 = 13;
const IAPREFIX: u16 = 26;
const CLIENT_DATA: u16 = 45;
const CLT_TIME: u16 = 46;
const LQ_BASE_TIME: u16 = 100;

/// Octets that are no message, or an option that does not parse or comes twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Malformed;

/// A message of the server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Message<'m> {
    pub(super) kind: u8,
    pub(super) transaction_id: [u8; 3],
    pub(super) client_id: Option<&'m [u8]>,
    pub(super) server_id: Option<&'m [u8]>,
    pub(super) status: Option<u16>,
    pub(super) base_time: Option<u32>,
    pub(super) client_data: Option<&'m [u8]>,
}

/// Content of OPTION_CLIENT_DATA.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ClientData<'m> {
    pub(super) duid: &'m [u8],
    pub(super) clt_time: u32,
    options: &'m [u8],
}

/// An address (length 128) or a delegated prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Binding {
    pub(super) address: Ipv6Addr,
    pub(super) len: u8,
    pub(super) preferred: u32,
    pub(super) valid: u32,
}

impl<'m> Message<'m> {
    pub(super) fn parse(octets: &'m [u8]) -> Result<Self, Malformed> {
        let (&[kind, a, b, c], rest) = octets.split_first_chunk().ok_or(Malformed)?;
        let mut message = Self { kind, transaction_id: [a, b, c], ..Self::default() };
        for option in options(rest) {
            let (code, value) = option?;
            match code {
                CLIENTID => once(&mut message.client_id, value)?,
                SERVERID => once(&mut message.server_id, value)?,
                CLIENT_DATA => once(&mut message.client_data, value)?,
                LQ_BASE_TIME => once(&mut message.base_time, number(value)?)?,
                STATUS_CODE => {
                    let (status, _text) = value.split_first_chunk().ok_or(Malformed)?;
                    once(&mut message.status, u16::from_be_bytes(*status))?;
                }
                _ => {}
            }
        }
        Ok(message)
    }
}

impl<'m> ClientData<'m> {
    pub(super) fn parse(value: &'m [u8]) -> Result<Self, Malformed> {
        let (mut duid, mut clt_time) = (None, None);
        for option in options(value) {
            match option? {
                (CLIENTID, value) => once(&mut duid, value)?,
                (CLT_TIME, value) => once(&mut clt_time, number(value)?)?,
                _ => {}
            }
        }
        let (Some(duid), Some(clt_time)) = (duid, clt_time) else { return Err(Malformed) };
        Ok(Self { duid, clt_time, options: value })
    }

    pub(super) fn bindings(&self) -> impl Iterator<Item = Result<Binding, Malformed>> + 'm {
        options(self.options).filter_map(|option| match option {
            Ok((IAADDR, value)) => Some(address(value).ok_or(Malformed)),
            Ok((IAPREFIX, value)) => Some(prefix(value).ok_or(Malformed)),
            Ok(_) => None,
            Err(error) => Some(Err(error)),
        })
    }
}

/// Splits octets into options: code, length, value (RFC 8415 §21.1).
fn options(mut rest: &[u8]) -> impl Iterator<Item = Result<(u16, &[u8]), Malformed>> {
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let Some((&[a, b, c, d], after)) = rest.split_first_chunk() else {
            rest = &[];
            return Some(Err(Malformed));
        };
        let Some((value, after)) = after.split_at_checked(u16::from_be_bytes([c, d]).into()) else {
            rest = &[];
            return Some(Err(Malformed));
        };
        rest = after;
        Some(Ok((u16::from_be_bytes([a, b]), value)))
    })
}

/// RFC 8415 §21.6: address, preferred and valid lifetime, options.
fn address(value: &[u8]) -> Option<Binding> {
    let (address, rest) = value.split_first_chunk::<16>()?;
    let (preferred, rest) = rest.split_first_chunk()?;
    let (valid, _options) = rest.split_first_chunk()?;
    let [preferred, valid] = [preferred, valid].map(|octets| u32::from_be_bytes(*octets));
    Some(Binding { address: Ipv6Addr::from(*address), len: 128, preferred, valid })
}

/// RFC 8415 §21.22: preferred and valid lifetime, length, prefix, options.
fn prefix(value: &[u8]) -> Option<Binding> {
    let (preferred, rest) = value.split_first_chunk()?;
    let (valid, rest) = rest.split_first_chunk()?;
    let (&len, rest) = rest.split_first()?;
    let (address, _options) = rest.split_first_chunk::<16>()?;
    let [preferred, valid] = [preferred, valid].map(|octets| u32::from_be_bytes(*octets));
    Some(Binding { address: Ipv6Addr::from(*address), len, preferred, valid })
}

fn number(value: &[u8]) -> Result<u32, Malformed> {
    value.try_into().map(u32::from_be_bytes).map_err(|_| Malformed)
}

fn once<T>(place: &mut Option<T>, value: T) -> Result<(), Malformed> {
    if place.replace(value).is_some() { Err(Malformed) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Client 00:07 with 2001:db8::1 (1 s, 2 s) and 2001:db8:1::/56 (3 s, 4 s), last heard 5 s ago.
    const DATA: &[u8] = &[
        0, 1, 0, 2, 0, 7, //
        0, 5, 0, 24, 0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 2, //
        0, 26, 0, 25, 0, 0, 0, 3, 0, 0, 0, 4, 56, 0x20, 1, 0x0d, 0xb8, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0,
        0, //
        0, 46, 0, 4, 0, 0, 0, 5,
    ];

    #[test]
    fn every_field_is_read() {
        let mut octets = vec![17, 1, 2, 3, 0, 1, 0, 1, 9, 0, 2, 0, 1, 8, 0, 13, 0, 3, 0, 12, b'x'];
        octets.extend([0, 100, 0, 4, 1, 0, 0, 0, 0, 45, 0, DATA.len() as u8]);
        octets.extend(DATA);
        let message = Message::parse(&octets).unwrap();
        assert_eq!((message.kind, message.transaction_id), (17, [1, 2, 3]));
        assert_eq!((message.client_id, message.server_id), (Some(&[9][..]), Some(&[8][..])));
        assert_eq!((message.status, message.base_time), (Some(12), Some(1 << 24)));
        let data = ClientData::parse(message.client_data.unwrap()).unwrap();
        assert_eq!((data.duid, data.clt_time), (&[0, 7][..], 5));
        let bindings: Vec<_> = data.bindings().map(Result::unwrap).collect();
        let binding = |address: &str, len, preferred, valid| Binding {
            address: address.parse().unwrap(),
            len,
            preferred,
            valid,
        };
        assert_eq!(bindings, [binding("2001:db8::1", 128, 1, 2), binding("2001:db8:1::", 56, 3, 4)]);
    }

    #[test]
    fn every_cut_is_malformed() {
        let whole = |data: &[u8]| {
            let data = ClientData::parse(data)?;
            data.bindings().collect::<Result<Vec<_>, _>>().map(|bindings| bindings.len())
        };
        assert_eq!(whole(DATA), Ok(2));
        for end in 0..DATA.len() {
            assert_eq!(whole(&DATA[..end]), Err(Malformed), "{end}");
        }
        assert_eq!(whole(&[DATA, DATA].concat()), Err(Malformed), "two clients in one option");
        for octets in [&[17, 1, 2][..], &[17, 1, 2, 3, 0, 13, 0, 1, 0], &[17, 1, 2, 3, 0, 1, 0, 2, 9]] {
            assert_eq!(Message::parse(octets), Err(Malformed));
        }
    }
}
