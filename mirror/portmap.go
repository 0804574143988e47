package mirror

import "github.com/clearspan/clearspan/mirror/internal/dissector"

// PortMap gives the origin port that recorders see for a session whose origin listens
// on port and whose cleartext is of a protocol. Recorders pick a dissector by port:
// they expect TLS on 993 and decode cleartext IMAP on 143.
//
// Words for protocols are those of ALPN ("h2", "http/1.1", "imap", "pop3", "mqtt"), or
// else plain ones ("smtp", "ldap", "amqp", "mysql"); "tls" stands for what is not
// opened. "" is a protocol that is not known.
type PortMap func(port uint16, protocol string) uint16

// implicit are the ports of implicit TLS, with those of the same protocols in clear.
var implicit = map[uint16]uint16{
	324:   323,   // RPKI to Router
	322:   554,   // RTSPS
	465:   25,    // SMTPS
	563:   119,   // NNTPS
	636:   389,   // LDAPS
	802:   502,   // Modbus
	853:   53,    // DNS over TLS
	989:   20,    // data of FTPS
	990:   21,    // FTPS
	992:   23,    // TELNETS
	993:   143,   // IMAPS
	994:   6667,  // IRCS
	995:   110,   // POP3S
	1300:  1720,  // H.225
	2221:  44818, // EtherNet/IP
	2443:  2000,  // Skinny
	2484:  1521,  // Oracle
	2762:  104,   // DICOM
	3249:  3245,  // OPA fabric executive
	3250:  3246,
	3251:  3247,
	3252:  3248,
	3269:  3268,  // LDAPS of a global catalog
	3496:  13400, // DoIP
	4740:  4739,  // IPFIX
	4843:  4840,  // OPC UA
	5061:  5060,  // SIPS
	5223:  5222,  // XMPP of clients (XEP-0368)
	5270:  5222,  // XMPP of servers
	5349:  3478,  // STUNS
	5671:  5672,  // AMQPS
	5684:  5683,  // CoAP
	5868:  3868,  // Diameter
	6380:  6379,  // Redis
	6514:  601,   // syslog
	6697:  6667,  // IRCS
	8883:  1883,  // MQTTS
	9093:  9092,  // Kafka
	9142:  9042,  // Cassandra
	10161: 161,   // SNMP
	10162: 162,
	11207: 11210, // Couchbase
	19999: 20000, // DNP3
}

// ClearPorts is the map by protocol, whatever the port is. A session stays on its port
// if tshark reads the protocol there. Else it is shown on the port where tshark reads
// it: HTTP/2 on 80. If the protocol is not known, the port of implicit TLS tells it:
// 8883 becomes 1883. All other ports stay.
func ClearPorts(port uint16, protocol string) uint16 {
	if r, ok := dissector.ReaderOf(protocol); ok {
		if r.Reads(port) {
			return port
		}
		return r.Port
	}
	if to, ok := implicit[port]; ok && protocol == "" {
		return to
	}
	return port
}

// KeepPorts is the map that changes no port at all.
func KeepPorts(port uint16, _ string) uint16 { return port }

// MapPorts returns a map from true ports to shown ports, of which it keeps no copy. An
// entry decides. Without one, HTTP/2 is shown where [ClearPorts] shows it, and every
// other protocol on its true port.
func MapPorts(entries map[uint16]uint16) PortMap {
	return func(port uint16, protocol string) uint16 {
		if to, ok := entries[port]; ok {
			return to
		}
		if protocol == "h2" {
			return ClearPorts(port, protocol)
		}
		return port
	}
}
