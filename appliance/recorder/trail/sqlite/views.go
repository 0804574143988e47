package sqlite

import "strings"

// Views show the rows of a day as people read them: strings in place of numbers, names as 32
// hexadecimal digits, times as text (UTC), addresses as hexadecimal digits.
var viewSchema = "create view events as select " + hexName("e.hi", "e.lo") + " id, " + hexName("s.hi", "s.lo") + " session, " + stamp("e.hi") + " at, " +
	named("k", "kind", "protocol") + ", lower(hex(" + addrOf(clientOf) + ")) client, " + cportOf + " client_port, lower(hex(" + addrOf(serverOf) + ")) server, " + sportOf + " server_port, " +
	named("k", "method") + ", " + named("e", "host") + ", " + longURI("e.uri") + " uri, k.status status, " + named("k", "type") + ", " + named("e", "agent") + ", " + longURI("e.referrer") + " referrer, " +
	named("e", "sender") + ", e.subject subject, e.message_id message_id, " + named("e", "user") + ", " + named("k", "mechanism", "outcome") + ", e.up octets_sent, e.down octets_received, e.answers answers" + fromEvents + ";\n" +
	"create view files as select " + hexName("e.hi", "e.lo") + " event, x.number number, case x.direction when 0 then 'sent' else 'received' end direction, lower(hex(x.hash)) sha256, x.name name, x.size size, " +
	named("x", "type", "ending") + ", x.part part from sighting x join event e on e.n=x.event;\n" +
	"create view findings as select " + hexName("e.hi", "e.lo") + " event, " + named("x", "detector") + ", x.count count, x.score score, x.sample sample, x.place place, lower(hex(x.hash)) sha256, " + named("x", "rule") +
	" from finding x join event e on e.n=x.event;\n" +
	"create view recipients as select " + hexName("e.hi", "e.lo") + " event, case x.role when 0 then 'rcpt' when 1 then 'from' when 2 then 'to' else 'cc' end role, " + named("x", "address") + " from party x join event e on e.n=x.event;\n"

// named are columns of numbers of strings, as strings of the same name.
func named(table string, columns ...string) string {
	var parts []string
	for _, c := range columns {
		parts = append(parts, strOf(table+"."+c)+" "+c)
	}
	return strings.Join(parts, ", ")
}

// hexName is the name of two numbers, see [halves].
func hexName(hi, lo string) string {
	return "printf('%016x%016x', " + hi + ", case when " + lo + "<0 then " + lo + "+9223372036854775807+1 else " + lo + "|(-9223372036854775807-1) end)"
}

// stamp is the time of nanoseconds.
func stamp(ns string) string {
	return "strftime('%Y-%m-%dT%H:%M:%S', " + ns + "/1000000000, 'unixepoch')||printf('.%09dZ', " + ns + "%1000000000)"
}
