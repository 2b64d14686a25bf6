//! The network broker: names and addresses, the resolver, and the way out.
//!
//! Theory of operation. A server has sockets and no network: its `connect` is judged by `notify`, which asks here
//! ([`Broker::judge`]). The way to a name begins at the resolver: the server's own libraries ask ours, over TCP; a name that
//! is not listed is answered at once and never asked for upstream; one that is listed is resolved with the system's resolver,
//! each address is checked, and what remains is remembered ([`book`]). A connection to a remembered address on port 443
//! or 80 is led through a listener of ours ([`passage`]), which reads the first bytes and requires them to name a host of that
//! address; on other ports the server's socket itself is connected. RFC 1035, 6066, 9112; `seccomp_unotify(2)`.
//!
//! Everything here runs on one thread of its own, so that no number of connections holds up the relay or the notify loop.

mod book;
mod crossing;
mod direct;
mod hello;
mod passage;
mod pump;
mod question;
mod rates;
mod record;
mod requests;
mod resolver;
mod upstream;

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Instant;

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use tokio::runtime::Handle;
use tokio::sync::oneshot;

use crate::event::Emitter;
use crate::network::book::Book;
use crate::network::crossing::Crossing;
use crate::network::direct::Direct;
use crate::network::passage::Pending;
use crate::network::rates::Rates;
use crate::policy::address::{Place, canonical, place};
use crate::policy::host::Name;
use crate::policy::network::Network;
use crate::policy::reason::Reason;
use crate::policy::verdict::{Denial, Layer, Remedy};
use crate::sys::{diag, errno, tcp};

pub use crate::network::record::Asker;

/// Where the injected `/etc/resolv.conf` sends questions.
pub const RESOLVER: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(127, 0, 0, 53)), 53);

/// The file that a server finds as `/etc/resolv.conf`. glibc, c-ares and Go ask over TCP when it says so; musl does not
/// know the option, and has the names of the injected `/etc/hosts` alone.
pub const RESOLV_CONF: &str = "nameserver 127.0.0.53\noptions use-vc timeout:1 attempts:1\n";

/// Ports on which the first bytes are looked at.
const VERIFIED: [u16; 2] = [443, 80];

/// Which way a connection goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Way {
    /// To our resolver.
    Resolver,
    /// The server's socket, to this address.
    Direct(Target),
    /// Through the passage, for one of these names.
    Verify(Target, Vec<Name>),
}

/// What is connected to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The name, when one is known; the first of several.
    pub host: Option<String>,
    /// As the server sees it: what `getpeername` says.
    pub asked: SocketAddr,
    /// The address that is spoken to.
    pub address: SocketAddr,
}

impl Target {
    /// Whether it is another machine's.
    pub(crate) fn leaves_this_machine(&self) -> bool {
        place(self.address.ip()) != Place::Loopback
    }
}

/// A refused connection: what it was to, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// The name, when one is known.
    pub host: Option<String>,
    /// Why.
    pub denial: Denial,
    /// What the caller gets.
    pub errno: i32,
}

/// The server's end of a connection.
#[derive(Debug)]
pub struct Caller {
    /// A copy of its socket.
    pub socket: OwnedFd,
    /// Whose it is.
    pub asker: Asker,
}

/// How a `connect` ends.
pub enum Connected {
    /// Like this, now; 0 is success.
    Now(i32),
    /// Later: whoever was handed the answer gives it.
    Later,
}

/// Gives the answer of a call that could not be answered at once: an errno, 0 for success.
pub type Answer = Box<dyn FnOnce(i32) + Send>;

/// What all connections of a session share.
pub(crate) struct Shared {
    policy: Network,
    emitter: Emitter,
    book: Mutex<Book>,
    rates: Mutex<Rates>,
    /// Connections that were made and not taken yet, by the source port of the server's end.
    doors: Mutex<HashMap<Door, Pending>>,
    /// What `getpeername` says of a socket that leads to us, by its cookie.
    peers: Mutex<HashMap<u64, SocketAddr>>,
    live: AtomicU32,
    direct: Direct,
    passage: SocketAddr,
    passage6: Option<SocketAddr>,
    resolver: SocketAddr,
    refusing: (OwnedFd, SocketAddr),
}

/// One end of a connection to us: which of our listeners, and the other end's port.
type Door = (u16, u16);

/// Records without a network broker: where there is none, something is refused all the same.
pub fn record(emitter: &Emitter) -> record::Record<'_> {
    record::Record { emitter }
}

