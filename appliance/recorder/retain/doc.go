// Package retain says what a recorder keeps for how long, and knows the objects that it keeps.
//
// A [Policy] bounds each [Class] by age and by size. The oldest goes first. An object that
// was seen in several ways belongs to the class that keeps it longest. Objects of a case are
// pinned: no bound removes them.
//
// # Files
//
// An [Index] is a SQLite file. For each object it has the size on the disk, and when it was
// last seen in each class. The recorder removes; the package says what.
package retain
