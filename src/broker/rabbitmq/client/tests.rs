//! Clients against a broker.
