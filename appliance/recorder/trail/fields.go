package trail

import "github.com/clearspan/clearspan/appliance/query"

// Fields of events that a query may ask for.
const (
	FieldID query.ID = iota
	FieldSession
	FieldAt
	FieldAfter
	FieldBefore
	FieldKind
	FieldProtocol
	FieldClient
	FieldServer
	FieldPort
	FieldMethod
	FieldHost
	FieldURI
	FieldStatus
	FieldType
	FieldAgent
	FieldReferrer
	FieldFrom
	FieldTo
	FieldRcpt
	FieldSubject
	FieldMessageID
	FieldUser
	FieldOutcome
	FieldAnswers
	FieldName
	FieldObject
	FieldSize
	FieldDirection
	FieldSent
	FieldReceived
	FieldEnding
	FieldFinding
	FieldCount
	FieldScore
	FieldText
	FieldRule
	FieldAudit
	FieldSNI
	FieldALPN
	FieldJA4
	FieldVLAN
	FieldSource
	FieldUp
	FieldDown
)

// Language is the one in which operators ask for events.
var Language = query.NewLanguage([]query.Field{
	{ID: FieldID, Name: "id", Kind: query.Text, About: "The identifier of the event."},
	{ID: FieldSession, Name: "session", Kind: query.Text, About: "The identifier of the session."},
	{ID: FieldAt, Name: "at", Aliases: []string{"time"}, Kind: query.Time, About: "When it was."},
	{ID: FieldAfter, Name: "after", Kind: query.Time, About: "It was then or later."},
	{ID: FieldBefore, Name: "before", Kind: query.Time, About: "It was earlier."},
	{ID: FieldKind, Name: "kind", Aliases: []string{"event"}, Kind: query.Text, About: "What it was.", Words: []string{Request, Message, Mail, File, Lookup, Login, TLS}},
	{ID: FieldProtocol, Name: "protocol", Kind: query.Text, About: "The protocol, such as http or smtp."},
	{ID: FieldClient, Name: "client", Kind: query.Address, About: "The client's address."},
	{ID: FieldServer, Name: "server", Kind: query.Address, About: "The server's address."},
	{ID: FieldPort, Name: "port", Kind: query.PortRange, About: "The server's port."},
	{ID: FieldMethod, Name: "method", Kind: query.Text, About: "The method of a request, or the command."},
	{ID: FieldHost, Name: "host", Kind: query.Text, About: "The host that was asked for, or the name that was looked up."},
	{ID: FieldURI, Name: "uri", Aliases: []string{"url", "path"}, Kind: query.Phrase, About: "The address of what was asked for."},
	{ID: FieldStatus, Name: "status", Kind: query.Number, About: "The status of the answer."},
	{ID: FieldType, Name: "type", Kind: query.Text, About: "The media type of the answer."},
	{ID: FieldAgent, Name: "agent", Kind: query.Phrase, About: "The program of the client."},
	{ID: FieldReferrer, Name: "referrer", Kind: query.Phrase, About: "The address that led there."},
	{ID: FieldFrom, Name: "from", Aliases: []string{"sender"}, Kind: query.Text, About: "The sender of a mail: of the envelope, or else of the header."},
	{ID: FieldTo, Name: "to", Kind: query.Text, About: "A recipient of a mail: of the envelope, or of the header."},
	{ID: FieldRcpt, Name: "rcpt", Kind: query.Text, About: "A recipient of the envelope."},
	{ID: FieldSubject, Name: "subject", Kind: query.Phrase, About: "The subject of a mail."},
	{ID: FieldMessageID, Name: "message_id", Kind: query.Text, About: "The identifier of a mail."},
	{ID: FieldUser, Name: "user", Aliases: []string{"who"}, Kind: query.Text, About: "The user, if a login told it."},
	{ID: FieldOutcome, Name: "outcome", Kind: query.Text, About: "Of a login, or of an event that is not complete."},
	{ID: FieldAnswers, Name: "answers", Kind: query.Phrase, About: "What a lookup returned."},
	{ID: FieldName, Name: "name", Aliases: []string{"file"}, Kind: query.Phrase, About: "The name of a file in it."},
	{ID: FieldObject, Name: "object", Aliases: []string{"sha256", "hash"}, Kind: query.Text, About: "The SHA-256 of a file or body in it."},
	{ID: FieldSize, Name: "size", Kind: query.Size, About: "The size of a file or body in it."},
	{ID: FieldDirection, Name: "direction", Kind: query.Text, About: "Which way a file or body went.", Words: []string{"sent", "received"}},
	{ID: FieldSent, Name: "sent", Kind: query.Text, About: "Whether the client sent a file or body.", Words: []string{"true", "false"}},
	{ID: FieldReceived, Name: "received", Kind: query.Text, About: "Whether the client received a file or body.", Words: []string{"true", "false"}},
	{ID: FieldEnding, Name: "ending", Kind: query.Text, About: "How a file or body ended.", Words: []string{"complete", "cut", "broken"}},
	{ID: FieldFinding, Name: "finding", Kind: query.Text, About: "Personal or confidential data in it, such as my-number."},
	{ID: FieldCount, Name: "count", Kind: query.Number, About: "How many values a finding has."},
	{ID: FieldScore, Name: "score", Kind: query.Number, About: "How sure a finding is, up to 100."},
	{ID: FieldText, Name: "text", Kind: query.Phrase, About: "Words in a file or body that was sent, next to each other."},
	{ID: FieldRule, Name: "rule", Kind: query.Text, About: "The rule of clearspan that decided about the session."},
	{ID: FieldAudit, Name: "audit", Kind: query.Text, About: "The session's identifier in the audit log of clearspan."},
	{ID: FieldSNI, Name: "sni", Kind: query.Text, About: "The server name of the session."},
	{ID: FieldALPN, Name: "alpn", Kind: query.Text, About: "The application protocol that was negotiated."},
	{ID: FieldJA4, Name: "ja4", Kind: query.Text, About: "The fingerprint of the client's TLS."},
	{ID: FieldVLAN, Name: "vlan", Kind: query.Number, About: "The VLAN."},
	{ID: FieldSource, Name: "source", Kind: query.Text, About: "The source that captured it."},
	{ID: FieldUp, Name: "octets_sent", Kind: query.Size, About: "Octets of contents from the client."},
	{ID: FieldDown, Name: "octets_received", Kind: query.Size, About: "Octets of contents from the server."},
}, map[query.ID]query.Bound{FieldAfter: {Of: FieldAt, By: ">="}, FieldBefore: {Of: FieldAt, By: "<"}})
