package capfile

import "fmt"

// linkNames are of the registry of link-layer header types.
var linkNames = map[uint16]string{
	0: "NULL", 1: "Ethernet", 6: "Token Ring", 7: "ARCNET", 8: "SLIP", 9: "PPP", 10: "FDDI", 12: "raw IP", 14: "raw IP",
	50: "PPP in HDLC", 51: "PPPoE", 101: "raw IP", 104: "Cisco HDLC", 105: "IEEE 802.11", 107: "Frame Relay", 108: "LOOP",
	109: "ENC", 113: "Linux cooked", 117: "PFLOG", 119: "IEEE 802.11 with Prism header", 127: "IEEE 802.11 with radiotap header",
	147: "USER0", 163: "IEEE 802.11 with AVS header", 187: "Bluetooth HCI H4", 189: "USB", 192: "PPI", 195: "IEEE 802.15.4",
	201: "Bluetooth HCI H4", 204: "PPP with direction", 220: "USB", 227: "CAN", 228: "IPv4", 229: "IPv6", 230: "IEEE 802.15.4",
	239: "NFLOG", 247: "InfiniBand", 249: "USB", 251: "Bluetooth LE", 253: "Netlink", 276: "Linux cooked, version 2",
}

// LinkName returns the name and the number of a link type, such as "IEEE 802.11 (105)".
func LinkName(link uint16) string {
	name, ok := linkNames[link]
	if !ok {
		name = "without a name here"
	}
	return fmt.Sprintf("%s (%d)", name, link)
}
