//! The replication model held to its promises: random clusters, settings and faults; and the stories that the facts
//! tell, each as one small scenario.
//!
//! Every case is a scenario file. A case that fails prints itself as one, shrunk, with its seed: save it and run it.
//! The draws are fixed, so that every machine tries the same cases; `MQLAB_CASES=20` tries twenty times as many.

mod alter;
mod case;
mod consumers;
mod determinism;
mod last_replica;
mod mirrors;
mod old_versions;
mod play;
mod rabbitmq;
mod rabbitmq_topologies;
mod safety;
mod scripts;
mod stories;
