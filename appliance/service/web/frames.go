package web

// frames is an HTTP/2 session. It refuses all for now.
type frames struct{}

func newFrames(*exchanges) *frames { return &frames{} }
func (*frames) stop()              {}
func (*frames) fromClient() error  { return &Refusal{Request, protocol} }
func (*frames) fromOrigin() error  { return nil }
