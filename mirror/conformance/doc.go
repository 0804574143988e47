// Package conformance tells whether a feed of decrypted traffic is ready for
// recorders. Zeek, Suricata, Arkime, tshark, tcpflow and similar programs read such a
// feed completely and correctly.
//
// A [Checker] takes Ethernet frames in the order of the capture and follows the TCP
// conversations in them. It checks them against a fixed list of rules, [Rules]. Its
// [Report] has a line for each rule: the number of checks and faults, the first
// faults, and their effect on recorders.
//
// The feed may be from any program. The package does not import package mirror: it
// judges the frames of that package with code of its own.
//
// Memory is bounded for any input. The checker follows [Options.Conversations] at a
// time. For a new one it gives up the one that was quiet for longest. The faults
// found up to then count. It does not judge the end of such a conversation.
package conformance