/// One session's network broker.
pub struct Broker {
    shared: Arc<Shared>,
    runtime: Handle,
    stop: Mutex<Option<(oneshot::Sender<()>, JoinHandle<()>)>>,
}

impl Broker {
    /// Starts it, with its thread and its listeners.
    pub fn start(policy: Network, emitter: Emitter) -> io::Result<Arc<Broker>> {
        // Each connection holds two descriptors of ours.
        let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
        setrlimit(Resource::RLIMIT_NOFILE, hard, hard)?;
        let passage = listener(Ipv4Addr::LOCALHOST.into())?;
        // A machine without IPv6 needs none.
        let passage6 = listener(Ipv6Addr::LOCALHOST.into()).ok();
        let resolver = listener(Ipv4Addr::LOCALHOST.into())?;
        let (direct, ends) = Direct::new(diag::ends());
        let shared = Arc::new(Shared {
            rates: Mutex::new(Rates::new(policy.rate)),
            policy,
            emitter,
            book: Mutex::default(),
            doors: Mutex::default(),
            peers: Mutex::default(),
            live: AtomicU32::new(0),
            direct,
            passage: passage.local_addr()?,
            passage6: passage6.as_ref().map(TcpListener::local_addr).transpose()?,
            resolver: resolver.local_addr()?,
            refusing: tcp::refusing()?,
        });
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .enable_time()
            .max_blocking_threads(upstream::LOOKUPS)
            .build()?;
        let handle = runtime.handle().clone();
        let settling = Arc::downgrade(&shared);
        shared.emitter.calls().settle_with(Box::new(move || {
            if let Some(shared) = settling.upgrade() {
                shared.settle_direct();
            }
        }));
        let (stop, stopped) = oneshot::channel();
        let own = Arc::clone(&shared);
        let run = move || {
            runtime.block_on(async {
                let passages = [Some(passage), passage6].into_iter().flatten();
                for listener in passages.chain([resolver]) {
                    passage::accept(&own, listener);
                }
                if let Some(ends) = ends {
                    direct::hear(&own, ends);
                }
                // Dropped without a word: the session is over too.
                let _ = stopped.await;
            });
            own.end_all_direct();
            // What still runs is cut off, and says so in the log; a look-up that hangs is left behind.
            runtime.shutdown_background();
            // Those that were made and never taken: each holds what holds it, so nothing else would end them.
            let waiting = std::mem::take(&mut *lock(&own.doors));
            drop(waiting);
        };
        let thread = std::thread::Builder::new().name("network".into()).spawn(run)?;
        Ok(Arc::new(Broker { shared, runtime: handle, stop: Mutex::new(Some((stop, thread))) }))
    }

    /// Ends every connection, each with its last line. Once the server's tree is gone.
    pub fn stop(&self) {
        if let Some((stop, thread)) = lock(&self.stop).take() {
            let _ = stop.send(());
            if thread.join().is_err() {
                tracing::error!("the network's thread ended in a panic");
            }
        }
    }

    /// The policy that is enforced.
    pub fn policy(&self) -> &Network {
        &self.shared.policy
    }

    /// Whether, and how, an address may be connected to.
    pub fn judge(&self, asked: SocketAddr) -> Result<Way, Refused> {
        self.shared.judge(asked)
    }

    /// What `getpeername` says of a socket that leads to us.
    pub fn peer(&self, cookie: u64) -> Option<SocketAddr> {
        lock(&self.shared.peers).get(&cookie).copied()
    }

    /// Connects a socket itself, where `at` is the target as the socket knows it. Blocks when the socket does. An errno; 0 is
    /// success.
    pub fn connect_directly(
        &self,
        socket: BorrowedFd<'_>,
        asker: Asker,
        target: Target,
        at: SocketAddr,
    ) -> i32 {
        let cookie = tcp::cookie(socket).unwrap_or(0);
        self.shared.begin_direct(cookie, asker, target, at);
        let errno = tcp::connect(socket, at).map_or_else(|error| errno::of(&error), |()| 0);
        self.shared.attempted_direct(cookie, errno, tcp::local(socket).ok());
        errno
    }

    /// Leads a socket to the resolver.
    pub fn to_resolver(&self, caller: Caller) -> Connected {
        Connected::Now(self.shared.through(&caller.socket.as_fd(), self.shared.resolver, |_| {
            Pending::Resolver(caller.asker.clone())
        }))
    }

