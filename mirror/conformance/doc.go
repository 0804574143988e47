// Package conformance tells whether a feed of decrypted traffic is ready for
// recorders: whether Zeek, Suricata, Arkime, tshark, tcpflow and their like read
// everything that the frames mean to say.
//
// A [Checker] takes Ethernet frames in the order of the capture, follows the TCP
// conversations in them, and holds them against a fixed list of rules, [Rules].
// Its [Report] has a line for each rule: how often it was looked at, how often
// it was broken, the first offenders, and what which recorder makes of it.
// [Source] reads captures, pcap and pcapng.
//
// The feed may be anybody's. The package imports the standard library only, and
// not package mirror: it judges that package's frames with code of its own.
//
// Memory is bounded on any input: [Options.Conversations] are followed at a
// time, the one quiet for longest is given up for a new one. What was judged up
// to then counts; its end is not judged.
package conformance
