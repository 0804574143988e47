package clickhouse

// tables are made if they are not there. Addresses have 16 octets, IPv4 as in IPv6, so that a
// prefix is a range. Times are nanoseconds since 1970. day is that of the time in the
// identifier, in days since 1970.
var tables = []string{
	`create table if not exists session(day UInt32, id FixedString(16), version UInt64, at Int64, until Int64, source String,
	client FixedString(16), cport UInt16, server FixedString(16), sport UInt16, transport String, protocol String, vlan UInt16, tunnel String,
	up UInt64, down UInt64, gap_up UInt64, gap_down UInt64, packets UInt64, flags UInt8, open UInt8, stop String,
	sni String, alpn String, ja4 String, tls String, rule String, audit String, user String)
	engine=ReplacingMergeTree(version) partition by day order by id`,
	`create table if not exists event(day UInt32, id FixedString(16), version UInt64, session FixedString(16), seq UInt64, at Int64, kind String, protocol String,
	client FixedString(16), cport UInt16, server FixedString(16), sport UInt16, method String, host String, uri String, status Int64, type String,
	agent String, referrer String, sender String, subject String, message_id String, roles Array(UInt8), parties Array(String),
	user String, mechanism String, outcome String, up UInt64, down UInt64, answers String, words String)
	engine=ReplacingMergeTree(version) partition by day order by id`,
	`create table if not exists sighting(day UInt32, event FixedString(16), number UInt32, version UInt64, hash FixedString(32), at Int64, direction UInt8,
	name String, raw_name String, type String, part String, field String, parent FixedString(32), ending String, size UInt64)
	engine=ReplacingMergeTree(version) partition by day order by (event, number)`,
	`create table if not exists finding(day UInt32, event FixedString(16), id FixedString(16), version UInt64, hash FixedString(32), at Int64,
	rule String, detector String, count UInt64, score Int64, sample String, place String)
	engine=ReplacingMergeTree(version) partition by day order by (event, id)`,
	`create table if not exists object(hash FixedString(32), stored UInt64, holes String, version UInt64, size UInt64, type String, first Int64, more UInt64)
	engine=ReplacingMergeTree(version) order by (hash, stored, holes)`,
	`create table if not exists contents(day UInt32, hash FixedString(32), version UInt64, words String)
	engine=ReplacingMergeTree(version) partition by day order by hash`,
	`create table if not exists who(day UInt32, address FixedString(16), at Int64, until Int64, version UInt64, mac String, host String, user String, source String)
	engine=ReplacingMergeTree(version) partition by day order by (address, at, source)`,
	`create table if not exists pending(hash FixedString(32), work String, version UInt64, why String, at Int64)
	engine=ReplacingMergeTree(version) order by (hash, work)`,
	`create table if not exists cursor(one UInt8, version UInt64, value String) engine=ReplacingMergeTree(version) order by one`,
}
