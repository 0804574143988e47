// Package mail stands between the two ends of a decrypted SMTP session, or of one
// that stays plain, and has a service look at every message before the origin is
// told of its content.
//
// The dialogue passes command by command, pipelining included (RFC 2920). The
// content of DATA (RFC 5321) and BDAT (RFC 3030) is held back: the client's DATA is
// answered here, once a recipient was accepted, and the content is taken into
// memory up to Config.Memory, beyond it into a file without a name. When the
// service has decided it is sent on with a DATA or BDAT of our own, octet by octet
// as it came, or the origin is told RSET and the client 554 5.7.1. So a message
// that is withheld never was begun at the origin, and both connections go on.
// What the origin answers to the content is what the client is answered.
//
// # What the service is shown
//
// A message is shown by RESPMOD as the answer to a request that nobody made:
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
// An answer with status 200 has its body go on in place of the content; any other
// status blocks the message.
//
// # What is refused
//
// Content with a dot alone between line ends that are not both CRLF is answered
// 550 5.5.2: some servers end a message there and take what follows for commands
// (SMTP smuggling). Commands with a bare CR or NUL, or that do not begin
// with a word of letters and digits, are answered 500; a bare LF is
// made CRLF. BURL (RFC 4468) and XEXCH50, by which content would come another
// way, are answered 502 and not announced. STARTTLS is answered 454: here the
// session is cleartext already. DATA and BDAT without a recipient are answered
// 503. A dialogue that is not SMTP, or out of step, ends.
package mail
