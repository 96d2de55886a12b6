//! [`SimulatedDisk`]: a directory in memory that does to unsynced bytes whatever a disk may do.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a simulation for tests alone"
)]

mod inode;

use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::sync::Arc;

use parking_lot::Mutex;

use self::inode::{Change, Inode};
use super::{Access, Identity, LOCK, Lock, LockOutcome, Storage, StorageFile};
use crate::runtime::Rng;

/// What can be counted and made to fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Operation {
    /// A file is made.
    Create,
    /// Bytes are written.
    Write,
    /// Room is reserved.
    Allocate,
    /// A file is cut.
    Truncate,
    /// A file is synced.
    Sync,
    /// A file is renamed.
    Rename,
    /// A file is removed.
    Remove,
    /// The directory is synced.
    SyncDir,
}

impl Operation {
    /// Whether it may meet a full disk.
    pub fn takes_space(self) -> bool {
        matches!(self, Self::Create | Self::Write | Self::Allocate)
    }
}

/// The disk. A process sees it through a handle that dies with it.
#[derive(Debug, Clone)]
pub struct SimulatedDisk(Arc<Mutex<State>>);

/// The disk as one process sees it: dead for ever once that process has died.
#[derive(Debug, Clone)]
pub(crate) struct Process {
    disk: SimulatedDisk,
    incarnation: u64,
}

#[derive(Debug, Clone)]
enum NameChange {
    Add(String, u64),
    Remove(String),
    Rename(String, String, u64),
}

#[derive(Debug, Clone)]
struct State {
    inodes: BTreeMap<u64, Inode>,
    names: BTreeMap<String, u64>,
    durable_names: BTreeMap<String, u64>,
    name_changes: Vec<NameChange>,
    next_inode: u64,
    directory_inode: u64,
    incarnation: u64,
    locked: bool,
    dead: bool,
    rng: Rng,
    operations: Vec<Operation>,
    die_at: Option<usize>,
    fail_at: Option<(usize, ErrorKind)>,
    capacity: u64,
    /// What it was before each operation, since somebody asked.
    film: Option<Vec<State>>,
}

#[derive(Debug)]
struct SimulatedFile {
    process: Process,
    inode: u64,
    writable: bool,
}

#[derive(Debug)]
struct SimulatedLock(Process);

impl Lock for SimulatedLock {}

impl Drop for SimulatedLock {
    fn drop(&mut self) {
        let mut state = self.0.disk.0.lock();
        if state.incarnation == self.0.incarnation {
            state.locked = false;
        }
    }
}

impl SimulatedDisk {
    /// An empty disk; the seed decides what a power cut leaves.
    pub fn new(seed: u64) -> Self {
        Self(Arc::new(Mutex::new(State {
            inodes: BTreeMap::new(),
            names: BTreeMap::new(),
            durable_names: BTreeMap::new(),
            name_changes: Vec::new(),
            next_inode: 100,
            directory_inode: 2,
            incarnation: 0,
            locked: false,
            dead: false,
            rng: Rng::from_seed(seed),
            operations: Vec::new(),
            die_at: None,
            fail_at: None,
            capacity: 1 << 40,
            film: None,
        })))
    }

    /// A process that starts now. Any before it has ended.
    pub(crate) fn process(&self) -> Arc<dyn Storage> {
        let mut state = self.0.lock();
        state.incarnation += 1;
        state.locked = false;
        state.dead = false;
        state.die_at = None;
        state.fail_at = None;
        state.operations.clear();
        Arc::new(Process {
            disk: self.clone(),
            incarnation: state.incarnation,
        })
    }

    /// Cuts the power: of what was not synced any part survives, in blocks of 512 bytes.
    pub fn cut_power(&self) {
        let mut state = self.0.lock();
        state.incarnation += 1;
        state.dead = true;
        let rng = state.rng.clone();
        for inode in state.inodes.values_mut() {
            inode.lose_power(&rng);
        }
        let mut names = state.durable_names.clone();
        let all = rng.below(3);
        for change in std::mem::take(&mut state.name_changes) {
            if all == 0 || (all == 1 && rng.below(2) == 0) {
                continue;
            }
            apply(&mut names, change);
        }
        state.names = names.clone();
        state.durable_names = names;
    }

    /// The machine is there again; a process may start.
    pub fn revive(&self) {
        let mut state = self.0.lock();
        state.dead = false;
        state.die_at = None;
        state.fail_at = None;
    }

