// Package mail stands between the two ends of a session of SMTP, IMAP or POP3 that is
// decrypted or plain. A service examines every message before the other end gets its
// content.
//
// # Mail that is sent
//
// The dialogue of SMTP passes command by command, pipelining included (RFC 2920). The
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
// Messages of IMAP and POP3 have no X-Mail-From and no X-Rcpt-To. A part of a message,
// which a client fetches alone, comes without its header. The package shows it as a
// message of its own that has the part in each form that it may have: see asParts.
//
// If the answer has status 200, its body replaces the content. Any other status
// blocks the message.
//
// # Mail that is fetched
//
// The package holds what a client fetches as it holds mail that is sent. By POP3
// (RETR, TOP), the client gets -ERR in place of a refused message. By IMAP (BODY[],
// BODY[n], RFC822, BINARY[]), it gets a notice in place of a refused literal, and the
// session goes on. If the service fails, it gets NIL and the tagged response NO.
//
// If a client asks for ranges (BODY[]<0.1000>), the package asks the origin for the
// whole, and cuts. Headers alone (BODY[HEADER], BODY[1.MIME]) pass. So do literals of
// at most 1024 octets that are no contents of a message. Longer ones are shown.
//
// What a client puts into a mailbox (APPEND, REPLACE) is held, too. The origin gets
// all messages of one command when all are judged.
//
// # Files of FTP
//
// A data connection carries one file. The package holds what one end sends until its
// end, and shows it by RESPMOD as application/octet-stream from http://ftp.invalid/. A
// refused file resets the connection.
//
// # Refusals
//
// The package refuses these with an answer of its own:
//
//   - Content with a lone dot between line ends that are not both CRLF: 550 5.5.2.
//     Some servers end a message there and take the rest for commands (SMTP
//     smuggling).
//
//   - Commands with a bare CR or NUL, without a first word of letters and digits, or,
//     except AUTH, with over 2000 octets: 500.
//
//   - BURL (RFC 4468) and XEXCH50, because content would come another way: 502. The
//     package also removes them from the announcement.
//
//   - STARTTLS: 454. The session is cleartext here already.
//
//   - DATA and BDAT without a recipient: 503.
//
//   - IMAP: STARTTLS and COMPRESS: BAD. CATENATE (RFC 4469): NO. The package also removes
//     them, and URLAUTH, from the announcement.
//
//   - POP3: STLS: -ERR.
//
// A bare LF becomes CRLF. A dialogue that is none of these protocols, or out of step,
// ends.
package mail
