package mirror

import "maps"

// PortMap gives the origin port that recorders see for a session whose origin
// listens on the key. Recorders pick a dissector by port: they expect TLS on
// 993 and decode cleartext IMAP on 143. Ports without an entry stay as they are.
type PortMap map[uint16]uint16

var defaultPorts = PortMap{
	465:  25,   // SMTPS
	636:  389,  // LDAPS
	853:  53,   // DNS over TLS
	990:  21,   // FTPS
	993:  143,  // IMAPS
	995:  110,  // POP3S
	5223: 5222, // XMPP of clients (XEP-0368)
	5270: 5269, // of servers
}

// DefaultPortMap returns a new map from the ports of implicit TLS to the ports
// of the same protocols in clear. The caller may change it.
func DefaultPortMap() PortMap { return maps.Clone(defaultPorts) }

// KeepPorts returns a new map that changes no port at all.
func KeepPorts() PortMap { return PortMap{443: 443} }

// Map returns the port that recorders see. An entry for port decides. Without
// one, HTTP/2 (alpn "h2") on 443 becomes 80, since recorders that look for TLS
// on 443 try HTTP/2 on 80, and every other port stays: HTTP/1.1 is recognised
// anywhere. An entry 443->443 therefore keeps HTTP/2 where it was. A nil map
// is an empty one.
func (m PortMap) Map(port uint16, alpn string) uint16 {
	if to, ok := m[port]; ok {
		return to
	}
	if port == 443 && alpn == "h2" {
		return 80
	}
	return port
}
