package object

// Content describes what comes. Everything is as it was sent.
type Content struct {
	Type        string // Content-Type
	Disposition string // Content-Disposition
	Codings     string // Content-Encoding: in the order in which they were applied
	Transfer    string // Content-Transfer-Encoding, of a part of a mail message
	Name        string // that the caller knows from elsewhere, such as a path; decoded
	Mail        bool   // a whole mail message, with its header
}

// NameSource says where a name comes from.
type NameSource uint8

const (
	NoName          NameSource = iota
	FromCaller                 // [Content.Name]
	FromDisposition            // Content-Disposition
	FromType                   // the parameter name of Content-Type
	FromSubject                // of a mail message
)

// Description is what is known of an object when it begins.
type Description struct {
	Number   int    // of the object in its content, from 1
	Parent   int    // number of the object that holds it; 0: none
	Part     string // where it is in its content: "", "2", "2.1"
	Type     string // media type without parameters, in lower case; "": not said
	Charset  string
	Name     string // safe to show, and no path; "": none
	RawName  string // as it was sent
	From     NameSource
	Field    string  // name of the form's field
	Header   *Header // of a mail message
	Attached bool    // the sender calls it an attachment or a file
	Range    string  // Content-Range of a part: it is a piece of a file (RFC 9110, Section 14.6)
}

// Header has the fields of a mail message that people look at, decoded.
type Header struct {
	Subject, From, To, CC, Date, MessageID string
}

// Sink takes objects.
type Sink interface {
	// Begin returns what takes an object; nil: nobody wants it. Objects that are within
	// it come before its end.
	Begin(d *Description) Writer
}

// Writer takes the octets of one object.
type Writer interface {
	Write(p []byte) // borrows p
	Hole(n uint64)  // n octets are lost
	Close(e Ending)
}

// Ending says how an object ended.
type Ending uint8

const (
	Complete Ending = iota
	Cut             // the rest did not come, or cannot be read behind a hole
	Broken          // it breaks its form, or a bound
)

var endings = [...]string{"complete", "cut", "broken"}

// String returns a word for reports.
func (e Ending) String() string { return endings[e] }

const (
	maxHeader = 1 << 20
	maxDepth  = 20
	maxParts  = 1000
)

// Stream takes one content. It is not safe for concurrent use.
type Stream struct {
	reading
	first stage
	ended bool
}

// reading is what the stages of one content share.
type reading struct {
	sink    Sink
	objects int
	parts   int
	told    string // the name in the JSON text that was read last
}

// New begins a content.
func New(c Content, s Sink) *Stream {
	x := &Stream{}
	x.sink = s
	h := entity{kind: c.Type, disposition: c.Disposition, transfer: c.Transfer, name: c.Name}
	if c.Mail {
		h = entity{kind: "message/rfc822"}
	}
	x.first = x.decoded(c.Codings, func() stage { return x.entity(&h, place{}) })
	return x
}

// Write takes the next octets, which it borrows.
func (x *Stream) Write(p []byte) {
	if !x.ended && len(p) > 0 {
		x.first.write(p)
	}
}

// Hole says that the next n octets are lost.
func (x *Stream) Hole(n uint64) {
	if !x.ended && n > 0 {
		x.first.hole(n)
	}
}

// Close says that the content is over. complete tells that nothing is missing at its end.
func (x *Stream) Close(complete bool) {
	if x.ended {
		return
	}
	x.ended = true
	e := Complete
	if !complete {
		e = Cut
	}
	x.first.close(e)
}

// stage takes octets, and passes on what it makes of them.
type stage interface {
	write(p []byte) // borrows p
	hole(n uint64)
	close(e Ending) // once, and the last call
}

// leaf is the stage in front of a writer.
type leaf struct{ w Writer }

func (l leaf) write(p []byte) { l.w.Write(p) }
func (l leaf) hole(n uint64)  { l.w.Hole(n) }
func (l leaf) close(e Ending) { l.w.Close(e) }

// nobody takes what nobody wants.
type nobody struct{}

func (nobody) write([]byte) {}
func (nobody) hole(uint64)  {}
func (nobody) close(Ending) {}

// both passes everything on twice: to an object, and to the reader of what is in it. What
// is within ends first.
type both struct{ object, within stage }

func (b both) write(p []byte) { b.object.write(p); b.within.write(p) }
func (b both) hole(n uint64)  { b.object.hole(n); b.within.hole(n) }
func (b both) close(e Ending) { b.within.close(e); b.object.close(e) }
