package dissector

import "slices"

// Reader says how tshark reads a protocol without TLS.
type Reader struct {
	Port       uint16   // where it is read
	Dissectors []string // those that read it, on whatever port they are
	// Heuristic says that tshark also recognises it by its octets. It does so on ports
	// without a dissector, and where TLS is expected but not found.
	Heuristic bool
}

// readers are by the words for protocols. Words of ALPN come first, where there are
// some (IANA, TLS ALPN Protocol IDs).
var readers = map[string]Reader{
	"http/1.1":   {80, []string{"http"}, true},
	"h2":         {80, []string{"http"}, false},
	"tls":        {443, []string{"tls"}, true},
	"imap":       {143, []string{"imap"}, false},
	"pop3":       {110, []string{"pop"}, false},
	"smtp":       {25, []string{"smtp"}, false},
	"ftp":        {21, []string{"ftp"}, false},
	"nntp":       {119, []string{"nntp"}, false},
	"irc":        {6667, []string{"irc"}, false},
	"xmpp":       {5222, []string{"xmpp"}, false},
	"dot":        {53, []string{"dns"}, false},
	"mqtt":       {1883, []string{"mqtt"}, false},
	"amqp":       {5672, []string{"amqp"}, false},
	"syslog":     {601, nil, false}, // RFC 3195; tshark has no dissector of syslog over TCP
	"ldap":       {389, []string{"ldap"}, false},
	"sip":        {5060, []string{"sip"}, true},
	"rtsp":       {554, []string{"rtsp"}, false},
	"ssh":        {22, []string{"ssh"}, false},
	"socks":      {1080, []string{"socks"}, false},
	"rdp":        {3389, []string{"tpkt"}, false},
	"vnc":        {5900, []string{"vnc"}, true},
	"mysql":      {3306, []string{"mysql"}, false},
	"postgresql": {5432, []string{"pgsql"}, false},
	"redis":      {6379, []string{"resp"}, false},
	"cassandra":  {9042, []string{"cql"}, false},
	"kafka":      {9092, []string{"kafka"}, false},
	"diameter":   {3868, []string{"diameter"}, false},
	"git":        {9418, []string{"git"}, false},
	"rsync":      {873, []string{"rsync"}, false},
}

// ReaderOf returns how tshark reads a protocol; false if it does not, or the word is
// not known.
func ReaderOf(protocol string) (Reader, bool) {
	r, ok := readers[protocol]
	return r, ok
}

// Reads reports whether tshark reads the protocol on a port.
func (r Reader) Reads(port uint16) bool {
	d := Of(port)
	if d == "" || d == TLS {
		return r.Heuristic || slices.Contains(r.Dissectors, d) || port == r.Port
	}
	return slices.Contains(r.Dissectors, d)
}
