// Package smb reads messages of SMB 2 and 3 (MS-SMB2), as they stand in a TCP connection:
// each behind a length (MS-SMB2, Section 2.1; RFC 1002, Section 4.3). It knows their syntax,
// and neither sockets nor files.
//
// A [Reader] follows one direction. It holds the head of one message at a time, and copies
// no content. Signed messages are read. Encrypted and compressed ones are told, and passed
// over. So is SMB 1, with which some clients ask for SMB 2 (MS-SMB2, Section 3.3.5.3).
//
// # Gaps
//
// A reader knows the end of the message at hand, and of what surrounds it. If a gap ends
// beyond, it looks for the head of the next message.
package smb
