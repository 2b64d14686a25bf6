//! The only `unsafe` of the program: thin safe wrappers, one per system call that nix and std do not offer.
//!
//! A wrapper takes and returns owned or borrowed descriptors, never bare numbers of unknown owner; it reports the
//! kernel's errno as [`std::io::Error`] and decides nothing. Every `unsafe` block says why it is sound.
#![allow(unsafe_code)]

#[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
compile_error!("caponier knows the system calls of Linux on x86-64 only");

pub mod descriptor;
pub mod diag;
pub mod errno;
pub mod hostile;
pub mod landlock;
pub mod lookup;
pub mod memory;
pub mod metadata;
pub mod names;
pub mod path;
pub mod process;
pub mod seccomp;
pub mod socket;
pub mod syscall;
pub mod tcp;
pub mod terminal;
pub mod tree;
pub mod uring;
pub mod watch;
