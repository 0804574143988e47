// Package filter compiles capture filters, as pcap-filter(7) has them, for the kernel.
//
// It takes the terms that a recorder needs: host, net, port and portrange with src and dst; ip,
// ip6, arp, tcp, udp, sctp, icmp and icmp6; ether host, ether proto, ip proto, ip6 proto; vlan;
// less and greater; with and, or, not and parentheses. As there, and and or bind equally and
// from the left, and a value alone has the words of the one before it: "tcp port 80 or 443".
// Hosts and ports are numbers. Other terms are errors.
//
// Frames are those of Ethernet. The kernel takes the outer tag of a VLAN out of a frame, and
// programs for it look for it beside the frame, too: "vlan" finds it in both places. As in
// libpcap, other terms look behind a tag only when they stand behind the word vlan.
package filter
