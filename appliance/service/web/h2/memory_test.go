package h2_test

import (
	"context"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"github.com/clearspan/clearspan/appliance/service/web/adapt"
	"github.com/clearspan/clearspan/appliance/service/web/webtest"
)

// TestKept has a client with many uploads and a service that does not read. Those
// that fit are kept whole, new streams are refused before memory is full, and the
// connection goes on.
func TestKept(t *testing.T) {
	const (
		streams = 600
		good    = 80 // as many as browsers have at a time
	)
	sc, client, origin := meet(t, webtest.One(webtest.AdapterFunc(func(ctx context.Context, _ *adapt.Message) (*adapt.Result, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	})))
	before := live()
	ping := [8]byte{1}
	client.later(func() {
		content := make([]byte, 16000)
		for i := range uint32(streams) {
			client.header(2*i+1, false, get...)
			for range 4 {
				client.WriteData(2*i+1, false, content)
			}
		}
		client.WritePing(false, ping)
	})
	answers := make(map[http2.ErrCode]int)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			f, err := client.ReadFrame()
			if err != nil {
				return
			}
			switch f := f.(type) {
			case *http2.RSTStreamFrame:
				answers[f.ErrCode]++
				if f.StreamID < 2*good {
					t.Errorf("stream %d was reset: %v", f.StreamID, f.ErrCode)
				}
			case *http2.PingFrame:
				return
			}
		}
	}()
	if f := next[*http2.PingFrame](origin); f.Data != ping {
		t.Errorf("origin got %v", f)
	}
	kept := live() - before
	origin.later(func() { origin.WritePing(true, ping) })
	select {
	case <-done:
	case <-time.After(20 * time.Second):
		t.Fatal("the connection is dead")
	}
	t.Logf("%d KiB kept, %v", kept>>10, answers)
	if kept > 16<<20 || answers[http2.ErrCodeRefusedStream] == 0 || answers[http2.ErrCodeEnhanceYourCalm] > 0 {
		t.Errorf("session keeps %d KiB, streams ended with %v", kept>>10, answers)
	}
	sc.Client.Abort()
	sc.End()
}
