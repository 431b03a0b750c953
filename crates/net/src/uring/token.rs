//! Identification of requests: packed into the `user_data` that a completion returns.

/// Kind and number of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Token {
    /// The multishot receive of a socket.
    Receive { socket: u16 },
    /// The send of a reply, by its number in the reply area.
    Send { slot: u32 },
    /// The wait for the stop signal.
    Stop,
    /// The cancellation of a socket's receive.
    Cancel { socket: u16 },
}

impl Token {
    /// Packs the kind into the upper half, the number into the lower.
    pub(super) fn pack(self) -> u64 {
        // The number shares a word with the kind, so both must fit.
        let (kind, number) = match self {
            Self::Receive { socket } => (1, u32::from(socket)),
            Self::Send { slot } => (2, slot),
            Self::Stop => (3, 0),
            Self::Cancel { socket } => (4, u32::from(socket)),
        };
        kind << 32 | u64::from(number)
    }

    /// The token that packs into `user_data`; `None` if none does.
    pub(super) fn unpack(user_data: u64) -> Option<Self> {
        // The lower half, whatever the upper one says.
        let number = user_data as u32;
        let socket = u16::try_from(number);
        match (user_data >> 32, socket) {
            (1, Ok(socket)) => Some(Self::Receive { socket }),
            (2, _) => Some(Self::Send { slot: number }),
            (3, Ok(0)) => Some(Self::Stop),
            (4, Ok(socket)) => Some(Self::Cancel { socket }),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trips() {
        let sockets = [0, 1, u16::MAX];
        let receives = sockets.map(|socket| Token::Receive { socket });
        let cancels = sockets.map(|socket| Token::Cancel { socket });
        let sends = [0, 1, u32::MAX].map(|slot| Token::Send { slot });
        let tokens = [receives.as_slice(), &cancels, &sends, &[Token::Stop]].concat();
        for token in &tokens {
            assert_eq!(Token::unpack(token.pack()), Some(*token));
            assert_eq!(tokens.iter().filter(|other| other.pack() == token.pack()).count(), 1, "{token:?}");
        }
    }

    #[test]
    fn rejects_invalid_user_data() {
        for user_data in [0, 1, 5 << 32, 1 << 32 | 0x1_0000, 3 << 32 | 1, 4 << 32 | 0x1_0000, u64::MAX] {
            assert_eq!(Token::unpack(user_data), None, "{user_data:#x}");
        }
    }
}
