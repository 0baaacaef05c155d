//! One node's disk: files that only grow or are cut, with a page cache in front.
//!
//! A write goes to the page cache and is at once readable; fsync makes it durable and takes time; the kernel writes
//! back by itself what has been dirty for 30 s, looking every 5 s (Linux's defaults `dirty_expire_centisecs` and
//! `dirty_writeback_centisecs`). What the kernel would have written is computed from write times when it matters, so
//! files cost no timers.
//!
//! Contents belong to the nodes; the disk knows only how many bytes of each file exist and how many survive.
//!
//! Not modelled: reads, disk throughput, write-back by memory pressure, devices that lie about flushing.

use super::dist::Dist;
use super::draw::{self, Bits, Purpose};
use super::time::{Span, Time};

const WRITE_BACK_AGE: Span = Span::from_secs(30);
const WRITE_BACK_PERIOD: Span = Span::from_secs(5);

/// A file of a node, numbered by the node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct FileId(pub u32);

/// One node's disk.
#[derive(Clone, Debug)]
pub struct Disk {
    files: Vec<File>,
    fsync: Dist,
    slowness: u64,
    busy_until: Time,
    jitter: Bits,
    /// Counts power losses and replacements: a flush that was under way then never completes.
    pub(super) epoch: u32,
}

#[derive(Clone, Copy, Debug, Default)]
struct File {
    len: u64,
    durable: u64,
    /// When the oldest byte that is not durable was written.
    dirty_since: Option<Time>,
}

impl Disk {
    /// An empty disk of this node.
    pub(super) fn new(seed: u64, node: u64, fsync: Dist) -> Self {
        Self {
            files: Vec::new(),
            fsync,
            slowness: 1,
            busy_until: Time::ZERO,
            jitter: draw::stream(seed, Purpose::Disk, node, 0),
            epoch: 0,
        }
    }

    /// The file is now `len` bytes long, the new ones in the page cache.
    #[inline]
    pub(super) fn write(&mut self, now: Time, file: FileId, len: u64) {
        let file = self.file(file);
        file.write_back(now);
        file.dirty_since.get_or_insert(now);
        file.len = len;
    }

    /// The file is cut to `len` bytes. A cut is durable: what was beyond it never comes back.
    pub(super) fn truncate(&mut self, now: Time, file: FileId, len: u64) {
        let file = self.file(file);
        file.write_back(now);
        file.len = file.len.min(len);
        file.durable = file.durable.min(len);
    }

    /// Starts a flush of all that the file holds now; it completes at the time returned. Flushes queue up.
    pub(super) fn start_sync(&mut self, now: Time) -> Time {
        let took = self.fsync.sample(draw::next(&mut self.jitter)) * self.slowness;
        self.busy_until = self.busy_until.max(now) + took;
        self.busy_until
    }

    /// A flush that began when the file was `mark` bytes long is complete.
    pub(super) fn finish_sync(&mut self, file: FileId, mark: u64) {
        let file = self.file(file);
        file.durable = file.durable.max(mark.min(file.len));
        if file.durable == file.len {
            file.dirty_since = None;
        }
    }

    /// How many bytes of the file would survive a power loss at this instant.
    pub fn durable(&self, now: Time, file: FileId) -> u64 {
        self.files.get(file.0 as usize).copied().map_or(0, |mut file| {
            file.write_back(now);
            file.durable
        })
    }

    /// How many bytes the file has.
    pub fn len(&self, file: FileId) -> u64 {
        self.files.get(file.0 as usize).map_or(0, |file| file.len)
    }

    /// How many bytes all files have, and how many of them would survive a power loss at this instant.
    pub fn total(&self, now: Time) -> (u64, u64) {
        self.files.iter().copied().fold((0, 0), |(len, durable), mut file| {
            file.write_back(now);
            (len + file.len, durable + file.durable)
        })
    }

