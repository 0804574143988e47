// Package trail says what a recorder notes of what it saw: sessions, events, objects,
// sightings, findings, and who was behind an address. A [Store] keeps the rows of a [Batch]
// and answers questions about them.
//
// # Words
//
// A session is one transport connection. An event is one thing that was done in it: a
// request with its answer, a mail message, an operation on a file, a name that was looked
// up, a login. An object is the octets of one file or body, named by their SHA-256. A
// sighting is an object in an event, under a name, sent or received. A finding is personal
// or confidential data in an object.
//
// # Writing
//
// Rows are written in batches. A batch is one transaction: either all of its rows are there
// with its cursor, or none of them. Each row has a key that follows from the packets, so
// that a batch may be written again: rows that are already there are replaced.
//
// The package knows neither protocols nor the form in which a store keeps rows.
package trail
