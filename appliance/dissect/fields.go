package dissect

import (
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