    /// Whether its process died in an operation, or the power is cut.
    #[must_use]
    pub fn is_dead(&self) -> bool {
        self.0.lock().dead
    }

    /// An independent copy with the same bytes, names and inodes, all of them durable.
    pub fn copy(&self, seed: u64) -> Self {
        let other = Self::new(seed);
        {
            let from = self.0.lock();
            let mut to = other.0.lock();
            to.inodes = from
                .inodes
                .iter()
                .map(|(number, inode)| (*number, Inode::with(inode.current().to_vec())))
                .collect();
            to.names = from.names.clone();
            to.durable_names = from.names.clone();
            to.next_inode = from.next_inode;
        }
        other
    }

    /// From now on keeps what it is before each operation.
    pub fn film(&self) {
        self.0.lock().film = Some(Vec::new());
    }

    /// How many operations it has kept.
    pub fn filmed(&self) -> usize {
        self.0.lock().film.as_ref().map_or(0, Vec::len)
    }

    /// What it was before each operation since [`Self::film`], and what it is now.
    pub fn frames(&self) -> Vec<Self> {
        let mut state = self.0.lock();
        let mut frames = state.film.take().unwrap_or_default();
        frames.push(state.frame());
        let disk = |frame| Self(Arc::new(Mutex::new(frame)));
        frames.into_iter().map(disk).collect()
    }

    /// The same disk once more, with what is not synced; the seed decides what a power cut leaves.
    #[must_use]
    pub fn fork(&self, seed: u64) -> Self {
        let rng = Rng::from_seed(seed);
        let state = State {
            rng,
            ..self.0.lock().frame()
        };
        Self(Arc::new(Mutex::new(state)))
    }

    /// The process dies in its `nth` operation from now, counted from zero.
    pub fn die_at(&self, nth: usize) {
        let mut state = self.0.lock();
        state.die_at = Some(state.operations.len() + nth);
    }

    /// The `nth` operation from now fails with `kind`, counted from zero.
    pub fn fail_at(&self, nth: usize, kind: ErrorKind) {
        let mut state = self.0.lock();
        state.fail_at = Some((state.operations.len() + nth, kind));
    }

    /// No operation that is still to come fails, and the process dies in none.
    pub fn disarm(&self) {
        let mut state = self.0.lock();
        state.die_at = None;
        state.fail_at = None;
    }

    /// Whether an operation is still to come in which the process dies, or which fails.
    #[must_use]
    pub fn is_armed(&self) -> bool {
        let state = self.0.lock();
        let next = state.operations.len();
        let fails = state.fail_at.map(|(at, _)| at);
        state.die_at.into_iter().chain(fails).any(|at| at >= next)
    }

    /// How much may be stored.
    pub fn set_capacity(&self, bytes: u64) {
        self.0.lock().capacity = bytes;
    }

    /// Bytes stored.
    pub fn used(&self) -> u64 {
        self.0.lock().used()
    }

    /// What the process has done so far.
    pub fn operations(&self) -> Vec<Operation> {
        self.0.lock().operations.clone()
    }

    /// The files there are.
    pub fn names(&self) -> Vec<String> {
        self.0.lock().names.keys().cloned().collect()
    }

    /// A file's bytes as processes see them.
    pub fn contents(&self, name: &str) -> Vec<u8> {
        let state = self.0.lock();
        state.inodes[&state.names[name]].current().to_vec()
    }

    /// Changes a file behind everybody's back, in place.
    pub fn tamper(&self, name: &str, change: impl FnOnce(&mut Vec<u8>)) {
        let mut state = self.0.lock();
        let number = state.names[name];
        let mut bytes = state.inodes[&number].current().to_vec();
        change(&mut bytes);
        state.inodes.insert(number, Inode::with(bytes));
    }

    /// Puts a file there, or replaces it by a new one.
    pub fn put(&self, name: &str, bytes: Vec<u8>) {
        let mut state = self.0.lock();
        let number = state.add_inode(Inode::with(bytes));
        state.names.insert(name.to_owned(), number);
        state.durable_names.insert(name.to_owned(), number);
    }

    /// Takes a file away.
    pub fn forget(&self, name: &str) {
        let mut state = self.0.lock();
        state.names.remove(name);
        state.durable_names.remove(name);
    }

