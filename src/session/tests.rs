//! Whole sessions, with scripted peers.
