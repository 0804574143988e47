// Package clickhouse keeps a trail in a ClickHouse server, for more events than one box
// answers for. It speaks the HTTP interface, from release 18.16 on.
//
// # Rows
//
// The tables are as those of package sqlite, with a partition a day (UTC). Each row has the
// version of its batch. The server replaces rows of the same key in the background, and the
// store reads the newest version only.
//
// # Writing
//
// The server has no transactions. The rows of a batch go first, the cursor last, so that a
// batch of which only a part came is written again, with the same keys.
//
// If the server does not answer, a batch is kept in a directory, and is there for good. It is
// sent when the server answers again, in order, in front of what comes later. Until then a
// question does not find its rows. If the directory is full, Write fails.
//
// # Questions
//
// A value never stands in a statement as it came: it is written in hexadecimal digits. A
// question goes to the days, the newest first, to more of them at once each time.
//
// A [Store] is safe for concurrent use. One process writes; others may read.
package clickhouse
