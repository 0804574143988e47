package dissect

import (
	"bytes"
	"iter"

	"golang.org/x/net/http2/hpack"

	"github.com/clearspan/clearspan/decrypt/proto/http1"
)

// Host is the host that a request asks for, as the policy reads it.
type Host = http1.Host

// Fields are the header fields of a web message.
type Fields struct {
	section []byte              // of HTTP/1
	list    []hpack.HeaderField // of HTTP/2
}

// Get returns the value of the first field with a name in lower case, nil without one.
func (f *Fields) Get(name string) []byte {
	for i := range f.list {
		if f.list[i].Name == name {
			return []byte(f.list[i].Value)
		}
	}
	return http1.Find(f.section, name)
}

// Values returns the values of all fields with a name in lower case, in their order. They are
// borrowed like the event.
func (f *Fields) Values(name string) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		for n, value := range f.All() {
			if n == name && !yield(value) {
				return
			}
		}
	}
}

// All returns the fields in their order, the name in lower case. They are borrowed like
// the event.
func (f *Fields) All() iter.Seq2[string, []byte] {
	return func(yield func(string, []byte) bool) {
		for i := range f.list {
			if !yield(f.list[i].Name, []byte(f.list[i].Value)) {
				return
			}
		}
		for x := range http1.Fields(f.section) {
			if !yield(string(bytes.ToLower(x.Name)), x.Value) {
				return
			}
		}
	}
}
