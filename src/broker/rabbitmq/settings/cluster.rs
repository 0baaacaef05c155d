//! What `rabbitmq.conf` and `advanced.config` say of a node; every node of a scenario has the same.

use super::Absent;
use crate::broker::{Kind, Scope, Setting};
use crate::scenario::plan::Version;

const ALWAYS: Version = Version(0, 0, 0);
const CLUSTER: Scope = Scope::Cluster;
const COUNT: Kind = Kind::Int(1, 2_147_483_647);
const MILLIS: Kind = Kind::Int(1, 604_800_000);
const SECONDS: Kind = Kind::Int(0, 604_800);

const LOCATOR_MEANING: &str = "On which node a new queue lives that does not say: the node of the client \
                               that declares \
                               it, which is the first one here, or the one with the fewest queues.";

/// The modelled ones.
pub(super) const SETTINGS: &[Setting] = &[
    // Partitions and nodes that are down.
    Setting::new(
        CLUSTER,
        "cluster_partition_handling",
        Kind::OneOf(&["ignore", "pause_minority", "autoheal", "pause_if_all_down"]),
        "What nodes do when they lose sight of each other: go on, pause without a majority, restart the \
         losing side \
         afterwards, or pause if none of certain nodes is in sight.",
    )
    .defaults(&[(ALWAYS, "ignore")])
    .until(Version(4, 3, 0)),
    Setting::new(
        CLUSTER,
        "cluster_partition_handling.pause_if_all_down.nodes",
        Kind::Texts,
        "The nodes of `pause_if_all_down`, such as `[\"broker-1\"]`.",
    )
    .until(Version(4, 3, 0)),
    Setting::new(
        CLUSTER,
        "cluster_partition_handling.pause_if_all_down.recover",
        Kind::OneOf(&["ignore", "autoheal"]),
        "What `pause_if_all_down` does after a partition in which no side paused.",
    )
    .until(Version(4, 3, 0)),
    Setting::new(
        CLUSTER,
        "net_ticktime",
        Kind::Int(1, 86_400),
        "After how many seconds of silence a node takes another for down, give or take a quarter.",
    )
    .defaults(&[(ALWAYS, "60")]),
    Setting::new(
        CLUSTER,
        "heartbeat",
        SECONDS,
        "The heartbeat timeout in seconds that the server proposes; of both, the smaller one that is not 0.",
    )
    .defaults(&[(ALWAYS, "60")]),
    Setting::new(
        CLUSTER,
        "mnesia_table_loading_retry_limit",
        Kind::Int(1, 1_000_000),
        "How often a starting node waits for a peer that stopped after it, before it gives up.",
    )
    .defaults(&[(ALWAYS, "10")])
    .until(Version(4, 3, 0)),
    Setting::new(
        CLUSTER,
        "mnesia_table_loading_retry_timeout",
        MILLIS,
        "How many milliseconds a starting node waits for such a peer each time.",
    )
    .defaults(&[(ALWAYS, "30000")])
    .until(Version(4, 3, 0)),
    // Memory, disk, and what stops publishers.
    Setting::new(
        CLUSTER,
        "total_memory_available_override_value",
        Kind::Bytes,
        "How much memory a machine has, in bytes; there the machine's own, here 4 GiB.",
    )
    .defaults(&[(ALWAYS, "4294967296")]),
    Setting::new(
        CLUSTER,
        "vm_memory_high_watermark.relative",
        Kind::Part,
        "The part of the memory above which the memory alarm stops all publishers of the cluster.",
    )
    .defaults(&[(ALWAYS, "0.4"), (Version(4, 0, 0), "0.6")]),
    Setting::new(
        CLUSTER,
        "vm_memory_high_watermark.absolute",
        Kind::Bytes,
        "The same in bytes; it comes before the part.",
    ),
    Setting::new(
        CLUSTER,
        "vm_memory_high_watermark_paging_ratio",
        Kind::Part,
        "The part of the watermark from which on queues of storage v1 write out what they hold in memory.",
    )
    .defaults(&[(ALWAYS, "0.5")])
    .until(Version(4, 0, 0)),
    Setting::new(
        CLUSTER,
        "disk_size",
        Kind::Bytes,
        "How much a machine's disk holds, in bytes: a property of the machine, which the vendor has no \
         setting for.",
    )
    .defaults(&[(ALWAYS, "100000000000")]),
    Setting::new(
        CLUSTER,
        "disk_free_limit.absolute",
        Kind::Bytes,
        "Below how many free bytes the disk alarm stops all publishers of the cluster.",
    )
    .defaults(&[(ALWAYS, "50000000")]),
    Setting::new(
        CLUSTER,
        "disk_free_limit.relative",
        Kind::Part,
        "The same as a multiple of the memory; it comes before the bytes.",
    ),
    Setting::new(
        CLUSTER,
        "credit_flow_default_credit",
        Kind::Text,
        "What a process may send to the next one before it is granted more, and after how many it is granted \
         more: two numbers of messages.",
    )
    .defaults(&[(ALWAYS, "400, 200")]),
    Setting::new(
        CLUSTER,
        "quorum_commands_soft_limit",
        COUNT,
        "How many commands a channel has under way to a quorum queue before it grants its reader no more.",
    )
    .defaults(&[(ALWAYS, "32")])
    .since(Version(3, 8, 0)),
    // Queues.
    Setting::new(
        CLUSTER,
        "classic_queue.default_version",
        Kind::OneOf(&["1", "2"]),
        "The storage of classic queues that do not say.",
    )
    .defaults(&[(ALWAYS, "1")])
    .since(Version(3, 10, 0))
    .until(Version(4, 0, 0)),
    Setting::new(
        CLUSTER,
        "queue_leader_locator",
        Kind::OneOf(&["client-local", "balanced"]),
        LOCATOR_MEANING,
    )
    .defaults(&[(ALWAYS, "client-local")])
    .since(Version(3, 10, 0)),
    Setting::new(
        CLUSTER,
        "queue_master_locator",
        Kind::OneOf(&["client-local", "min-masters", "random"]),
        LOCATOR_MEANING,
    )
    .defaults(&[(ALWAYS, "client-local")])
    .until(Version(4, 0, 0)),
    Setting::new(
        CLUSTER,
        "queue_index_embed_msgs_below",
        Kind::Bytes,
        "Messages smaller than so many bytes lie in the index of a classic queue, larger ones in the \
         shared store.",
    )
    .defaults(&[(ALWAYS, "4096")])
    .until(Version(4, 0, 0)),
    Setting::new(
        CLUSTER,
        "queue_index_max_journal_entries",
        COUNT,
        "After how many entries the journal of a v1 index is written, if nothing else wrote it before.",
    )
    .defaults(&[(ALWAYS, "32768")])
    .until(Version(4, 0, 0)),
    Setting::new(
        CLUSTER,
        "max_message_size",
        Kind::Bytes,
        "The largest message in bytes; a larger one closes the channel.",
    )
    .defaults(&[(ALWAYS, "134217728"), (Version(4, 0, 0), "16777216")])
    .since(Version(3, 8, 0)),
    Setting::new(
        CLUSTER,
        "default_consumer_prefetch",
        Kind::Int(0, 65_535),
        "How many messages a consumer may hold that sets no prefetch; 0: any number.",
    )
    .defaults(&[(ALWAYS, "0")]),
    Setting::new(
        CLUSTER,
        "consumer_timeout",
        Kind::Int(1, 31_536_000_000),
        "How many milliseconds a consumer may hold a message before its channel is closed; looked at once \
         a minute; \
         from 4.3 on for quorum queues alone.",
    )
    .defaults(&[(ALWAYS, "900000"), (Version(3, 8, 17), "1800000")])
    .since(Version(3, 8, 15)),
    Setting::new(
        CLUSTER,
        "mirroring_sync_batch_size",
        COUNT,
        "How many messages one step of bringing a mirror up to date copies.",
    )
    .defaults(&[(ALWAYS, "4096")])
    .until(Version(4, 0, 0)),
    Setting::new(
        CLUSTER,
        "quorum_cluster_size",
        Kind::Int(1, 100),
        "How many members a quorum queue has that does not say.",
    )
    .defaults(&[(ALWAYS, "5"), (Version(3, 8, 10), "3")])
    .since(Version(3, 8, 0)),
    Setting::new(
        CLUSTER,
        "raft.wal_max_batch_size",
        COUNT,
        "How many commands one write to the log of the quorum queues takes at most.",
    )
    .defaults(&[(ALWAYS, "4096")])
    .since(Version(3, 8, 0)),
    Setting::new(
        CLUSTER,
        "dead_letter_worker_consumer_prefetch",
        COUNT,
        "How many dead letters a quorum queue sends on at a time, with `at-least-once`.",
    )
    .defaults(&[(ALWAYS, "32")])
    .since(Version(3, 10, 0)),
    Setting::new(
        CLUSTER,
        "dead_letter_worker_publisher_confirm_timeout",
        MILLIS,
        "After how many milliseconds without a confirm such a dead letter is sent again.",
    )
    .defaults(&[(ALWAYS, "180000")])
    .since(Version(3, 10, 0)),
];