    /// The directory becomes another one with the same contents.
    pub fn move_to_another_directory(&self) {
        self.0.lock().directory_inode += 1;
    }
}

impl State {
    fn used(&self) -> u64 {
        let named = self.names.values().filter_map(|n| self.inodes.get(n));
        named.map(|inode| inode.current().len() as u64).sum()
    }

    /// All that a process can come upon which starts now.
    fn frame(&self) -> Self {
        let renamed = self.name_changes.iter().filter_map(|change| match change {
            NameChange::Add(_, inode) | NameChange::Rename(_, _, inode) => Some(inode),
            NameChange::Remove(_) => None,
        });
        let named = self.names.values().chain(self.durable_names.values());
        let found = |number: &u64| Some((*number, self.inodes.get(number)?.clone()));
        Self {
            inodes: named.chain(renamed).filter_map(found).collect(),
            names: self.names.clone(),
            durable_names: self.durable_names.clone(),
            name_changes: self.name_changes.clone(),
            operations: Vec::new(),
            film: None,
            rng: self.rng.clone(),
            ..*self
        }
    }

    fn add_inode(&mut self, inode: Inode) -> u64 {
        self.next_inode += 1;
        self.inodes.insert(self.next_inode, inode);
        self.next_inode
    }

    fn number(&self, name: &str) -> io::Result<u64> {
        let found = self.names.get(name).copied();
        found.ok_or_else(|| ErrorKind::NotFound.into())
    }
}

fn apply(names: &mut BTreeMap<String, u64>, change: NameChange) {
    match change {
        NameChange::Add(name, inode) => {
            names.insert(name, inode);
        }
        NameChange::Remove(name) => {
            names.remove(&name);
        }
        NameChange::Rename(from, to, inode) => {
            names.remove(&from);
            names.insert(to, inode);
        }
    }
}

/// What becomes of one operation.
enum Fate {
    Done,
    /// Done in part or not at all, and this is what the caller hears.
    Failed(io::Error),
}

impl Process {
    fn alive(&self, state: &State) -> io::Result<()> {
        if state.dead || state.incarnation != self.incarnation {
            return Err(io::Error::other("the process is gone"));
        }
        Ok(())
    }

    fn decide(&self, state: &mut State, operation: Operation) -> io::Result<Fate> {
        self.alive(state)?;
        if state.film.is_some() {
            let frame = state.frame();
            state.film.get_or_insert_default().push(frame);
        }
        let index = state.operations.len();
        state.operations.push(operation);
        if state.die_at == Some(index) {
            state.dead = true;
            return Ok(Fate::Failed(io::Error::other("the process died")));
        }
        match state.fail_at {
            Some((at, kind)) if at == index => Ok(Fate::Failed(kind.into())),
            _ => Ok(Fate::Done),
        }
    }

    /// A change of names that fails may have happened or not when the process dies in it.
    fn rename_or(&self, operation: Operation, change: NameChange) -> io::Result<()> {
        let mut state = self.disk.0.lock();
        let fate = self.decide(&mut state, operation)?;
        let happens = match &fate {
            Fate::Done => true,
            Fate::Failed(_) => state.dead && state.rng.below(2) == 0,
        };
        if happens {
            apply(&mut state.names, change.clone());
            state.name_changes.push(change);
        }
        match fate {
            Fate::Done => Ok(()),
            Fate::Failed(error) => Err(error),
        }
    }

    fn file(&self, inode: u64, access: Access) -> Arc<dyn StorageFile> {
        Arc::new(SimulatedFile {
            process: self.clone(),
            inode,
            writable: access == Access::Write,
        })
    }
}

impl Storage for Process {
    fn create(&self, name: &str) -> io::Result<Arc<dyn StorageFile>> {
        let inode = {
            let mut state = self.disk.0.lock();
            self.alive(&state)?;
            if state.names.contains_key(name) {
                return Err(ErrorKind::AlreadyExists.into());
            }
            state.add_inode(Inode::with(Vec::new()))
        };
        self.rename_or(Operation::Create, NameChange::Add(name.to_owned(), inode))?;
        Ok(self.file(inode, Access::Write))
    }

    fn open(&self, name: &str, access: Access) -> io::Result<Arc<dyn StorageFile>> {
        let state = self.disk.0.lock();
        self.alive(&state)?;
        Ok(self.file(state.number(name)?, access))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let inode = self.disk.0.lock().number(from)?;
        let change = NameChange::Rename(from.to_owned(), to.to_owned(), inode);
        self.rename_or(Operation::Rename, change)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.disk.0.lock().number(name)?;
        self.rename_or(Operation::Remove, NameChange::Remove(name.to_owned()))
    }

