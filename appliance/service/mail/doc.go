// Package mail stands between the two ends of an SMTP session that is decrypted or
// plain. A service examines every message before the origin gets its content.
//
// The dialogue passes command by command, pipelining included (RFC 2920). The
// package holds back the content of DATA (RFC 5321) and BDAT (RFC 3030). If a
// recipient was accepted, the package answers the client's DATA itself. It keeps
// content in memory up to Config.Memory, beyond that in a file without a name.
//
// When the service has decided, the package does one of these:
//
//   - It sends the content to the origin with a DATA or BDAT of its own, octet by
//     octet as it came. The client gets the origin's answer to the content.
//   - It sends RSET to the origin and 554 5.7.1 to the client. The origin never sees
//     the beginning of such a message, and both connections go on.
//
// # Messages for the service
//
// The package shows a message by RESPMOD, as the answer to an invented request:
//
//	GET http://mail.invalid/SESSION/NUMBER.eml HTTP/1.1
//	Host: mail.invalid
//
//	HTTP/1.1 200 OK
//	Content-Type: message/rfc822
//	Content-Length: OCTETS
//	X-Mail-From: ADDRESS
//	X-Rcpt-To: ADDRESS, one field a recipient, at most 100
//
//	the content, without the dots of transparency
//
// If the answer has status 200, its body replaces the content. Any other status
// blocks the message.
//
// # Refusals
//
// The package refuses these with an answer of its own:
//
//   - Content with a lone dot between line ends that are not both CRLF: 550 5.5.2.
//     Some servers end a message there and take the rest for commands (SMTP
//     smuggling).
//   - Commands with a bare CR or NUL, without a first word of letters and digits, or,
//     except AUTH, with over 2000 octets: 500.
//   - BURL (RFC 4468) and XEXCH50, because content would come another way: 502. The
//     package also removes them from the announcement.
//   - STARTTLS: 454. The session is cleartext here already.
//   - DATA and BDAT without a recipient: 503.
//
// A bare LF becomes CRLF. A dialogue that is not SMTP, or out of step, ends.
package mail
