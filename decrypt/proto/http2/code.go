package http2

import "fmt"

// Code is an error code (RFC 9113, Section 7).
type Code uint32

// Error codes.
const (
	NoError            Code = 0x0
	ProtocolError      Code = 0x1
	InternalError      Code = 0x2
	FlowControlError   Code = 0x3
	SettingsTimeout    Code = 0x4
	StreamClosed       Code = 0x5
	FrameSizeError     Code = 0x6
	RefusedStream      Code = 0x7
	Cancel             Code = 0x8
	CompressionError   Code = 0x9
	ConnectError       Code = 0xa
	EnhanceYourCalm    Code = 0xb
	InadequateSecurity Code = 0xc
	HTTP11Required     Code = 0xd
)

var codeNames = [...]string{
	"NO_ERROR", "PROTOCOL_ERROR", "INTERNAL_ERROR", "FLOW_CONTROL_ERROR", "SETTINGS_TIMEOUT", "STREAM_CLOSED",
	"FRAME_SIZE_ERROR", "REFUSED_STREAM", "CANCEL", "COMPRESSION_ERROR", "CONNECT_ERROR", "ENHANCE_YOUR_CALM",
	"INADEQUATE_SECURITY", "HTTP_1_1_REQUIRED",
}

// String returns the name that RFC 9113 gives the code.
func (c Code) String() string {
	if int(c) < len(codeNames) {
		return codeNames[c]
	}
	return fmt.Sprintf("code %#x", uint32(c))
}

// Fault is a breach of RFC 9113. It is the type of all errors of this package.
type Fault struct {
	Code   Code
	Stream uint32 // of a stream error (Section 5.4.2); 0: a connection error (Section 5.4.1)
	Reason string // constant text
	// Passed tells that the reader passes over the frame and can go on: always for a
	// stream error, and for connection errors that [Loose] forgives.
	Passed bool
}

// Error implements error.
func (f *Fault) Error() string { return fmt.Sprintf("http2: %s: %s", f.Code, f.Reason) }

// ErrPreface is the fault of a connection that does not begin as HTTP/2 does (RFC
// 9113, Section 3.4).
var ErrPreface = &Fault{Code: ProtocolError, Reason: "no connection preface"}

// Faults that need no stream number, by the section of RFC 9113 that forbids them.
var (
	errTooLong      = &Fault{Code: FrameSizeError, Reason: "frame longer than SETTINGS_MAX_FRAME_SIZE"}      // 4.2
	errTooShort     = &Fault{Code: FrameSizeError, Reason: "frame shorter than its fields"}                  // 4.2
	errBlock        = &Fault{Code: CompressionError, Reason: "header block cannot be decoded"}               // 4.3
	errStream       = &Fault{Code: ProtocolError, Reason: "stream number on a frame of the connection"}      // 6.5
	errNoStream     = &Fault{Code: ProtocolError, Reason: "no stream number on a frame of a stream"}         // 6.1
	errPadding      = &Fault{Code: ProtocolError, Reason: "padding longer than the frame"}                   // 6.1
	errACK          = &Fault{Code: FrameSizeError, Reason: "SETTINGS with ACK and values"}                   // 6.5
	errLength       = &Fault{Code: FrameSizeError, Reason: "length of a frame of fixed length"}              // 6.4
	errPush         = &Fault{Code: ProtocolError, Reason: "PUSH_PROMISE of a client"}                        // 8.4
	errIncrement    = &Fault{Code: ProtocolError, Reason: "WINDOW_UPDATE without increment"}                 // 6.9
	errSetting      = &Fault{Code: ProtocolError, Reason: "value of a setting"}                              // 6.5.2
	errWindow       = &Fault{Code: FlowControlError, Reason: "SETTINGS_INITIAL_WINDOW_SIZE beyond a window"} // 6.5.2
	errContinuation = &Fault{Code: ProtocolError, Reason: "header block interrupted, or continued by none"}  // 6.10
	errBound        = &Fault{Code: EnhanceYourCalm, Reason: "header block longer than its bound"}            // 10.5.1
)

// onStream returns the fault as an error of a stream that the reader passes over.
func (f *Fault) onStream(id uint32) *Fault {
	return &Fault{Code: f.Code, Stream: id, Reason: f.Reason, Passed: true}
}
