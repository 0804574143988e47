package sqlite

// schemaVersion is that of the tables below, in PRAGMA user_version.
const schemaVersion = 1

// daySchema has the tables of a day. Addresses have 16 octets, IPv4 as in IPv6, so that a
// prefix is a range. Times are nanoseconds since 1970.
const daySchema = `
create table session(id blob primary key, at integer, end integer, source text, client blob, cport integer, server blob, sport integer,
	transport text, protocol text, vlan integer, tunnel text, up integer, down integer, gap_up integer, gap_down integer, packets integer,
	flags integer, open integer, stop text, sni text, alpn text, ja4 text, tls text, rule text, audit text, user text) without rowid;
create table event(n integer primary key, id blob unique, session blob, seq integer, at integer, kind text, protocol text,
	client blob, cport integer, server blob, sport integer, method text, host text, uri text, status integer, type text, agent text, referrer text,
	sender text, subject text, message_id text, user text, mechanism text, outcome text, up integer, down integer, answers text);
create table party(event blob, role integer, address text, primary key(event, role, address)) without rowid;
create table sighting(event blob, number integer, hash blob, at integer, direction integer, name text, raw_name text, type text, part text, field text,
	parent blob, ending text, size integer, primary key(event, number)) without rowid;
create table finding(id blob primary key, event blob, hash blob, at integer, rule text, detector text, count integer, score integer, sample text, place text) without rowid;
create table who(address blob, at integer, until integer, mac text, host text, user text, source text, primary key(address, at, source)) without rowid;
create table body(n integer primary key, hash blob unique);
create virtual table words using fts5(tokens, content='', detail=full, tokenize="unicode61 remove_diacritics 0");
create virtual table bodies using fts5(tokens, content='', detail=full, tokenize="unicode61 remove_diacritics 0");
create index session_open on session(open) where open;
create index event_at on event(at);
create index event_client on event(client, at);
create index sighting_hash on sighting(hash);
create index finding_event on finding(event);
`

// closedSchema has the indexes of a day that is over: they are cheaper to build at once.
const closedSchema = `
create index if not exists event_host on event(host collate nocase, at);
create index if not exists event_server on event(server, at);
create index if not exists event_session on event(session);
create index if not exists finding_detector on finding(detector collate nocase);
create index if not exists party_address on party(address collate nocase);
create index if not exists sighting_name on sighting(name collate nocase);
`

// lastClosed is the last one of them.
const lastClosed = "sighting_name"

const mainSchema = `
create table object(hash blob primary key, size integer, type text, first integer, last integer, stored integer, holes blob, more integer) without rowid;
create table pending(hash blob, work text, why text, at integer, primary key(hash, work)) without rowid;
create table cursor(one integer primary key check(one = 1), value blob);
`
