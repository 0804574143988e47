// Package watch knows what happens now: the sessions that are open, and the last ones that
// ended. Operators list them by a [query.Query], follow them, and end them.
//
// Nothing here makes a session wait for an operator. Open sessions stand in shards, and a
// list takes one shard after the other, for as long as it takes to copy pointers. Ended
// ones stand in a ring of compact rows; a list copies some hundred at a time. A
// subscriber that does not read misses events, which are counted.
package watch
