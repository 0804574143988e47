package h2

import (
	"testing"

	"github.com/clearspan/clearspan/appliance/service/web/adapt"
	"github.com/clearspan/clearspan/decrypt"
)

// end is an end of a session that nobody reads or writes.
type end struct{ decrypt.End }

// TestKeptTakesBack ends streams in two ways, after which nothing may be counted.
func TestKeptTakesBack(t *testing.T) {
	x := New(adapt.NewSession(t.Context(), new(adapt.Config), new(decrypt.Session), end{}, end{}))
	client := x.conns[adapt.Request]
	defer x.Close()
	x.mu.Lock()
	defer x.mu.Unlock()
	for id := range uint32(100) {
		st := x.newStream(2*id+1, &fields{})
		h := &st.halves[adapt.Request]
		h.begun, h.held, h.buf, h.fields = true, true, make([]byte, 50_000), 100
		x.advance(st, client)
		if !x.keep(st, client) || x.kept < 50_100 || x.ahead == 0 {
			t.Fatalf("%d octets, %d of window are counted", x.kept, x.ahead)
		}
		if id%2 == 0 {
			x.finish(st, adapt.Request)
		}
		x.drop(st, errEnded)
		x.count(st, adapt.Request)
		if x.kept != 0 || x.ahead != 0 || len(client.late) != 0 {
			t.Fatalf("%d octets, %d of window, %d updates are left", x.kept, x.ahead, len(client.late))
		}
	}
}
