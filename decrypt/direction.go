package decrypt

import "github.com/clearspan/clearspan/decrypt/proto"

// Direction tells which way octets travel.
type Direction = proto.Direction

const (
	ClientToOrigin = proto.ClientToOrigin
	OriginToClient = proto.OriginToClient
)
