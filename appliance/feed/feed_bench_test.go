package feed

import (
	"bytes"
	"testing"

	"github.com/clearspan/clearspan/appliance/facts"
	"github.com/clearspan/clearspan/appliance/feed/http2"
	"github.com/clearspan/clearspan/decrypt"
	"github.com/clearspan/clearspan/mirror"
)

// taking is a sink that takes everything and keeps nothing.
type taking struct{}

func (taking) Send(frames []mirror.Frame) (int, error) { return len(frames), nil }
func (taking) MTU() int                                { return 1500 }
func (taking) Idle() bool                              { return false }

// BenchmarkFeed hands chunks of 64 KiB of a download to one sink, with and
// without a look at what they are.
func BenchmarkFeed(b *testing.B) {
	for _, tt := range []struct {
		name  string
		facts *facts.Options
	}{{"facts", &facts.Options{}}, {"none", nil}} {
		b.Run(tt.name, func(b *testing.B) {
			o := &sink{name: "taking", pairs: newPairs(http2.NewPorts()), ports: mirror.Balance{taking{}}, content: [4]bool{true, true}}
			st := (&Feed{sinks: []*sink{o}, facts: tt.facts}).Open(session(decrypt.Bumped))
			st.Data(decrypt.ClientToOrigin, decrypt.Decrypted, []byte("GET / HTTP/1.1\r\nHost: h\r\n\r\n"))
			st.Data(decrypt.OriginToClient, decrypt.Decrypted, []byte("HTTP/1.1 200 OK\r\n\r\n"))
			chunk := bytes.Repeat([]byte("some content, as it may be\r\n"), 64<<10/28)
			b.SetBytes(int64(len(chunk)))
			b.ReportAllocs()
			for b.Loop() {
				st.Data(decrypt.OriginToClient, decrypt.Decrypted, chunk)
			}
		})
	}
}
