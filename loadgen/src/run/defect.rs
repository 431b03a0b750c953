//! Defects of answers: a closed table, whose names are those of the report.

/// Declares the defects: variant, name in reports, and meaning.
macro_rules! defects {
    ($($wrong:ident = $name:literal, $meaning:literal;)+) => {
        /// A defect of an answer.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Defect { $(#[doc = $meaning] $wrong,)+ }

        impl Defect {
            pub(crate) const ALL: &[Self] = &[$(Self::$wrong,)+];

            /// The key in JSON.
            pub(crate) fn name(self) -> &'static str {
                match self { $(Self::$wrong => $name,)+ }
            }

            /// The meaning, for people.
            pub(crate) fn meaning(self) -> &'static str {
                match self { $(Self::$wrong => $meaning,)+ }
            }
        }
    };
}

defects! {
    Malformed = "malformed", "not a LEASEQUERY-REPLY, or options that do not parse";
    TransactionId = "transaction_id", "a transaction id that no query has";
    Again = "again", "a second answer to one query";
    Requestor = "requestor", "a DUID other than the requestor's in OPTION_CLIENTID";
    ServerId = "server_id", "no OPTION_SERVERID, or another than --server-duid";
    Status = "status", "an error status where success was due";
    Missing = "no_binding", "no binding for a lease of the file";
    Client = "client", "another client's DUID in OPTION_CLIENT_DATA";
    Incomplete = "incomplete", "a binding of the client on the queried link, or OPTION_CLT_TIME, is missing";
    Foreign = "foreign", "a binding that is not the client's, or is repeated";
    Lifetime = "lifetime", "a valid lifetime that differs from the lease's";
    Preferred = "preferred", "a preferred lifetime that differs from the lease's, or exceeds the valid one";
    CltTime = "clt_time", "an OPTION_CLT_TIME that matches no last transaction of the client on the queried link";
    Relay = "relay", "a RELAY-REPL with other fields than the query's, or none where one is due";
    Changed = "changed", "an echo that differs from the query";
    Order = "order", "a message out of order in a bulk reply, such as LEASEQUERY-DATA before LEASEQUERY-REPLY";
    Older = "older", "an older state of a lease than an earlier message told";
    BaseTime = "base_time", "no OPTION_LQ_BASE_TIME where it was requested, or one that goes back";
    Unleased = "unleased", "bindings for a free address";
}

/// Number of answers by defect.
#[derive(Clone, Debug)]
pub(crate) struct DefectCounts([u64; Defect::ALL.len()]);

impl Default for DefectCounts {
    fn default() -> Self {
        Self([0; Defect::ALL.len()])
    }
}

impl DefectCounts {
    pub(crate) fn count(&mut self, wrong: Defect) {
        self.0[wrong as usize] += 1;
    }

    pub(crate) fn add(&mut self, other: &Self) {
        for (count, more) in self.0.iter_mut().zip(other.0) {
            *count += more;
        }
    }

    pub(crate) fn total(&self) -> u64 {
        self.0.iter().sum()
    }

    /// Defects that occurred, with their number.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Defect, u64)> + '_ {
        Defect::ALL.iter().copied().zip(self.0).filter(|&(_, count)| count > 0)
    }
}
