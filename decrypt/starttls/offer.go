package starttls

// Offer says what is known of the upgrade in a dialogue.
type Offer uint8

const (
	// Unknown: nothing was said of it.
	Unknown Offer = iota
	// Omitted: the origin has told what it can, and the upgrade was not there.
	Omitted
	// Garbled: its announcement was there, made unreadable by somebody between.
	Garbled
	// Offered: announced by the origin, not asked for by the client.
	Offered
	// Refused: asked for by the client, refused by the origin.
	Refused
	// Accepted: TLS has begun.
	Accepted
)

var offers = [...]string{"unknown", "omitted", "garbled", "offered", "refused", "accepted"}

// String returns the name in lower case.
func (o Offer) String() string {
	if int(o) < len(offers) {
		return offers[o]
	}
	return "unknown"
}