/// Known, and refused.
pub(super) const ABSENT: &[Absent] = &[
    (CLUSTER, "auth_backends.1", "Who checks names and passwords."),
    (CLUSTER, "background_gc_enabled", "Whether memory is collected in the background."),
    (CLUSTER, "channel_max", "How many channels a connection may have; here a client has one."),
    (CLUSTER, "cluster_formation.peer_discovery_backend", "How nodes find each other for the first time."),
    (CLUSTER, "cluster_keepalive_interval", "How often nodes tell each other that they run."),
    (CLUSTER, "cluster_name", "The name of the cluster."),
    (CLUSTER, "collect_statistics", "How much the management page is told."),
    (CLUSTER, "collect_statistics_interval", "How often the management page is told."),
    (CLUSTER, "connection_max", "How many connections a node takes."),
    (CLUSTER, "default_queue_type", "The type of queues that do not say."),
    (CLUSTER, "default_user", "The name of the first user."),
    (CLUSTER, "default_vhost", "The vhost that exists from the beginning; here `/`."),
    (CLUSTER, "definitions.import_backend", "What is declared when a node starts."),
    (CLUSTER, "deprecated_features.permit.classic_queue_mirroring", "Whether mirrors are still allowed."),
    (CLUSTER, "frame_max", "The largest frame of a connection."),
    (CLUSTER, "handshake_timeout", "How long a connection may take to open."),
    (CLUSTER, "lazy_queue_explicit_gc_run_operation_threshold", "How often lazy queues collect memory."),
    (CLUSTER, "listeners.tcp.default", "The port that clients connect to."),
    (CLUSTER, "log.console.level", "What is written to the log."),
    (CLUSTER, "loopback_users", "Who may only connect from the same machine."),
    (CLUSTER, "management.tcp.port", "The port of the management page."),
    (CLUSTER, "memory_monitor_interval", "How often the memory is looked at."),
    (CLUSTER, "mirroring_flow_control", "Whether mirrors slow publishers down."),
    (CLUSTER, "mirroring_sync_max_throughput", "How fast a mirror is brought up to date."),
    (CLUSTER, "msg_store_credit_disc_bound", "What queues may send to the store of large messages."),
    (CLUSTER, "msg_store_file_size_limit", "How large a file of the store gets."),
    (CLUSTER, "num_acceptors.tcp", "How many processes accept connections."),
    (CLUSTER, "proxy_protocol", "Whether a proxy says where connections come from."),
    (CLUSTER, "queue_index_segment_entry_count", "How many entries a segment of an index has."),
    (CLUSTER, "quorum_tick_interval", "How often quorum queues look after themselves."),
    (CLUSTER, "raft.segment_max_entries", "How many entries a segment of a quorum log has."),
    (CLUSTER, "raft.wal_max_size_bytes", "When the log of the quorum queues begins a new file."),
    (CLUSTER, "ssl_options.verify", "Whether the other side's certificate is checked."),
    (CLUSTER, "stream.initial_credits", "How much a stream consumer may be sent at first."),
    (CLUSTER, "tcp_listen_options.backlog", "How many connections may wait to be accepted."),
    (CLUSTER, "tcp_listen_options.nodelay", "Whether small packets wait for more."),
    (CLUSTER, "vhost_restart_strategy", "What happens to a node when a vhost fails."),
    (CLUSTER, "vm_memory_calculation_strategy", "How used memory is measured."),
];
