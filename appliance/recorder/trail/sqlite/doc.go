// Package sqlite keeps a trail in SQLite: a file a day, and one for what belongs to no day.
//
// # Files
//
// DIRECTORY/2026-11-02.db has the rows of events that began on that day (UTC).
// DIRECTORY/main.db has the objects and the cursor. A day is forgotten by the removal of its
// file, see [Store.Forget].
//
// # Writing
//
// A batch is a transaction in each day that it concerns, then one in main.db, with the
// cursor. All are synchronous. If the process dies between them, the cursor still stands in
// front of the batch, whose rows are then written again. They have the same keys.
//
// An open day has few indexes, since they make writing slower. The others are built when rows
// of a later day come.
//
// # Search
//
// Text is found by tokens ([trail.Tokens]) in an index of SQLite's FTS5 that keeps no text. A
// question goes to the days one by one, the newest first, and ends when there are enough
// events.
//
// A [Store] is safe for concurrent use. One process writes; others may read.
package sqlite