    /// Leads a socket through the passage. The other side is dialled first, so that what it answers is what the server
    /// hears; only a socket that does not wait is not kept waiting.
    pub fn verify(&self, caller: Caller, target: Target, names: Vec<Name>, answer: Answer) -> Connected {
        let waits = !tcp::is_nonblocking(caller.socket.as_fd()).unwrap_or(true);
        let upstream = match tcp::start(target.address) {
            Ok(upstream) => upstream,
            Err(error) => return Connected::Now(self.shared.unreachable(&caller, &target, &error)),
        };
        match tcp::settled(upstream.as_fd()) {
            Some(Err(error)) => Connected::Now(self.shared.unreachable(&caller, &target, &error)),
            None if waits => {
                let shared = Arc::clone(&self.shared);
                self.runtime.spawn(async move {
                    let errno = match passage::arrival(upstream).await {
                        Ok(upstream) => shared.pass(caller, target, names, upstream),
                        Err(error) => shared.unreachable(&caller, &target, &error),
                    };
                    answer(errno);
                });
                Connected::Later
            }
            _ => Connected::Now(self.shared.pass(caller, target, names, upstream)),
        }
    }

    /// The names that the injected `/etc/hosts` has, resolved now, each address checked; handed to `done` on another thread.
    pub fn hosts(&self, asker: Asker, done: Box<dyn FnOnce(String) + Send>) {
        let shared = Arc::clone(&self.shared);
        self.runtime.spawn(async move { done(resolver::hosts(&shared, &asker).await) });
    }

    /// Whether another connection to this host may begin now.
    pub fn admit(&self, target: &Target) -> Result<(), Refused> {
        self.shared.admit(target)
    }

