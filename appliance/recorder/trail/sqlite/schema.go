package sqlite

// schemaVersion is that of the tables below, in PRAGMA user_version.
const schemaVersion = 2

// daySchema has the tables of a day. Strings that come again are numbers of table str, whose h is
// a hash of the string in lower case; addresses are numbers of addr. 0 is the empty one. Names of events and sessions
// are two numbers: nanoseconds since 1970, and the rest, in the order of names. Other times are
// nanoseconds behind that of the name. SQLite keeps small numbers in few octets, and 0 in none.
//
// The index words has what is read in an event, and its keys, see [keys]: its lists take a third
// of what an index of a table does.
//
// A uri or referrer that begins with http:// or https:// and the host is kept as "h" or "s" and
// what follows, others behind "-". A session without a source is one whose row is not there: it
// may be in another day.
const daySchema = `
create table str(n integer primary key, h integer, s text);
create table addr(n integer primary key, a blob unique);
create table sort(n integer primary key, source integer, transport integer, protocol integer, vlan integer, tunnel integer, flags integer, stop integer, alpn integer, tls integer, rule integer,
	unique(source, transport, protocol, vlan, tunnel, flags, stop, alpn, tls, rule));
create table session(n integer primary key, hi integer, lo integer, sort integer, late integer, lasts integer, client integer, cport integer, server integer, sport integer,
	up integer, down integer, gap_up integer, gap_down integer, packets integer, open integer, sni integer, ja4 integer, audit text, user integer);
create table shape(n integer primary key, kind integer, protocol integer, method integer, status integer, type integer, mechanism integer, outcome integer,
	unique(kind, protocol, method, status, type, mechanism, outcome));
create table event(n integer primary key, hi integer, lo integer, session integer, seq integer, shape integer,
	client integer, cport integer, server integer, sport integer, host integer, uri text, agent integer, referrer text,
	sender integer, subject text, message_id text, user integer, up integer, down integer, answers text);
create table party(event integer, role integer, address integer, primary key(event, role, address)) without rowid;
create table sighting(event integer, number integer, hash blob, late integer, direction integer, name text, raw_name text, type integer, part text, field integer,
	parent, ending integer, size integer, primary key(event, number)) without rowid;
create table finding(id blob primary key, event integer, hash blob, at integer, rule integer, detector integer, count integer, score integer, sample text, place text) without rowid;
create table who(address blob, at integer, until integer, mac text, host text, user text, source text, primary key(address, at, source)) without rowid;
create table hour(hour integer, kind integer, events integer, up integer, down integer, primary key(hour, kind)) without rowid;
create table top(field integer, value integer, events integer, up integer, down integer, primary key(field, value)) without rowid;
create table body(n integer primary key, hash blob);
create virtual table words using fts5(tokens, content='', columnsize=0, detail=full, tokenize="unicode61 remove_diacritics 0");
create virtual table bodies using fts5(tokens, content='', columnsize=0, detail=full, tokenize="unicode61 remove_diacritics 0");
create index str_h on str(h);
create index body_hash on body(substr(hash,1,6));
create index session_open on session(open) where open;
create index event_hi on event(hi);
create index session_hi on session(hi);
create index sighting_hash on sighting(substr(hash,1,6));
create index finding_event on finding(event);
`

// closedSchema has the indexes of a day that is over: they are cheaper to build at once.
const closedSchema = `
create index if not exists finding_detector on finding(detector);
create index if not exists party_address on party(address);
`

// lastClosed is the last one of them.
const lastClosed = "party_address"

const mainSchema = `
create table str(n integer primary key, h integer, s text);
create index str_h on str(h);
create table object(hash blob primary key, size integer, type integer, first integer, last integer, stored integer, holes blob, more integer) without rowid;
create table pending(hash blob, work text, why text, at integer, primary key(hash, work)) without rowid;
create table cursor(one integer primary key check(one = 1), value blob);
`

// hashBegin are the octets of a hash in indexes.
const hashBegin = 6
