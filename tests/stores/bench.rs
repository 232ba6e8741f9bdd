//! The stores, and how what they hold is spoiled from outside.

use tessds::persist::{DirStore, MemoryStore, PartRef, RunName, SnapshotStore, open};

use super::redis_server::RedisServer;

pub type Store = Box<dyn SnapshotStore>;

/// Damages a stored part.
type Damaging = dyn Fn(&RunName, &PartRef, Damage);

/// Opens handles of one store, and can spoil what is stored.
pub struct Bench {
    pub handle: Box<dyn Fn() -> Store + Send + Sync>,
    /// Cuts the last byte of a part off, or flips a bit of it.
    pub damage: Box<Damaging>,
}

#[derive(Clone, Copy)]
pub enum Damage {
    Flip,
    Truncate,
    Remove,
}

impl Damage {
    fn apply(self, bytes: &mut Vec<u8>) {
        match self {
            Self::Flip => bytes[7] ^= 4,
            Self::Truncate => bytes.truncate(bytes.len() - 1),
            Self::Remove => bytes.clear(),
        }
    }
}

fn part_name(part: &PartRef) -> String {
    format!("{:012}-{}-{}-{}", part.id.step, part.id.epoch.0, part.id.part, part.id.attempt)
}

/// Keeps a server or a folder alive.
pub type Guard = Box<dyn std::any::Any>;

pub fn memory() -> (Bench, Guard) {
    let store = MemoryStore::new();
    let spoiled = store.clone();
    let bench = Bench {
        handle: Box::new(move || Box::new(store.clone())),
        damage: Box::new(move |run, part, damage| {
            assert!(spoiled.damage_part(run, part.id, |bytes| damage.apply(bytes)));
        }),
    };
    (bench, Box::new(()))
}

pub fn directory() -> (Bench, Guard) {
    let folder = tempfile::tempdir().expect("a folder");
    let (root, spoiled) = (folder.path().join("a/store"), folder.path().join("a/store/runs"));
    let bench = Bench {
        handle: Box::new(move || Box::new(DirStore::new(&root))),
        damage: Box::new(move |run, part, damage| {
            let path = spoiled.join(run.as_str()).join("parts").join(part_name(part));
            if matches!(damage, Damage::Remove) {
                return std::fs::remove_file(path).expect("the part");
            }
            let mut bytes = std::fs::read(&path).expect("the part");
            damage.apply(&mut bytes);
            std::fs::write(path, bytes).expect("room");
        }),
    };
    (bench, Box::new(folder))
}

pub fn redis() -> (Bench, Guard) {
    let server = RedisServer::start(&[]);
    let url = server.url();
    let cli = server.client();
    let bench = Bench {
        handle: Box::new(move || open(&url).expect("an address")),
        damage: Box::new(move |run, part, damage| {
            let key = format!("tessds:{{{run}}}:part:{}", part_name(part));
            let mut link = cli.get_connection().expect("redis");
            if matches!(damage, Damage::Remove) {
                return ::redis::cmd("HDEL").arg(key).arg("0").exec(&mut link).expect("the part");
            }
            let mut bytes: Vec<u8> = ::redis::cmd("HGET").arg(&key).arg("0").query(&mut link).expect("the part");
            damage.apply(&mut bytes);
            ::redis::cmd("HSET").arg(key).arg("0").arg(bytes).exec(&mut link).expect("room");
        }),
    };
    (bench, Box::new(server))
}
