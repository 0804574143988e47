package flow

import (
	"testing"
	"time"

	"github.com/clearspan/clearspan/decrypt/proto"
)

// TestSettle: a segment that was lost keeps nothing back when no more frames come. A session
// with both ends is over then, another one goes on.
func TestSettle(t *testing.T) {
	const c, s = proto.ClientToOrigin, proto.OriginToClient
	for _, ends := range []bool{false, true} {
		b := &book{}
		table := New(Config{}, b)
		add := func(f []byte) { table.Add(Frame{Octets: f, At: time.Unix(1_800_000_000, 0), Link: linkEthernet}) }
		add(frame(c, 1000, 0, flagSYN, nil))
		add(frame(s, 5000, 1001, flagSYN|flagACK, nil))
		add(frame(c, 1001, 5001, flagACK, []byte("get")))
		add(frame(s, 5011, 1004, flagACK, []byte("behind"))) // 10 octets in front of it are lost
		if ends {
			add(frame(s, 5017, 1004, flagFIN|flagACK, nil))
			add(frame(c, 1004, 5018, flagFIN|flagACK, nil))
		}
		r := b.sessions[0]
		table.Settle()
		if r.gaps[s] != 10 || string(r.octets[s][10:]) != "behind" || r.closed != ends {
			t.Errorf("ends %v: %d octets lost, %q, closed %v", ends, r.gaps[s], r.octets[s], r.closed)
		}
		if !ends {
			add(frame(s, 5017, 1004, flagACK, []byte("more")))
			if string(r.octets[s][16:]) != "more" {
				t.Errorf("%q", r.octets[s])
			}
		}
		table.Close()
		if table.held != 0 {
			t.Errorf("%d octets are held", table.held)
		}
	}
}
