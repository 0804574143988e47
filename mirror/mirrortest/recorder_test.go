package mirrortest

import (
	"errors"
	"sync"
	"testing"

	"github.com/clearspan/clearspan/mirror"
)

func TestRecorderCopiesFrames(t *testing.T) {
	r := &Recorder{}
	header, payload := []byte("header"), []byte("payload")
	if n, err := r.Send([]mirror.Frame{{Header: header, Payload: payload, Note: "note"}}); n != 1 || err != nil {
		t.Fatalf("Send = %d, %v", n, err)
	}
	clear(header)
	clear(payload)
	if got := string(r.Frames()[0]); got != "headerpayload" || r.Notes()[0] != "note" {
		t.Errorf("recorded %q with note %q", got, r.Notes()[0])
	}
	if r.MTU() != 1500 || r.Idle() {
		t.Errorf("zero value: MTU %d, idle %t", r.MTU(), r.Idle())
	}
}

func TestRecorderRefuses(t *testing.T) {
	r := &Recorder{Fail: func([]mirror.Frame) (int, error) { return 1, mirror.ErrFull }}
	n, err := r.Send(make([]mirror.Frame, 3))
	if n != 1 || !errors.Is(err, mirror.ErrFull) || len(r.Frames()) != 1 || r.Refused() != 2 {
		t.Errorf("Send = %d, %v; %d frames, %d refused", n, err, len(r.Frames()), r.Refused())
	}
}

func TestRecorderServesManyConversations(t *testing.T) {
	r := &Recorder{}
	var group sync.WaitGroup
	for i := range 8 {
		group.Go(func() {
			flow := testFlow
			flow.VLAN = uint16(i + 1)
			c := mirror.Open(r, flow, mirror.Options{})
			for range 20 {
				c.Data(mirror.ClientToOrigin, make([]byte, 5000))
				r.SetMTU(1500)
				r.Frames()
			}
			c.Close()
		})
	}
	group.Wait()
	if findings := Check(r.Frames()); len(findings) > 0 {
		t.Error(findings[0])
	}
}
