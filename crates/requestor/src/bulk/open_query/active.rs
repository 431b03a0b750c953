//! Messages of an active query (RFC 7653 §8.4): changes without end, keep-alives, and the catch-up.

use lqd_wire::{OptionCode, StatusCode};

use super::{OpenQuery, Part, content};
use crate::bulk::Outcome;
use crate::reply::MessageOptions;
use crate::{Content, Deviation, Status};

impl OpenQuery {
    /// Takes the LEASEQUERY-REPLY. One without client data is not the end (RFC 7653 §8.6.3), and DataMissing
    /// is no refusal: changes follow (§8.4.1).
    pub(super) fn active_reply(
        &mut self,
        top: &MessageOptions<'_>,
        status: Option<&Status>,
        len: usize,
    ) -> Part {
        let mut deviations = Vec::new();
        let is_missing = status.is_some_and(|status| status.code == StatusCode::DATA_MISSING);
        if is_missing {
            self.end_catch_up(StatusCode::DATA_MISSING, &mut deviations);
        }
        let content = content(top, status.filter(|_| !is_missing), &mut deviations);
        if content == Content::Refused {
            return Part { data: None, deviations, outcome: Some(Outcome::Refused) };
        }
        let has_data = top.client_data.is_some();
        let data = if has_data { self.client(content, len, &mut deviations) } else { None };
        Part { data, deviations, outcome: None }
    }

    /// Takes a LEASEQUERY-DATA. Without client data it is a keep-alive, or carries a status.
    pub(super) fn active_data(
        &mut self,
        top: &MessageOptions<'_>,
        status: Option<StatusCode>,
        len: usize,
    ) -> Part {
        let mut deviations = Vec::new();
        let present = [
            (OptionCode::CLIENTID, top.client_id.is_some()),
            (OptionCode::SERVERID, top.server_id.is_some()),
        ];
        let found = present.into_iter().filter(|(_, is_present)| *is_present);
        deviations.extend(found.map(|(code, _)| Deviation::ReplyOptionInData(code)));
        if let Some(code) = status {
            self.end_catch_up(code, &mut deviations);
        }
        let content = content(top, None, &mut deviations);
        let has_data = top.client_data.is_some();
        let data = if has_data { self.client(content, len, &mut deviations) } else { None };
        Part { data, deviations, outcome: None }
    }

    /// Notes a status, which may only end a catch-up.
    fn end_catch_up(&mut self, code: StatusCode, deviations: &mut Vec<Deviation>) {
        let is_end = matches!(code, StatusCode::CATCH_UP_COMPLETE | StatusCode::DATA_MISSING);
        if !(is_end && std::mem::replace(&mut self.is_catching_up, false)) {
            deviations.push(Deviation::StatusOutOfPlace(code));
        }
    }
}