    fn list(&self) -> io::Result<Vec<String>> {
        let state = self.disk.0.lock();
        self.alive(&state)?;
        let mut names: Vec<_> = state.names.keys().cloned().collect();
        names.push(LOCK.to_owned());
        Ok(names)
    }

    fn sync_dir(&self) -> io::Result<()> {
        let mut state = self.disk.0.lock();
        match self.decide(&mut state, Operation::SyncDir)? {
            Fate::Done => {
                state.durable_names = state.names.clone();
                state.name_changes.clear();
                Ok(())
            }
            Fate::Failed(error) => Err(error),
        }
    }

    fn free_space(&self) -> io::Result<u64> {
        let state = self.disk.0.lock();
        self.alive(&state)?;
        Ok(state.capacity.saturating_sub(state.used()))
    }

    fn identity(&self, name: Option<&str>) -> io::Result<Identity> {
        let state = self.disk.0.lock();
        self.alive(&state)?;
        let inode = match name {
            None => state.directory_inode,
            Some(name) => state.number(name)?,
        };
        Ok(Identity {
            inode,
            born: Some(inode * 1_000),
        })
    }

    fn lock(&self) -> io::Result<LockOutcome> {
        let mut state = self.disk.0.lock();
        self.alive(&state)?;
        if state.locked {
            return Ok(LockOutcome::Held("process 1".to_owned()));
        }
        state.locked = true;
        Ok(LockOutcome::Taken(Box::new(SimulatedLock(self.clone()))))
    }

    fn holder(&self) -> io::Result<Option<String>> {
        let state = self.disk.0.lock();
        Ok(state.locked.then(|| "process 1".to_owned()))
    }
}

impl SimulatedFile {
    fn change(&self, operation: Operation, change: Change) -> io::Result<()> {
        let mut state = self.process.disk.0.lock();
        if !self.writable {
            return Err(ErrorKind::PermissionDenied.into());
        }
        let mut fate = self.process.decide(&mut state, operation)?;
        let (used, capacity) = (state.used(), state.capacity);
        let rng = state.rng.clone();
        let Some(inode) = state.inodes.get_mut(&self.inode) else {
            return Err(ErrorKind::NotFound.into());
        };
        let growth = change.end().saturating_sub(inode.current().len() as u64);
        if operation.takes_space() && growth > 0 && used + growth > capacity {
            fate = Fate::Failed(ErrorKind::StorageFull.into());
        }
        match fate {
            Fate::Done => {
                inode.change(change);
                Ok(())
            }
            Fate::Failed(error) => {
                if let Some(part) = change.some_part(&rng) {
                    inode.change(part);
                }
                Err(error)
            }
        }
    }
}

impl StorageFile for SimulatedFile {
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.change(Operation::Write, Change::Write(offset, bytes.to_vec()))
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let state = self.process.disk.0.lock();
        self.process.alive(&state)?;
        let inode = &state.inodes[&self.inode];
        let from = usize::try_from(offset).unwrap_or(usize::MAX);
        let there = inode.current().get(from..).unwrap_or_default();
        let count = there.len().min(buffer.len());
        buffer[..count].copy_from_slice(&there[..count]);
        Ok(count)
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut state = self.process.disk.0.lock();
        let fate = self.process.decide(&mut state, Operation::Sync)?;
        let dead = state.dead;
        let Some(inode) = state.inodes.get_mut(&self.inode) else {
            return Err(ErrorKind::NotFound.into());
        };
        match fate {
            Fate::Done => {
                inode.sync();
                Ok(())
            }
            Fate::Failed(error) => {
                if !dead {
                    inode.fail_sync();
                }
                Err(error)
            }
        }
    }

    fn allocate(&self, length: u64) -> io::Result<()> {
        self.change(Operation::Allocate, Change::Grow(length))
    }

    fn truncate(&self, length: u64) -> io::Result<()> {
        self.change(Operation::Truncate, Change::Cut(length))
    }

    fn len(&self) -> io::Result<u64> {
        let state = self.process.disk.0.lock();
        self.process.alive(&state)?;
        Ok(state.inodes[&self.inode].current().len() as u64)
    }
}
