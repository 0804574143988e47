// Package content keeps the octets of objects: each once, under its SHA-256.
//
// An [Object] takes octets while their hash is computed. Small ones stay in memory until
// they are complete. Others go to a spool file, which is renamed when the hash is known. If
// the object is already there, the spool file is removed.
//
// # Files
//
// Below the directory of a [Store], ab/abcd… is the object whose hash is abcd…, as it is.
// ab/abcd….zst is the same, compressed by Zstandard (RFC 8878) in frames of at most 256 KiB.
// spool/ has what is not complete; it is emptied when a store is opened. Names of files
// come from hashes only, never from what was captured.
//
// # Holes
//
// Octets that are lost read as zeros, and count as such in the hash. They take no space in
// a file that is not compressed. An object lists at most 1,000 holes.
//
// # Bounds
//
// All objects of a store that are under way hold [Options.Memory] octets at most. An object
// that grows beyond [Options.Size] is cut there.
package content
