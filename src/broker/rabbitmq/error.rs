//! How RabbitMQ and its clients call what went wrong.
//!
//! Reply codes: <https://www.rabbitmq.com/amqp-0-9-1-reference#constants>. What clients throw is named after the Java
//! client's exceptions.

/// Why a send failed, or a channel or a connection was closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Error {
    /// The broker answered that it took no responsibility for the message.
    Nack,
    /// The message came back: no queue is bound for it.
    NoRoute,
    /// There is no such exchange or queue, or the queue's node is down.
    NotFound,
    /// The queue or its consumer is exclusive to somebody else.
    AccessRefused,
    /// The queue belongs to another connection.
    ResourceLocked,
    /// The request contradicts what is there.
    PreconditionFailed,
    /// An operator, or a node that pauses, closed the connection.
    ConnectionForced,
    /// The message is larger than the broker takes.
    ContentTooLarge,
    /// The broker does not do that.
    NotImplemented,
    /// Something broke inside the broker.
    Internal,
    /// The broker ran out of something, such as channels.
    NotAllowed,
    /// The client's own: the channel or connection was closed before the call.
    AlreadyClosed,
    /// The client's own: the connection was lost while the send was unanswered.
    ConnectionLost,
    /// The client's own: no answer came in time.
    Timeout,
    /// The client's own: nobody accepts connections.
    ConnectionRefused,
}

impl Error {
    const ALL: [Self; 15] = [
        Self::Nack,
        Self::NoRoute,
        Self::NotFound,
        Self::AccessRefused,
        Self::ResourceLocked,
        Self::PreconditionFailed,
        Self::ConnectionForced,
        Self::ContentTooLarge,
        Self::NotImplemented,
        Self::Internal,
        Self::NotAllowed,
        Self::AlreadyClosed,
        Self::ConnectionLost,
        Self::Timeout,
        Self::ConnectionRefused,
    ];

    /// The number that facts carry: the vendor's reply code where there is one.
    pub(super) fn number(self) -> u16 {
        match self {
            Self::Nack => 1,
            Self::AlreadyClosed => 2,
            Self::ConnectionLost => 3,
            Self::Timeout => 4,
            Self::ConnectionRefused => 5,
            Self::ContentTooLarge => 311,
            Self::NoRoute => 312,
            Self::ConnectionForced => 320,
            Self::AccessRefused => 403,
            Self::NotFound => 404,
            Self::ResourceLocked => 405,
            Self::PreconditionFailed => 406,
            Self::NotAllowed => 530,
            Self::NotImplemented => 540,
            Self::Internal => 541,
        }
    }

    /// As the vendor's texts and the client's exceptions name it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Nack => "basic.nack",
            Self::AlreadyClosed => "AlreadyClosedException",
            Self::ConnectionLost => "ShutdownSignalException",
            Self::Timeout => "TimeoutException",
            Self::ConnectionRefused => "ConnectException",
            Self::ContentTooLarge => "CONTENT_TOO_LARGE (311)",
            Self::NoRoute => "NO_ROUTE (312)",
            Self::ConnectionForced => "CONNECTION_FORCED (320)",
            Self::AccessRefused => "ACCESS_REFUSED (403)",
            Self::NotFound => "NOT_FOUND (404)",
            Self::ResourceLocked => "RESOURCE_LOCKED (405)",
            Self::PreconditionFailed => "PRECONDITION_FAILED (406)",
            Self::NotAllowed => "NOT_ALLOWED (530)",
            Self::NotImplemented => "NOT_IMPLEMENTED (540)",
            Self::Internal => "INTERNAL_ERROR (541)",
        }
    }

    /// The error of that number.
    pub(super) fn of(number: u16) -> Option<Self> {
        Self::ALL.into_iter().find(|error| error.number() == number)
    }

    /// What the error of that number is called.
    pub(super) fn name_of(number: u16) -> &'static str {
        Self::of(number).map_or("an error", Self::name)
    }
}