    /// The power goes: of every file only the durable part is left, each on its own.
    pub(super) fn lose_power(&mut self, now: Time) {
        for file in &mut self.files {
            file.write_back(now);
            file.len = file.durable;
            file.dirty_since = None;
        }
        self.epoch += 1;
        self.busy_until = now;
    }

    /// An empty disk takes its place.
    pub(super) fn replace(&mut self, now: Time) {
        self.files.clear();
        self.epoch += 1;
        self.busy_until = now;
    }

    /// The last bytes of the file are torn off.
    pub(super) fn tear(&mut self, file: FileId, bytes: u64) {
        let file = self.file(file);
        file.len = file.len.saturating_sub(bytes);
        file.durable = file.durable.min(file.len);
    }

    /// From now on a flush takes this many times as long.
    pub(super) fn set_slowness(&mut self, factor: u32) {
        self.slowness = u64::from(factor.max(1));
    }

    #[inline]
    fn file(&mut self, file: FileId) -> &mut File {
        let at = file.0 as usize;
        if at >= self.files.len() {
            self.files.resize(at + 1, File::default());
        }
        &mut self.files[at]
    }
}

impl File {
    /// What the kernel has written back by `now`, had it looked at its usual times. Nothing was written in between.
    #[inline]
    fn write_back(&mut self, now: Time) {
        if let Some(since) = self.dirty_since
            && now.since(since) >= WRITE_BACK_AGE
        {
            let expires = since + WRITE_BACK_AGE;
            let looks_at = Time(expires.0.div_ceil(WRITE_BACK_PERIOD.0) * WRITE_BACK_PERIOD.0);
            if looks_at <= now {
                self.durable = self.len;
                self.dirty_since = None;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: FileId = FileId(0);

    fn disk() -> Disk {
        Disk::new(1, 0, Dist::Constant(Span::from_millis(2)))
    }

    fn at(seconds: u64) -> Time {
        Time::ZERO + Span::from_secs(seconds)
    }

    #[test]
    fn what_was_not_flushed_is_gone_after_a_power_loss() {
        let mut disk = disk();
        disk.write(at(1), FILE, 100);
        let done = disk.start_sync(at(1));
        disk.write(at(1), FILE, 150);
        assert_eq!(done, at(1) + Span::from_millis(2));
        disk.finish_sync(FILE, 100);
        disk.lose_power(at(2));
        assert_eq!(disk.len(FILE), 100);
    }

    #[test]
    fn the_kernel_writes_back_what_was_dirty_for_thirty_seconds() {
        let mut disk = disk();
        disk.write(at(1), FILE, 10);
        disk.write(at(20), FILE, 20);
        assert_eq!(disk.durable(at(34), FILE), 0, "the kernel looks at 35 s");
        assert_eq!(disk.durable(at(35), FILE), 20, "the whole file goes");
        disk.write(at(36), FILE, 30);
        disk.lose_power(at(60));
        assert_eq!(disk.len(FILE), 20);
    }

    #[test]
    fn a_torn_tail_shortens_even_what_was_durable() {
        let mut disk = disk();
        disk.write(at(1), FILE, 100);
        disk.finish_sync(FILE, 100);
        disk.tear(FILE, 10);
        assert_eq!((disk.len(FILE), disk.durable(at(1), FILE)), (90, 90));
    }

    #[test]
    fn a_slow_disk_takes_its_factor_and_flushes_queue_up() {
        let mut disk = disk();
        disk.set_slowness(10);
        assert_eq!(disk.start_sync(at(1)), at(1) + Span::from_millis(20));
        assert_eq!(disk.start_sync(at(1)), at(1) + Span::from_millis(40));
    }

    #[test]
    fn a_replaced_disk_is_empty() {
        let mut disk = disk();
        disk.write(at(1), FILE, 100);
        disk.finish_sync(FILE, 100);
        disk.replace(at(2));
        assert_eq!(disk.len(FILE), 0);
    }
}
