package decrypt

// Direction tells which way octets travel.
type Direction uint8

const (
	ClientToOrigin Direction = iota
	OriginToClient
)

// String returns "client_to_origin" or "origin_to_client".
func (d Direction) String() string {
	if d == ClientToOrigin {
		return "client_to_origin"
	}
	return "origin_to_client"
}

// Opposite returns the other direction.
func (d Direction) Opposite() Direction { return d ^ 1 }
