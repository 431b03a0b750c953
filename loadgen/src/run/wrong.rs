//! What can be wrong with an answer: a closed table, whose names are those of the report.

/// Declares the faults: variant, name in reports, and what it means.
macro_rules! wrongs {
    ($($wrong:ident = $name:literal, $meaning:literal;)+) => {
        /// Why an answer is wrong.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Wrong { $(#[doc = $meaning] $wrong,)+ }

        impl Wrong {
            pub(crate) const ALL: &[Self] = &[$(Self::$wrong,)+];

            /// Its key in JSON.
            pub(crate) fn name(self) -> &'static str {
                match self { $(Self::$wrong => $name,)+ }
            }

            /// What it means, for people.
            pub(crate) fn meaning(self) -> &'static str {
                match self { $(Self::$wrong => $meaning,)+ }
            }
        }
    };
}

wrongs! {
    Malformed = "malformed", "no LEASEQUERY-REPLY, or options that do not parse";
    TransactionId = "transaction_id", "a transaction id that no query has";
    Again = "again", "a second answer to one query";
    Requestor = "requestor", "not the requestor's DUID in OPTION_CLIENTID";
    ServerId = "server_id", "no OPTION_SERVERID, or not that of --server-duid";
    Status = "status", "an error status where data was due";
    Missing = "no_binding", "no binding for a lease of the file";
    Client = "client", "another client's DUID in OPTION_CLIENT_DATA";
    Incomplete = "incomplete", "a binding of the client on the asked link, or OPTION_CLT_TIME, is missing";
    Foreign = "foreign", "a binding that is not the client's, or one twice";
    Lifetime = "lifetime", "a valid lifetime that does not fit the lease";
    Preferred = "preferred", "a preferred lifetime that does not fit the lease, or is beyond the valid one";
    CltTime = "clt_time", "an OPTION_CLT_TIME that fits none of the client's last transactions on the asked link";
    Relay = "relay", "not the relay agent's fields of the query in RELAY-REPL, or none where one is due";
    Changed = "changed", "an echo that is not what was sent";
    Unleased = "unleased", "bindings for an address that is free";
}

/// How often each.
#[derive(Clone, Debug)]
pub(crate) struct WrongCounts([u64; Wrong::ALL.len()]);

impl Default for WrongCounts {
    fn default() -> Self {
        Self([0; Wrong::ALL.len()])
    }
}

impl WrongCounts {
    pub(crate) fn count(&mut self, wrong: Wrong) {
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

    /// Those that happened.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Wrong, u64)> + '_ {
        Wrong::ALL.iter().copied().zip(self.0).filter(|&(_, count)| count > 0)
    }
}
