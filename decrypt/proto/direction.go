// Package proto is the root of the readers of protocols and holds what they share
// with those who feed them: the direction of octets.
package proto

// Direction tells which way octets travel. It indexes arrays of two.
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
