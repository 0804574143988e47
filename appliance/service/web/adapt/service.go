package adapt

import (
	"bytes"
	"strings"

	"github.com/clearspan/clearspan/decrypt/proto/http1"
)

// Service is an adapter with the conditions under which it is asked.
type Service struct {
	Name      string
	Adapter   Adapter
	Requests  bool // wants requests
	Responses bool // wants responses

	// WebSocket tells that the service wants messages of WebSocket, too. Others it
	// lets pass unseen.
	WebSocket bool

	// FailOpen lets a message pass as it came when the adapter fails, as long as
	// what was read of its body is still at hand (see Config.Replay). Otherwise
	// the client gets an error page.
	FailOpen bool

	// MaxBody bypasses messages that announce a longer body; 0: no limit.
	MaxBody int64

	// Bypass lists media types of messages that are not shown, "application/grpc"
	// say; a "*" at the end stands for any rest.
	Bypass []string

	// Streams lists media types, in lower case, of responses that are not shown if
	// they announce no length and their requests ask for the type (Accept):
	// text/event-stream, whose events would wait for what a service wants to see
	// first. The type application/grpc stands for requests and responses of gRPC, whose
	// sides may talk in turn.
	Streams []string
}

func (s *Service) wants(kind Kind) bool {
	return kind == Request && s.Requests || kind == Response && s.Responses
}

// bypasses tells that a message is not to be shown to the service.
func (s *Service) bypasses(m *Message, media []byte) bool {
	if m.WebSocket && !s.WebSocket {
		return true
	}
	if s.MaxBody > 0 && m.Length > s.MaxBody {
		return true
	}
	for _, stream := range s.Streams {
		switch {
		case m.Length >= 0:
		case stream == grpc && isGRPC(media) && callsGRPC(m.Request),
			m.Kind == Response && http1.Is(media, stream) && accepts(m.Request, stream):
			return true
		}
	}
	for _, b := range s.Bypass {
		prefix, any := strings.CutSuffix(b, "*")
		if len(media) == len(b) && http1.Is(media, b) || any && http1.HasPrefix(media, prefix) {
			return true
		}
	}
	return false
}

const grpc = "application/grpc"

// isGRPC reports whether media is that of gRPC, of whatever messages (gRPC over HTTP2,
// Content-Type).
func isGRPC(media []byte) bool {
	return http1.Is(media, grpc) || http1.HasPrefix(media, grpc+"+")
}

// callsGRPC reports whether a request calls a method of gRPC (gRPC over HTTP2,
// Call-Definition). The header block is that of any version of HTTP.
func callsGRPC(request []byte) bool {
	section := http1.Section(request)
	return http1.HasPrefix(request, "post ") && isGRPC(MediaType(section)) && http1.Is(http1.Find(section, "te"), "trailers")
}

// accepts reports whether a request asks for exactly that media type (RFC 9110,
// Section 12.5.1).
func accepts(request []byte, media string) bool {
	for f := range http1.Fields(http1.Section(request)) {
		if !http1.Is(f.Name, "accept") {
			continue
		}
		for part := range bytes.SplitSeq(f.Value, []byte(",")) {
			kind, _, _ := bytes.Cut(part, []byte(";"))
			if http1.Is(http1.Trim(kind), media) {
				return true
			}
		}
	}
	return false
}
