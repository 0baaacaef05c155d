//! A table of connections: looking one up is one index, because every packet does it.

use super::net::ConnId;

/// Something for each of a node's connections. Where a new connection has taken an old one's slot, the old one is
/// gone.
#[derive(Clone, Debug)]
pub struct ByConn<T> {
    slots: Vec<Option<(ConnId, T)>>,
}

impl<T> Default for ByConn<T> {
    fn default() -> Self {
        Self { slots: Vec::new() }
    }
}

impl<T> ByConn<T> {
    /// What is kept for a connection.
    #[inline]
    pub fn get_mut(&mut self, conn: ConnId) -> Option<&mut T> {
        match self.slots.get_mut(conn.slot as usize) {
            Some(Some((known, item))) if *known == conn => Some(item),
            _ => None,
        }
    }

    /// Keeps something for a connection.
    pub fn insert(&mut self, conn: ConnId, item: T) {
        let slot = conn.slot as usize;
        if slot >= self.slots.len() {
            self.slots.resize_with(slot + 1, || None);
        }
        self.slots[slot] = Some((conn, item));
    }

    /// Forgets a connection; what was kept for it.
    pub fn remove(&mut self, conn: ConnId) -> Option<T> {
        let entry = self.slots.get_mut(conn.slot as usize)?;
        entry.take_if(|(known, _)| *known == conn).map(|(_, item)| item)
    }

    /// Forgets all of them.
    pub fn clear(&mut self) {
        self.slots.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::num::NonZeroU32;

    #[test]
    fn an_old_id_finds_nothing() {
        let conn = |slot, generation| ConnId { slot, generation: NonZeroU32::new(generation).unwrap() };
        let mut table = ByConn::default();
        table.insert(conn(3, 1), 'a');
        assert_eq!(table.get_mut(conn(3, 1)), Some(&mut 'a'));
        assert_eq!(table.get_mut(conn(2, 1)), None);
        assert_eq!(table.get_mut(conn(9, 1)), None);
        assert_eq!(table.remove(conn(3, 2)), None);
        table.insert(conn(3, 2), 'b');
        assert_eq!(table.get_mut(conn(3, 1)), None);
        assert_eq!(table.remove(conn(3, 1)), None);
        assert_eq!(table.remove(conn(3, 2)), Some('b'));
        assert_eq!(table.get_mut(conn(3, 2)), None);
    }
}