    /// The record of a connection that was allowed or refused.
    pub fn record(&self) -> record::Record<'_> {
        record(&self.shared.emitter)
    }

    /// Where nobody listens, as a socket knows it.
    pub fn nowhere(&self, socket: BorrowedFd<'_>) -> SocketAddr {
        self.shared.as_the_socket_knows_it(socket, self.shared.refusing.1)
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Shared {
    fn judge(&self, asked: SocketAddr) -> Result<Way, Refused> {
        let port = asked.port();
        // The kernel takes "any address" of a connect for this machine.
        let address = match canonical(asked.ip()) {
            IpAddr::V4(Ipv4Addr::UNSPECIFIED) => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(Ipv6Addr::UNSPECIFIED) => Ipv6Addr::LOCALHOST.into(),
            address => address,
        };
        let target = |host: Option<String>| Target { host, asked, address: SocketAddr::new(address, port) };
        if SocketAddr::new(address, port) == RESOLVER {
            return Ok(Way::Resolver);
        }
        if self.policy.is_local(address, port).is_some() {
            return Ok(Way::Direct(target(None)));
        }
        if self.policy.literal(address, port).is_some() {
            return Ok(Way::Direct(target(None)));
        }
        let known = lock(&self.book).names(address, Instant::now());
        let allowed: Vec<Name> = known
            .iter()
            .filter(|name| {
                self.policy.allows(name, port).is_some_and(|grant| self.policy.permits(grant, address))
            })
            .cloned()
            .collect();
        match (allowed.first(), known.first()) {
            (Some(first), _) => {
                let target = target(Some(first.to_string()));
                let verified = VERIFIED.contains(&port) && place(address) != Place::Loopback;
                Ok(if verified { Way::Verify(target, allowed) } else { Way::Direct(target) })
            }
            (None, Some(name)) => Err(Refused {
                host: Some(name.to_string()),
                denial: record::not_left(&self.policy, name, Some(port)),
                errno: libc::EACCES,
            }),
            (None, None) => {
                let denial = match self.policy.why_address_taken(address, port) {
                    Some(why) => Denial { remedy: Remedy::WhyNot(why), ..unknown(address, port) },
                    None => unknown(address, port),
                };
                Err(Refused { host: None, denial, errno: libc::EACCES })
            }
        }
    }

    fn admit(&self, target: &Target) -> Result<(), Refused> {
        let refused = |reason, line: String| Refused {
            host: target.host.clone(),
            denial: Denial { reason, layer: Layer::Network, remedy: Remedy::Line(line) },
            errno: libc::EAGAIN,
        };
        let most = self.policy.connections;
        if self.live.load(Ordering::Relaxed) >= most {
            let line = format!("network.connections = {}", most.saturating_mul(2));
            return Err(refused(Reason::NetLimitConnections, line));
        }
        let address = target.address.ip().to_string();
        if !lock(&self.rates).take(target.host.as_deref().unwrap_or(&address), Instant::now()) {
            let line = self.policy.rate.map_or_else(String::new, |rate| {
                let doubled = crate::policy::tools::Rate { count: rate.count.saturating_mul(2), ..rate };
                format!("network.rate = \"{doubled}\"")
            });
            return Err(refused(Reason::NetLimitRate, line));
        }
        Ok(())
    }

    /// The other side cannot be reached: the server's socket hears what ours heard. A refusal is heard at a port of ours where
    /// nobody listens, so that a socket that does not wait hears it when and how it would elsewhere.
    fn unreachable(&self, caller: &Caller, target: &Target, error: &io::Error) -> i32 {
        let errno = errno::of(error);
        let record = record(&self.emitter);
        if record.connect(&caller.asker, target, crate::event::Backend::Verify, None, errno).is_err() {
            return libc::EIO;
        }
        if errno != libc::ECONNREFUSED {
            return errno;
        }
        let nobody = self.as_the_socket_knows_it(caller.socket.as_fd(), self.refusing.1);
        tcp::connect(caller.socket.as_fd(), nobody).map_or_else(|error| errno::of(&error), |()| errno)
    }

    /// Leads a socket through the passage, to an other side that was dialled.
    fn pass(self: &Arc<Self>, caller: Caller, target: Target, names: Vec<Name>, upstream: OwnedFd) -> i32 {
        let Caller { socket, asker } = caller;
        let is_six = tcp::kind(socket.as_fd()).is_ok_and(|(domain, ..)| domain == libc::AF_INET6);
        let door = match self.passage6.filter(|_| is_six && canonical(target.asked.ip()).is_ipv6()) {
            Some(door) => door,
            None => self.passage,
        };
        let shared = Arc::clone(self);
        let cookie = tcp::cookie(socket.as_fd()).unwrap_or(0);
        self.through(&socket.as_fd(), door, |_| {
            Pending::Verify(Box::new(Crossing::new(shared, cookie, asker, target, names, upstream)))
        })
    }

    /// Connects a socket of the server's to a listener of ours and leaves word of it there, in one step: whoever takes the
    /// connection looks for the word under the same lock.
    fn through(&self, socket: &BorrowedFd<'_>, to: SocketAddr, word: impl FnOnce(u16) -> Pending) -> i32 {
        let at = self.as_the_socket_knows_it(*socket, to);
        let mut doors = lock(&self.doors);
        let errno = match tcp::connect(*socket, at) {
            Ok(()) => 0,
            Err(error) => errno::of(&error),
        };
        if matches!(errno, 0 | libc::EINPROGRESS)
            && let Ok(local) = tcp::local(*socket)
        {
            doors.insert((to.port(), local.port()), word(local.port()));
        }
        errno
    }

    /// An IPv4 address in IPv6 dress, for a socket that knows no other.
    fn as_the_socket_knows_it(&self, socket: BorrowedFd<'_>, address: SocketAddr) -> SocketAddr {
        match (tcp::kind(socket), address.ip()) {
            (Ok((libc::AF_INET6, ..)), IpAddr::V4(four)) => {
                SocketAddr::new(four.to_ipv6_mapped().into(), address.port())
            }
            _ => address,
        }
    }
}

/// An address that no allowed name gave.
fn unknown(address: IpAddr, port: u16) -> Denial {
    let host = crate::policy::host::Host::Address(address);
    let (reason, remedy) = match place(address) {
        Place::Public => {
            let line = format!("network.allow = [\"{host}:{port}\"]");
            (Reason::NetAddressNotResolved, Remedy::Line(line))
        }
        Place::Private => {
            let line = format!("network.allow = [{{ host = \"{host}:{port}\", private = true }}]");
            (Reason::NetAddressPrivate, Remedy::Line(line))
        }
        Place::Loopback => {
            (Reason::NetAddressPrivate, Remedy::Line(format!("network.local = [\"{host}:{port}\"]")))
        }
        Place::Never => {
            let why = "no profile can grant it: it is link-local, a metadata service, or no host's address";
            (Reason::NetAddressPrivate, Remedy::WhyNot(why.to_owned()))
        }
    };
    Denial { reason, layer: Layer::Network, remedy }
}

fn listener(address: IpAddr) -> io::Result<TcpListener> {
    let listener = TcpListener::bind(SocketAddr::new(address, 0))?;
    // As many as the kernel lets wait: a connect of the server's must never wait for us.
    tcp::listen(listener.as_fd(), tcp::longest_backlog())?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// A panic elsewhere leaves tables that are valid after each statement.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
